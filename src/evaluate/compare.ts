import { TextrecError, throwIfAborted } from '../errors.js'
import { catalogueCoverage, exposure, gini, intraListDiversity, novelty } from '../math/metrics.js'
import {
  bootstrapMean,
  type Estimate,
  mean,
  type PairedDifference,
  pairedDifference,
} from '../math/statistics.js'
import { anything, integer, optional, resolveOptions, text } from '../options.js'
import { averageByPerson, type FitContext, type RankerRecipe, rankCases, type TestCase } from '../ranking.js'
import type { Matrix, OnProgress, Ranking } from '../types.js'
import { METRICS, type MetricName } from './case-metrics.js'
import { requireHonestSplit } from './held-out.js'
import { type Slice, slicesOf } from './slices.js'
import type { Split } from './split.js'
import { itemCounts } from './table.js'

export interface CompareOptions {
  /** The cut-off of the headline figures. */
  readonly k: number
  /** Further cut-offs for every metric. */
  readonly cutoffs: readonly number[]
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
  baseline: optional(text('')),
  seed: integer(1, 0),
  draws: integer(1000, 100),
  vectors: anything<Matrix | undefined>(undefined),
  signal: anything<AbortSignal | undefined>(undefined),
  onProgress: anything<OnProgress | undefined>(undefined),
}

/** 'ndcg@10' and its kind. */
export type Figures<T> = { readonly [metric: string]: T }

export interface RankerResult {
  readonly name: string
  /** Seconds to choose parameters and fit, and to rank all cases. */
  readonly fitSeconds: number
  readonly rankSeconds: number
  /** By person first, then the mean over people with its bootstrap interval. */
  readonly metrics: Figures<Estimate>
  /** The plain mean over all cases: weighs people by how many cases they have. */
  readonly byCase: Figures<number>
  /** About the lists as a whole, at k: coverage, gini, novelty (bits) and, with vectors, diversity. */
  readonly lists: Figures<number>
  readonly slices: readonly SliceResult[]
  /** Against the baseline; absent for the baseline itself. */
  readonly difference?: Figures<PairedDifference>
}

export interface SliceResult {
  /** What is sliced ('target', 'popularity', 'history') and which part of it. */
  readonly by: string
  readonly slice: string
  readonly people: number
  readonly cases: number
  readonly metrics: Figures<Estimate>
}

export interface Comparison {
  readonly split: {
    readonly name: string
    readonly people: number
    readonly cases: number
    readonly items: number
    readonly trainingInteractions: number
    readonly notes: readonly string[]
  }
  readonly k: number
  readonly seed: number
  readonly baseline: string
  readonly results: readonly RankerResult[]
  /** [ranker][person] NDCG@k in the order of `results`, for plots and for comparisons with other runs. */
  readonly ndcgByPerson: readonly (readonly number[])[]
}

/**
 * Fits each recipe on the split and measures it: rankings over the whole catalogue, equal scores to the smaller
 * item number (which knows nothing of targets), metrics per person, paired differences to the baseline.
 * @throws LEAK_FOUND before anything is fitted if the split is not honest; OPTION_INVALID for a baseline that is
 *   not among the recipes; ABORTED.
 */
export async function compareRankers(
  split: Split,
  recipes: readonly RankerRecipe[],
  given: Partial<CompareOptions> = {},
): Promise<Comparison> {
  const options = resolveOptions<CompareOptions>('compareRankers', table, given)
  const baseline = options.baseline ?? recipes[0]?.name
  if (!recipes.some(({ name }) => name === baseline)) {
    throw new TextrecError(
      'OPTION_INVALID',
      `The baseline '${baseline}' is not among the rankers.`,
      `They are ${recipes.map(({ name }) => name).join(', ')}.`,
    )
  }
  requireHonestSplit(split)
  const slices = slicesOf(split)
  const measured: Measured[] = []
  for (const [i, recipe] of recipes.entries()) {
    throwIfAborted(options.signal, 'The evaluation')
    options.onProgress?.({ stage: recipe.name, done: i, total: recipes.length, unit: 'rankers' })
    measured.push(await measure(recipe, split, slices, options))
  }
  options.onProgress?.({ stage: 'done', done: recipes.length, total: recipes.length, unit: 'rankers' })
  const reference = measured.find(({ result }) => result.name === baseline)!
  return {
    split: {
      name: split.name,
      people: new Set(split.test.map(({ user }) => user)).size,
      cases: split.test.length,
      items: split.table.itemIds.length,
      trainingInteractions: split.training.users.length,
      notes: split.notes,
    },
    k: options.k,
    seed: options.seed,
    baseline,
    results: measured.map((one) =>
      one === reference ? one.result : { ...one.result, difference: differences(one, reference, options) },
    ),
    ndcgByPerson: measured.map(({ perPerson }) => Array.from(perPerson.get(`ndcg@${options.k}`)!)),
  }
}

