import { mean } from '../math/statistics.js'
import {
  BLEND_SHARES,
  type Blend,
  type BlendPath,
  type BlendShares,
  MEAN_SHARES,
  NEIGHBOUR_COUNTS,
} from './blend.js'

/** Every pair of shares, for warm and for cold items. */
export const SHARES: readonly BlendShares[] = BLEND_SHARES.flatMap((warm) =>
  BLEND_SHARES.map((cold) => ({ warm, cold })),
)

/** Every path for cold items and every kind of person. */
export const PATHS: readonly BlendPath[] = NEIGHBOUR_COUNTS.flatMap((neighbours) =>
  MEAN_SHARES.map((share) => ({ neighbours, mean: share })),
)

/** What validation chooses from. */
export const BLENDS: readonly Blend[] = PATHS.flatMap((path) =>
  SHARES.map((shares) => ({ ...shares, ...path })),
)

/** One blend and what validation said about it. */
export interface BlendTrial {
  readonly blend: Blend
  /** NDCG@10 on validation, warm and cold items ranked together. */
  readonly ndcg: number
  /** Recall@10 of items hidden on purpose, ranked together with the others. */
  readonly coldRecall: number
}

/**
 * Chooses in two steps. First, only blends count that find cold items at least as often as whitened text alone
 * does (all of them, where none does): a better list of warm items must not be paid for by the cold ones. Then,
 * of those whose NDCG@10 is not worse than the best one's by more than one standard error of their paired
 * difference (the one-standard-error rule of Breiman et al. 1984, paired), the best one for cold items: these
 * could always be found more often by ranking all of them higher, and the warm ones would pay for that.
 * @param ndcg per blend one value per person, people in the same order; `coldRecall` alike, on other people
 * @param textRecall what text alone reaches where `coldRecall` was measured
 */
export function chooseBlend(
  blends: readonly Blend[],
  ndcg: readonly Float64Array[],
  coldRecall: readonly Float64Array[],
  textRecall: number,
): { readonly chosen: Blend; readonly trials: readonly BlendTrial[] } {
  const trials = blends.map((blend, i) => ({
    blend,
    ndcg: mean(ndcg[i]),
    coldRecall: coldRecall[i].length === 0 ? 0 : mean(coldRecall[i]),
  }))
  const safe = trials.filter((trial) => trial.coldRecall >= textRecall)
  const eligible = safe.length > 0 ? safe : trials
  const best = eligible.reduce((top, trial) => (trial.ndcg > top.ndcg ? trial : top))
  const bestNdcg = ndcg[trials.indexOf(best)]
  const chosen = eligible
    .filter((trial) => withinOneError(bestNdcg, ndcg[trials.indexOf(trial)]))
    .reduce((top, trial) => (trial.coldRecall > top.coldRecall ? trial : top), best)
  return { chosen: chosen.blend, trials }
}

function withinOneError(best: Float64Array, other: Float64Array): boolean {
  const differences = best.map((value, i) => value - other[i])
  const centre = mean(differences)
  const squares = differences.reduce((sum, difference) => sum + (difference - centre) ** 2, 0)
  const count = differences.length
  return centre <= Math.sqrt(squares / Math.max(1, count - 1) / count)
}
