import type { Estimate, PairedDifference } from '../math/statistics.js'
import type { MetricName } from './case-metrics.js'

/** 'ndcg@10' and its kind; where a split hides items also 'ndcgAmongHidden@10', of rankings of those alone. */
export type Figures<T> = { readonly [metric: string]: T }

/** What one ranker is worth; over several seeds, a person's figure is the mean of theirs under each seed. */
export interface RankerResult {
  readonly name: string
  /** Seconds to choose parameters and fit, and to rank all cases; added up over seeds. */
  readonly fitSeconds: number
  readonly rankSeconds: number
  /** By person first, then the mean over people with its bootstrap interval. */
  readonly metrics: Figures<Estimate>
  /**
   * The mean over all cases, which weighs people by how many cases they have; its interval is drawn over people
   * all the same. Differs from `metrics` where somebody has several cases.
   */
  readonly byCase: Figures<Estimate>
  /** About the lists as a whole, at k: coverage, gini, novelty (bits) and, with vectors, diversity. */
  readonly lists: Figures<number>
  readonly slices: readonly SliceResult[]
  /** Against the baseline on the same people; absent for the baseline itself. */
  readonly difference?: Figures<PairedDifference>
  /** The same, over cases. */
  readonly differenceByCase?: Figures<PairedDifference>
}

export interface SliceResult {
  /** What is sliced ('target', 'popularity', 'history') and which part of it. */
  readonly by: string
  readonly slice: string
  readonly people: number
  readonly cases: number
  readonly metrics: Figures<Estimate>
}

/** What one seed says by itself. */
export interface SeedRun {
  readonly seed: number
  readonly people: number
  readonly cases: number
  readonly trainingInteractions: number
  readonly notes: readonly string[]
  readonly results: readonly SeedResult[]
}

export type SeedResult = Omit<RankerResult, 'slices'>

export interface Comparison {
  readonly split: {
    readonly name: string
    /** Who was tested under any of the seeds. */
    readonly people: number
    /** Rankings, over all seeds. */
    readonly cases: number
    readonly items: number
    /** Under the first seed. */
    readonly trainingInteractions: number
    readonly notes: readonly string[]
  }
  readonly k: number
  /** What the headline, the plots and the slices show. */
  readonly metric: MetricName
  /** Decides the bootstrap draws: the first of `seeds`. */
  readonly seed: number
  readonly seeds: readonly number[]
  readonly baseline: string
  /** All seeds together. */
  readonly results: readonly RankerResult[]
  /** Each seed by itself. */
  readonly runs: readonly SeedRun[]
  /** [ranker][person] NDCG@k in the order of `results`, for plots and for comparisons with other runs. */
  readonly ndcgByPerson: readonly (readonly number[])[]
}