interface Measured {
  readonly result: RankerResult
  /** By metric, one value per person, people in the same order for every ranker. */
  readonly perPerson: ReadonlyMap<string, Float64Array>
}

async function measure(
  recipe: RankerRecipe,
  split: Split,
  slices: readonly Slice[],
  options: CompareOptions,
): Promise<Measured> {
  const { k, seed, signal, onProgress } = options
  const cutoffs = [...new Set([k, ...options.cutoffs])].sort((a, b) => a - b)
  const { training, fitting, validation } = split
  const context: FitContext = { training, fitting, validation, seed, signal, onProgress }
  const start = performance.now()
  const ranker = await recipe.fit(context)
  const fitted = performance.now()
  try {
    const rankings = await rankCases(ranker, split.test, Math.max(...cutoffs))
    const ranked = performance.now()
    const perPerson = new Map<string, Float64Array>()
    const metrics: { [metric: string]: Estimate } = {}
    const byCase: { [metric: string]: number } = {}
    for (const [metric, values] of caseValues(rankings, split.test, cutoffs)) {
      const { values: people } = averageByPerson(split.test, values)
      perPerson.set(metric, people)
      metrics[metric] = bootstrapMean(people, options)
      byCase[metric] = mean(values)
    }
    const result: RankerResult = {
      name: recipe.name,
      fitSeconds: (fitted - start) / 1000,
      rankSeconds: (ranked - fitted) / 1000,
      metrics,
      byCase,
      lists: listFigures(rankings, split, options),
      slices: slices.map((slice) => sliceResult(slice, rankings, options)),
    }
    return { result, perPerson }
  } finally {
    await ranker.close?.()
  }
}

/** Every metric at every cut-off, one value per case. */
function caseValues(
  rankings: readonly Ranking[],
  cases: readonly TestCase[],
  cutoffs: readonly number[],
): Map<string, Float64Array> {
  const targets = cases.map((one) => new Set(one.targets))
  const values = new Map<string, Float64Array>()
  for (const cutoff of cutoffs) {
    for (const name of Object.keys(METRICS) as MetricName[]) {
      const measureOne = METRICS[name]
      values.set(
        `${name}@${cutoff}`,
        Float64Array.from(rankings, ({ items }, i) => measureOne(items, targets[i], cutoff)),
      )
    }
  }
  return values
}

function listFigures(
  rankings: readonly Ranking[],
  split: Split,
  { k, vectors }: CompareOptions,
): Figures<number> {
  const lists = rankings.map(({ items }) => items)
  const itemCount = split.table.itemIds.length
  const holders = itemCounts(split.training)
  const people = new Set(split.training.users).size
  return {
    coverage: catalogueCoverage(lists, itemCount, k),
    gini: gini(exposure(lists, itemCount, k)),
    novelty: mean(lists.map((list) => novelty(list, holders, people, k))),
    ...(vectors === undefined
      ? {}
      : { diversity: mean(lists.map((list) => intraListDiversity(list, vectors, k))) }),
  }
}

/** The same rankings, asked only for the slice's cases and targets. */
function sliceResult(slice: Slice, rankings: readonly Ranking[], options: CompareOptions): SliceResult {
  const cases = slice.cases.map(({ one }) => one)
  const lists = slice.cases.map(({ index }) => rankings[index])
  const metrics: { [metric: string]: Estimate } = {}
  let people = 0
  for (const [metric, values] of caseValues(lists, cases, [options.k])) {
    const perPerson = averageByPerson(cases, values).values
    people = perPerson.length
    metrics[metric] = bootstrapMean(perPerson, options)
  }
  return { by: slice.by, slice: slice.name, people, cases: cases.length, metrics }
}

function differences(one: Measured, reference: Measured, options: CompareOptions): Figures<PairedDifference> {
  const found: { [metric: string]: PairedDifference } = {}
  for (const [metric, values] of one.perPerson) {
    found[metric] = pairedDifference(values, reference.perPerson.get(metric)!, options)
  }
  return found
}
