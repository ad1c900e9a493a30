import { mean } from '../math/statistics.js'
import { BLEND_SHARES, type Blend, NEIGHBOUR_COUNTS } from './blend.js'

/** What validation chooses from: every share for warm items, for cold items, and every cold path. */
export const BLENDS: readonly Blend[] = NEIGHBOUR_COUNTS.flatMap((neighbours) =>
  BLEND_SHARES.flatMap((warm) => BLEND_SHARES.map((cold) => ({ warm, cold, neighbours }))),
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
 * The blend that is best for cold items among those that cost nothing elsewhere. Cold items could always be
 * found more often by ranking all of them higher, and the right answers among the warm ones would pay for it:
 * so the NDCG@10 on validation may not be worse than the best one by more than one standard error of their
 * paired difference (the one-standard-error rule of Breiman et al. 1984, paired).
 * @param ndcg per blend one value per person, people in the same order; `coldRecall` alike, on other people
 */
export function chooseBlend(
  blends: readonly Blend[],
  ndcg: readonly Float64Array[],
  coldRecall: readonly Float64Array[],
): { readonly chosen: Blend; readonly trials: readonly BlendTrial[] } {
  const trials = blends.map((blend, i) => ({
    blend,
    ndcg: mean(ndcg[i]),
    coldRecall: coldRecall[i].length === 0 ? 0 : mean(coldRecall[i]),
  }))
  const best = trials.reduce((top, trial, i) => (trial.ndcg > trials[top].ndcg ? i : top), 0)
  let chosen = best
  for (const [i, trial] of trials.entries()) {
    if (trial.coldRecall > trials[chosen].coldRecall && withinOneError(ndcg[best], ndcg[i])) chosen = i
  }
  return { chosen: blends[chosen], trials }
}

function withinOneError(best: Float64Array, other: Float64Array): boolean {
  const differences = best.map((value, i) => value - other[i])
  const centre = mean(differences)
  const squares = differences.reduce((sum, difference) => sum + (difference - centre) ** 2, 0)
  const count = differences.length
  return centre <= Math.sqrt(squares / Math.max(1, count - 1) / count)
}
