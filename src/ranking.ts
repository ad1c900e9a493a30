import { TextrecError } from './errors.js'
import { ndcg } from './math/metrics.js'
import { topK } from './math/top-k.js'
import type { InteractionTable, Matrix, OnProgress, Person, Ranker, Ranking, RankOptions } from './types.js'

/** Scores every item of a catalogue for each person; the half of a ranker that knows a model. */
export interface Scorer {
  readonly name: string
  readonly itemCount: number
  /** [people, itemCount]; bigger is better. NaN where an item cannot be ranked at all. */
  scores(people: readonly Person[]): Promise<Matrix>
  close?(): Promise<void>
}

/** One ranking to make, and what should be found in it. */
export interface TestCase {
  /** Dense user number in the split's table; several cases of one person are averaged. */
  readonly user: number
  /** What the ranker may know: the history before the target. `person.user` is absent for cold users. */
  readonly person: Person
  /** The items to be found. */
  readonly targets: Int32Array
  /** Items of this person, beside the history, that are neither ranked nor asked for. */
  readonly leaveOut?: Int32Array
}

/** What a model may learn from: nothing of the test is in here. */
export interface FitContext {
  /** All that was known at the split. */
  readonly training: InteractionTable
  /** `training` less what `validation` asks for: fit on this while choosing parameters. */
  readonly fitting: InteractionTable
  readonly validation: readonly TestCase[]
  readonly seed: number
  readonly signal?: AbortSignal
  readonly onProgress?: OnProgress
}

/** How to make a ranker for a split: chooses its own parameters on validation, then fits on all of training. */
export interface RankerRecipe {
  readonly name: string
  /** The seed decides nothing here: an evaluation over several seeds fits it once per split. */
  readonly seedless?: true
  fit(context: FitContext): Promise<Ranker>
}

/** How many people are scored at once: bounds memory to batch * items * 4 bytes. */
const BATCH = 64

/**
 * A ranker over a scorer: leaves out what was seen and what is not allowed, keeps the k best, equal scores to
 * the smaller item number. Lets other work in between batches of people.
 * @throws from rank: OPTION_INVALID for a k that is no whole number of at least 1 or a mask of another length,
 *   NOT_FOUND for an item number outside the catalogue.
 */
export function rankerOf(scorer: Scorer): Ranker {
  const { name, itemCount } = scorer
  const rank = async (people: readonly Person[], options: RankOptions) => {
    checkRanking(people, options, name, itemCount)
    const rankings: Ranking[] = []
    for (let start = 0; start < people.length; start += BATCH) {
      const batch = people.slice(start, start + BATCH)
      const { data } = await scorer.scores(batch)
      for (let i = 0; i < batch.length; i++) {
        rankings.push(bestItems(data.subarray(i * itemCount, (i + 1) * itemCount), batch[i], options))
      }
      await new Promise((resolve) => setImmediate(resolve))
    }
    return rankings
  }
  return scorer.close === undefined
    ? { name, itemCount, rank }
    : { name, itemCount, rank, close: () => scorer.close!() }
}

/** The k best of one person's scores. `scores` is written to: what may not be ranked becomes NaN. */
export function bestItems(scores: Float32Array, person: Person, options: RankOptions): Ranking {
  if (options.excludeSeen !== false) for (const item of person.items) scores[item] = Number.NaN
  const items = topK(scores, options.k, options.allowed)
  return { items, scores: Float32Array.from(items, (item) => scores[item]) }
}

/** Throws if people, k or the mask do not fit a catalogue of `itemCount` items. */
export function checkRanking(
  people: readonly Person[],
  options: RankOptions,
  name: string,
  itemCount: number,
): void {
  const { k, allowed } = options
  if (!Number.isSafeInteger(k) || k < 1) {
    throw new TextrecError(
      'OPTION_INVALID',
      `${name}: k is ${k}.`,
      'It must be a whole number of at least 1.',
    )
  }
  if (allowed !== undefined && allowed.length !== itemCount) {
    throw new TextrecError(
      'OPTION_INVALID',
      `${name}: the mask covers ${allowed.length} items.`,
      `It must cover all ${itemCount}.`,
    )
  }
  for (const { items } of people) {
    for (const item of items) {
      if (item >= 0 && item < itemCount) continue
      throw new TextrecError(
        'NOT_FOUND',
        `${name}: there is no item number ${item}.`,
        `Item numbers run from 0 to ${itemCount - 1}.`,
      )
    }
  }
}

/** The rankings of many cases, each without its own `leaveOut`, at most k long. */
export async function rankCases(
  ranker: Ranker,
  cases: readonly TestCase[],
  k: number,
  allowed?: Uint8Array,
): Promise<Ranking[]> {
  // The interface has one mask for all people, so the ones to leave out are asked for and then dropped.
  const spare = cases.reduce((most, { leaveOut }) => Math.max(most, leaveOut?.length ?? 0), 0)
  const rankings = await ranker.rank(
    cases.map(({ person }) => person),
    { k: k + spare, allowed },
  )
  return rankings.map(({ items, scores }, i) => {
    const drop = new Set(cases[i].leaveOut)
    const kept = Array.from(items.keys()).filter((at) => !drop.has(items[at]))
    kept.length = Math.min(kept.length, k)
    return {
      items: Int32Array.from(kept, (at) => items[at]),
      scores: Float32Array.from(kept, (at) => scores[at]),
    }
  })
}

/** Mean NDCG@k by person: first over the cases of each person, then over people. 0 for no cases. */
export async function meanNdcg(ranker: Ranker, cases: readonly TestCase[], k: number): Promise<number> {
  const rankings = await rankCases(ranker, cases, k)
  const perPerson = averageByPerson(
    cases,
    rankings.map(({ items }, i) => ndcg(items, new Set(cases[i].targets), k)),
  ).values
  return perPerson.reduce((sum, value) => sum + value, 0) / Math.max(1, perPerson.length)
}

/** One value per person from one value per case, people in order of first appearance. */
export function averageByPerson(
  cases: readonly TestCase[],
  values: ArrayLike<number>,
): { readonly users: Int32Array; readonly values: Float64Array } {
  const sums = new Map<number, { sum: number; count: number }>()
  cases.forEach(({ user }, i) => {
    const entry = sums.get(user) ?? { sum: 0, count: 0 }
    entry.sum += values[i]
    entry.count++
    sums.set(user, entry)
  })
  return {
    users: Int32Array.from(sums.keys()),
    values: Float64Array.from(sums.values(), ({ sum, count }) => sum / count),
  }
}

/** One candidate of a parameter search and what validation said about it. */
export interface Trial<P> {
  readonly parameters: P
  readonly ndcg: number
}

/**
 * Fits every candidate on `context.fitting`, asks validation, and returns the best with all trials, for the
 * report. Equal figures go to the earlier candidate. Candidates are fitted one after the other and closed.
 */
export async function chooseParameters<P>(
  candidates: readonly P[],
  fit: (parameters: P, table: InteractionTable) => Promise<Ranker>,
  context: FitContext,
  k = 10,
): Promise<{ readonly best: P; readonly trials: Trial<P>[] }> {
  const trials: Trial<P>[] = []
  if (candidates.length === 1 || context.validation.length === 0) return { best: candidates[0], trials }
  for (const parameters of candidates) {
    const ranker = await fit(parameters, context.fitting)
    trials.push({ parameters, ndcg: await meanNdcg(ranker, context.validation, k) })
    await ranker.close?.()
  }
  const best = trials.reduce((winner, trial) => (trial.ndcg > winner.ndcg ? trial : winner))
  return { best: best.parameters, trials }
}
