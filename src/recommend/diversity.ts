import { dot } from '../math/matrix.js'

/** Something that may be recommended, with what the rules look at. */
export interface Candidate {
  readonly key: number
  readonly score: number
  /** [dim] unit vector; undefined for an item without text, which is then like nothing else. */
  readonly vector: Float32Array | undefined
}

/**
 * Maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998): picks one after the other, each the best by
 *   (1 - diversity) * relevance - diversity * likeness to the most alike one already picked,
 * relevance being the score scaled to [0, 1] over the candidates. 0 keeps the order of the scores.
 * Equal values go to the earlier candidate. O(k * candidates * dim).
 * @param candidates best first
 * @param admits asked before each pick with the picks so far; false passes a candidate over for good
 */
export function diversify(
  candidates: readonly Candidate[],
  k: number,
  diversity: number,
  admits: (candidate: Candidate, picked: readonly Candidate[]) => boolean = () => true,
): Candidate[] {
  const picked: Candidate[] = []
  if (diversity === 0) {
    for (const candidate of candidates) {
      if (picked.length === k) break
      if (admits(candidate, picked)) picked.push(candidate)
    }
    return picked
  }
  const left = new Set(candidates.keys())
  const highest = candidates.reduce((max, { score }) => Math.max(max, score), Number.NEGATIVE_INFINITY)
  const lowest = candidates.reduce((min, { score }) => Math.min(min, score), Number.POSITIVE_INFINITY)
  const scale = highest > lowest ? highest - lowest : 1
  const likeness = new Float64Array(candidates.length)
  while (picked.length < k && left.size > 0) {
    let best = -1
    let bestValue = Number.NEGATIVE_INFINITY
    for (const i of left) {
      const relevance = (candidates[i].score - lowest) / scale
      const value = (1 - diversity) * relevance - diversity * likeness[i]
      if (value > bestValue) {
        best = i
        bestValue = value
      }
    }
    left.delete(best)
    if (!admits(candidates[best], picked)) continue
    picked.push(candidates[best])
    for (const i of left) {
      const a = candidates[i].vector
      const b = candidates[best].vector
      if (a !== undefined && b !== undefined) likeness[i] = Math.max(likeness[i], dot(a, b))
    }
  }
  return picked
}
