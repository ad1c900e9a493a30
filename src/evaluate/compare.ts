import { TextrecError, throwIfAborted } from '../errors.js'
import { anything, choice, integer, optional, resolveOptions, text } from '../options.js'
import { type FitContext, type RankerRecipe, rankCases } from '../ranking.js'
import type { Matrix, OnProgress } from '../types.js'
import { METRICS, type MetricName } from './case-metrics.js'
import type { Comparison, SeedRun } from './comparison.js'
import { requireHonestSplit } from './held-out.js'
import {
  type CaseRankings,
  type DrawPlaces,
  type Judging,
  RankerTally,
  TestedPeople,
} from './ranker-tally.js'
import { slicesOf } from './slices.js'
import type { Split } from './split.js'

export interface CompareOptions {
  /** The cut-off of the headline figures. */
  readonly k: number
  /** Further cut-offs for every metric. */
  readonly cutoffs: readonly number[]
  /** What the headline is about. */
  readonly metric: MetricName
  /** The ranker that the others are compared with: the first one when absent. */
  readonly baseline: string | undefined
  readonly seed: number
  /** Bootstrap draws. */
  readonly draws: number
  /** [items] unit vectors, for intra-list diversity; left out when absent. */
  readonly vectors: Matrix | undefined
  readonly signal: AbortSignal | undefined
  readonly onProgress: OnProgress | undefined
}

const table = {
  k: integer(10, 1),
  cutoffs: {
    default: [10, 50] as readonly number[],
    expected: 'a list of whole numbers of at least 1',
    accepts: (value: unknown) =>
      Array.isArray(value) && value.every((k) => Number.isSafeInteger(k) && k >= 1),
  },
  metric: choice<MetricName>('ndcg', Object.keys(METRICS) as MetricName[]),
  baseline: optional(text('')),
  seed: integer(1, 0),
  draws: integer(1000, 100),
  vectors: anything<Matrix | undefined>(undefined),
  signal: anything<AbortSignal | undefined>(undefined),
  onProgress: anything<OnProgress | undefined>(undefined),
}

/** What one seed compares: its own split where the seed decides it, and recipes of the same names each time. */
export interface Draw {
  readonly split: Split
  readonly recipes: readonly RankerRecipe[]
  /** [items] unit vectors, for intra-list diversity; left out when absent. */
  readonly vectors?: Matrix
}

/** Makes what a seed compares, and is told when the seed is done with it. */
export interface Draws {
  readonly names: readonly string[]
  make(seed: number): Promise<Draw>
  done(seed: number): Promise<void>
}

/**
 * Fits each recipe on the split and measures it: rankings over the whole catalogue, equal scores to the smaller
 * item number (which knows nothing of targets), metrics per person, paired differences to the baseline.
 * @throws LEAK_FOUND before anything is fitted if the split is not honest; OPTION_INVALID for a baseline that is
 *   not among the recipes; ABORTED.
 */
export function compareRankers(
  split: Split,
  recipes: readonly RankerRecipe[],
  given: Partial<CompareOptions> = {},
): Promise<Comparison> {
  const { seed, vectors, ...rest } = resolveOptions<CompareOptions>('compareRankers', table, given)
  const names = recipes.map(({ name }) => name)
  const draws: Draws = { names, make: async () => ({ split, recipes, vectors }), done: async () => {} }
  return compareOverSeeds([seed], draws, rest)
}

/**
 * The same once per seed, one after the other, and all seeds together: a person's figure is then the mean over
 * the seeds that tested them, so that differences stay paired and persons stay the units of every interval.
 * Between seeds only sums by person are kept.
 */
export async function compareOverSeeds(
  seeds: readonly number[],
  draws: Draws,
  given: Partial<Omit<CompareOptions, 'seed' | 'vectors'>> = {},
): Promise<Comparison> {
  const options = resolveOptions<CompareOptions>('compareRankers', table, { ...given, seed: seeds[0] })
  const { names } = draws
  const baseline = options.baseline ?? names[0]
  if (!names.includes(baseline)) {
    throw new TextrecError(
      'OPTION_INVALID',
      `The baseline '${baseline}' is not among the rankers.`,
      `They are ${names.join(', ')}.`,
    )
  }
  const pooled = new Pool(names)
  const seedless: Seedless = new Map()
  const runs: SeedRun[] = []
  let first: Split | undefined
  for (const [i, seed] of seeds.entries()) {
    const alone = new Pool(names)
    const pools = seeds.length === 1 ? [pooled] : [pooled, alone]
    try {
      const draw = await draws.make(seed)
      first ??= draw.split
      await addDraw(draw, pools, seed, seedless, seedOptions(options, i, seeds, names.length))
      runs.push(runOf(seed, draw.split, pools.at(-1)!, baseline, options))
    } finally {
      await draws.done(seed)
    }
  }
  const total = seeds.length * names.length
  options.onProgress?.({ stage: 'done', done: total, total, unit: 'rankers' })
  const { name, table: all, training, notes } = first!
  const reference = pooled.of(baseline)
  return {
    split: {
      name,
      people: pooled.people.all.count,
      cases: pooled.people.all.cases.reduce((sum, count) => sum + count, 0),
      items: all.itemIds.length,
      trainingInteractions: training.users.length,
      notes: seeds.length === 1 ? notes : notesOf(runs),
    },
    k: options.k,
    metric: options.metric,
    seed: seeds[0],
    seeds,
    baseline,
    results: pooled.rankers.map((ranker, at) => ({
      // One seed alone was estimated just now.
      ...(runs.length === 1 ? runs[0].results[at] : ranker.result(reference, options)),
      slices: ranker.sliceResults(options),
    })),
    runs,
    ndcgByPerson: pooled.rankers.map((ranker) => ranker.byPerson(`ndcg@${options.k}`)),
  }
}

