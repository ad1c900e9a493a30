import { TextrecError, throwIfAborted } from '../errors.js'
import { WorkerClient } from '../onnx/worker-client.js'
import {
  chooseParameters,
  type FitContext,
  meanNdcg,
  type RankerRecipe,
  rankerOf,
  type Trial,
} from '../ranking.js'
import type { InteractionTable, OnProgress } from '../types.js'
import { type NeighbourLists, nearestOnly } from './neighbours.js'
import { distinctPairs } from './pairs.js'
import {
  type CollaborativeParameters,
  type CollaborativeScorer,
  EaseScorer,
  NeighbourScorer,
} from './scorer.js'
import type { EaseRequest, NeighbourRequest } from './worker.js'

/** EASE keeps a weight for each pair of warm items: 4 bytes each to keep and 12 while they are made. */
export const EASE_MOST_ITEMS = 10_000
/** The candidates that validation chooses from. */
export const EASE_LAMBDAS = [5, 10, 20, 50, 100, 200, 500, 1000] as const
export const NEIGHBOUR_COUNTS = [20, 50, 100, 200, 1000, 5000] as const
export const NEIGHBOUR_SHRINKAGES = [0, 5, 10, 20, 50, 100, 200, 500] as const
export const RECENCIES = [0.9, 0.8, 0.7, 0.6, 0.4] as const
/** Shrinkages are compared at this number of neighbours first. */
const FIRST_COUNT = 100
/** Lists longer than this are tried in catalogues of at most EASE_MOST_ITEMS only: they take 8 bytes an entry. */
const LONG_LIST = 1000

/** 'auto' lets validation choose, among both where the catalogue is small enough for EASE. */
export type CollaborativeKind = 'auto' | 'ease' | 'neighbours'

export interface FitOptions {
  readonly signal?: AbortSignal
  readonly onProgress?: OnProgress
  /** Threads for EASE; 0 lets ONNX Runtime choose. Default 0. */
  readonly threads?: number
}

export interface FittedCollaborative {
  readonly scorer: CollaborativeScorer
  /** Every candidate and its NDCG@10 on validation; empty where there was nothing to choose by. */
  readonly trials: readonly Trial<CollaborativeParameters>[]
}

/**
 * Fits a scorer with given parameters. Computes in a worker thread.
 * @throws NOT_ENOUGH_DATA without interactions, OPTION_INVALID for EASE over EASE_MOST_ITEMS, ABORTED.
 */
export async function fitScorer(
  table: InteractionTable,
  parameters: CollaborativeParameters,
  options: FitOptions = {},
): Promise<CollaborativeScorer> {
  return withFitter(options, (fitter) => fitter.fit(table, parameters))
}

export interface ChooseOptions {
  /** Threads for EASE; 0 lets ONNX Runtime choose. Default 0. */
  readonly threads?: number
  /** Let validation weigh newer items of a history more. Default: with 'auto' only, the others are as published. */
  readonly recency?: boolean
}

/**
 * Chooses the kind and its parameters by NDCG@10 on `context.validation`, then fits on all of training: lambda
 * and shrinkage first, then the number of neighbours, the shrinkage once more at that number, then the recency of
 * the winner. Without validation cases,
 * EASE with lambda 100 or, in large catalogues, 100 neighbours with shrinkage 10.
 */
export async function fitCollaborative(
  context: FitContext,
  kind: CollaborativeKind = 'auto',
  { threads, recency = kind === 'auto' }: ChooseOptions = {},
): Promise<FittedCollaborative> {
  const { signal, onProgress, validation, fitting, training } = context
  return withFitter({ threads, signal, onProgress }, async (fitter) => {
    const fit = async (parameters: CollaborativeParameters, table: InteractionTable) =>
      rankerOf(await fitter.fit(table, parameters))
    const { best, trials } = await chooseParameters(firstCandidates(kind, context), fit, context)
    for (const more of [otherCounts, otherShrinkages]) {
      const candidates = more(trials, training)
      if (candidates.length > 0) trials.push(...(await chooseParameters(candidates, fit, context)).trials)
    }
    // A search of one candidate, or without validation, has no trials: then the first candidate it is.
    const winner = bestOf(trials)?.parameters ?? best
    if (recency && validation.length > 0 && training.timeKind !== 'none') {
      const scorer = await fitter.fit(fitting, winner)
      for (const candidate of RECENCIES) {
        const ndcg = await meanNdcg(rankerOf(scorer.withRecency(candidate)), validation, 10)
        trials.push({ parameters: { ...winner, recency: candidate }, ndcg })
      }
    }
    return { scorer: await fitter.fit(training, bestOf(trials)?.parameters ?? best), trials }
  })
}

/** The earliest of the best. */
function bestOf(
  trials: readonly Trial<CollaborativeParameters>[],
): Trial<CollaborativeParameters> | undefined {
  let best: Trial<CollaborativeParameters> | undefined
  for (const trial of trials) if (best === undefined || trial.ndcg > best.ndcg) best = trial
  return best
}

/**
 * The baseline 'ease' or 'item-knn', or whichever validation prefers. With `recency` they are 'ease-recent' and
 * 'item-knn-recent', which see newer items of a history more clearly than older ones.
 */
