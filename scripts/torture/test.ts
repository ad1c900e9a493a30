import type { Random } from '../../src/math/random.js'
import type { Stage } from './stages.js'

/** What a test gets from `npm run torture`. */
export interface TortureContext {
  /** The version for CI: the same questions, fewer of each. */
  readonly short: boolean
  /** Those of the six stages that tests of stages disturb; in their order. */
  readonly stages: readonly Stage[]
  /** Seeded by `--seed` and the test's name: the same draws whichever other tests run. */
  readonly random: Random
  /** An empty folder of the test's own, removed when it passed. */
  readonly work: string
  /** Aborted by SIGINT and SIGTERM: end the children, then throw. */
  readonly signal: AbortSignal
  /** A line of progress on standard error. */
  log(line: string): void
}

/** What a test found. Printed as one line: `name  12 kills / 0 lost / 0 duplicated  34 s  ok`. */
export interface TortureLine {
  readonly name: string
  /** In the order in which they are printed. */
  readonly counts: { readonly [what: string]: number }
  readonly failed: boolean
  /** Nothing was put to the test: the notes say why. */
  readonly skipped?: boolean
  readonly seconds: number
  /** One sentence each: what went wrong and where its remains lie, or what the counts do not say. */
  readonly notes: readonly string[]
}

/** One promise of textrec, put to the test with figures. Each lives in a file of its own; see `catalogue.ts`. */
export interface TortureTest {
  readonly name: string
  /** The promise that the test holds, as users may read it. */
  readonly promise: string
  run(context: TortureContext): Promise<TortureLine>
}

/**
 * Thrown by a test that this machine cannot run, for want of a tool or because its kernel forbids what the test does.
 * On a machine at hand it is skipped, and says so; under `CI` it fails: a promise that nobody tests is none.
 */
export class Unavailable extends Error {
  constructor(fact: string, remedy: string) {
    super(`${fact} ${remedy}`)
  }
}

/** What is skipped elsewhere fails where somebody relies on it. */
export const failsWhereSkipped = (): boolean => process.env.CI !== undefined

/** A line from its counts; `failed` unless every count named in `none` is zero and there is no complaint. */
export function lineOf(
  name: string,
  started: number,
  counts: { readonly [what: string]: number },
  none: readonly string[],
  complaints: readonly string[],
  notes: readonly string[] = [],
): TortureLine {
  return {
    name,
    counts,
    failed: complaints.length > 0 || none.some((what) => counts[what] !== 0),
    seconds: (performance.now() - started) / 1000,
    notes: [...complaints, ...notes],
  }
}