/** The rankers with their figures over one draw or several. */
class Pool {
  readonly people = new TestedPeople()
  readonly rankers: readonly RankerTally[]

  constructor(names: readonly string[]) {
    this.rankers = names.map((name) => new RankerTally(name, this.people))
  }

  of(name: string): RankerTally {
    return this.rankers.find((ranker) => ranker.name === name)!
  }
}

interface Ranked extends CaseRankings {
  readonly seconds: { readonly fit: number; readonly rank: number }
}

/** What recipes without a seed gave on the last split, by name. */
type Seedless = Map<string, { readonly split: Split; readonly ranked: CaseRankings }>

async function addDraw(
  { split, recipes, vectors }: Draw,
  pools: readonly Pool[],
  seed: number,
  seedless: Seedless,
  options: CompareOptions & { readonly before: number; readonly total: number },
): Promise<void> {
  requireHonestSplit(split)
  const slices = slicesOf(split)
  const places = pools.map(({ people }): DrawPlaces => people.add(split, slices))
  const { k, signal, onProgress, before, total } = options
  const judging: Judging = {
    k,
    cutoffs: [...new Set([k, ...options.cutoffs])].sort((a, b) => a - b),
    vectors,
  }
  for (const [i, recipe] of recipes.entries()) {
    throwIfAborted(signal, 'The evaluation')
    onProgress?.({ stage: recipe.name, done: before + i, total, unit: 'rankers' })
    const known = seedless.get(recipe.name)
    const { seconds, ...ranked }: Ranked =
      known?.split === split
        ? { ...known.ranked, seconds: { fit: 0, rank: 0 } }
        : await fitAndRank(recipe, split, Math.max(...judging.cutoffs), { ...options, seed })
    if (recipe.seedless) seedless.set(recipe.name, { split, ranked })
    for (const [at, pool] of pools.entries()) {
      pool.rankers[i].add(ranked, split, places[at], judging, seconds)
    }
  }
}

async function fitAndRank(
  recipe: RankerRecipe,
  { training, fitting, validation, test, hidden }: Split,
  longest: number,
  { seed, signal, onProgress }: Pick<CompareOptions, 'seed' | 'signal' | 'onProgress'>,
): Promise<Ranked> {
  const context: FitContext = { training, fitting, validation, seed, signal, onProgress }
  const start = performance.now()
  const ranker = await recipe.fit(context)
  const fitted = performance.now()
  try {
    const rankings = await rankCases(ranker, test, longest)
    const seconds = { fit: (fitted - start) / 1000, rank: (performance.now() - fitted) / 1000 }
    if (hidden === undefined) return { rankings, seconds }
    return { rankings, amongHidden: await rankCases(ranker, test, longest, hidden), seconds }
  } finally {
    await ranker.close?.()
  }
}

/** Progress of one seed of several says which it is. */
function seedOptions(
  options: CompareOptions,
  at: number,
  seeds: readonly number[],
  rankers: number,
): CompareOptions & { readonly before: number; readonly total: number } {
  const { onProgress } = options
  const where = `seed ${seeds[at]} (${at + 1} of ${seeds.length}): `
  const named: OnProgress | undefined =
    seeds.length === 1
      ? onProgress
      : onProgress && ((progress) => onProgress({ ...progress, stage: where + progress.stage }))
  return { ...options, onProgress: named, before: at * rankers, total: seeds.length * rankers }
}

function runOf(seed: number, split: Split, pool: Pool, baseline: string, options: CompareOptions): SeedRun {
  const reference = pool.of(baseline)
  return {
    seed,
    people: pool.people.all.count,
    cases: split.test.length,
    trainingInteractions: split.training.users.length,
    notes: split.notes,
    // Its own seed for the bootstrap too: then a run is what an evaluation of that seed alone gives.
    results: pool.rankers.map((ranker) => ranker.result(reference, { ...options, seed })),
  }
}

/** What every seed's split says once, and what differs with its seed. */
function notesOf(runs: readonly SeedRun[]): string[] {
  const common = runs[0].notes.filter((note) => runs.every(({ notes }) => notes.includes(note)))
  const own = runs.flatMap(({ seed, notes }) =>
    notes.filter((note) => !common.includes(note)).map((note) => `Seed ${seed}: ${note}`),
  )
  return [...common, ...own]
}