export function collaborativeRecipe(kind: CollaborativeKind, options: ChooseOptions = {}): RankerRecipe {
  const recent = options.recency === true ? '-recent' : ''
  const name = { auto: 'collaborative', ease: `ease${recent}`, neighbours: `item-knn${recent}` }[kind]
  return {
    name,
    seedless: true,
    fit: async (context) => {
      const { scorer } = await fitCollaborative(context, kind, options)
      return { ...rankerOf(scorer), name }
    },
  }
}

/** Every lambda, and every shrinkage at one number of neighbours; without validation the standard choice. */
function firstCandidates(
  kind: CollaborativeKind,
  { training, validation }: FitContext,
): CollaborativeParameters[] {
  const lambdas = validation.length === 0 ? [100] : EASE_LAMBDAS
  const shrinkages = validation.length === 0 ? [10] : NEIGHBOUR_SHRINKAGES
  const ease = lambdas.map((lambda) => ({ kind: 'ease', lambda, recency: 1 }) as const)
  const neighbours = shrinkages.map(
    (shrinkage) => ({ kind: 'neighbours', count: FIRST_COUNT, shrinkage, recency: 1 }) as const,
  )
  if (kind === 'ease') return ease
  const fits = kind === 'auto' && new Set(training.items).size <= EASE_MOST_ITEMS
  return fits ? [...ease, ...neighbours] : neighbours
}

type NeighbourParameters = Extract<CollaborativeParameters, { kind: 'neighbours' }>

/** The other numbers of neighbours, at the shrinkage that did best. */
function otherCounts(
  trials: readonly Trial<CollaborativeParameters>[],
  { items }: InteractionTable,
): NeighbourParameters[] {
  const best = bestNeighbours(trials)
  if (best === undefined) return []
  return NEIGHBOUR_COUNTS.filter((count) => count !== FIRST_COUNT && count <= longestList(items)).map(
    (count) => ({ ...best, count }),
  )
}

/** The other shrinkages at the number of neighbours that did best, where that is not what they were tried with. */
function otherShrinkages(trials: readonly Trial<CollaborativeParameters>[]): NeighbourParameters[] {
  const best = bestNeighbours(trials)
  if (best === undefined || best.count === FIRST_COUNT) return []
  return NEIGHBOUR_SHRINKAGES.filter((shrinkage) => shrinkage !== best.shrinkage).map((shrinkage) => ({
    ...best,
    shrinkage,
  }))
}

function bestNeighbours(trials: readonly Trial<CollaborativeParameters>[]): NeighbourParameters | undefined {
  const best = bestOf(trials.filter(({ parameters }) => parameters.kind === 'neighbours'))
  return best?.parameters as NeighbourParameters | undefined
}

function longestList(items: Int32Array): number {
  return new Set(items).size <= EASE_MOST_ITEMS ? Math.max(...NEIGHBOUR_COUNTS) : LONG_LIST
}

async function withFitter<T>(options: FitOptions, use: (fitter: Fitter) => Promise<T>): Promise<T> {
  const fitter = new Fitter(options)
  try {
    return await use(fitter)
  } finally {
    await fitter.close()
  }
}

/** One worker thread for a series of fits. */
class Fitter {
  private readonly worker = new WorkerClient(
    new URL('./worker.js', import.meta.url),
    'Learning item-item scores',
  )
  /** The last full neighbour lists: shorter ones of the same table and shrinkage are cut from them. */
  private full: { table: InteractionTable; shrinkage: number; lists: NeighbourLists } | undefined

  constructor(private readonly options: FitOptions) {}

  async fit(table: InteractionTable, parameters: CollaborativeParameters): Promise<CollaborativeScorer> {
    const pairs = distinctPairs(table)
    const { warm, itemCount } = pairs
    if (parameters.kind === 'ease') {
      if (warm.length > EASE_MOST_ITEMS) {
        throw new TextrecError(
          'OPTION_INVALID',
          `EASE was asked for ${warm.length} items with interactions.`,
          `It can do ${EASE_MOST_ITEMS}; use 'neighbours' or 'auto'.`,
        )
      }
      const request: EaseRequest = {
        starts: pairs.starts,
        items: pairs.items,
        warmCount: warm.length,
        lambda: parameters.lambda,
        threads: this.options.threads ?? 0,
      }
      const weights = await this.call<EaseRequest, Float32Array>('ease', request)
      return new EaseScorer(warm, itemCount, weights, parameters)
    }
    const { count, shrinkage } = parameters
    if (this.full?.table !== table || this.full.shrinkage !== shrinkage) {
      const request: NeighbourRequest = {
        starts: pairs.starts,
        items: pairs.items,
        warmCount: warm.length,
        count: Math.max(count, longestList(table.items)),
        shrinkage,
      }
      this.full = { table, shrinkage, lists: await this.call('neighbours', request) }
    }
    return new NeighbourScorer(warm, itemCount, nearestOnly(this.full.lists, count), parameters)
  }

  close(): Promise<void> {
    return this.worker.close()
  }

  private async call<A, R>(method: string, request: A): Promise<R> {
    const { signal, onProgress } = this.options
    const result = await this.worker.call<A, R, number>(method, request, {
      signal,
      onProgress: (share) =>
        onProgress?.({ stage: 'item-item scores', done: Math.round(share * 100), total: 100, unit: 'steps' }),
    })
    // The worker may have been done before it was told.
    throwIfAborted(signal, 'Learning item-item scores')
    return result
  }
}
