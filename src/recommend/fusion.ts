import { topK } from '../math/top-k.js'
import type { Scored } from './answers.js'

/** A list and how much it counts. */
export interface Weighted {
  readonly list: Scored
  readonly weight: number
}

/**
 * Reciprocal rank fusion: score(i) = sum over lists of weight / (offset + rank of i in the list), ranks from 1,
 * nothing where a list lacks i. Needs no common scale. (Cormack, Clarke, Buettcher, SIGIR 2009; offset 60.)
 * Equal scores go to the smaller key.
 */
export function reciprocalRankFusion(lists: readonly Weighted[], k: number, offset = 60): Scored {
  const scores = new Map<number, number>()
  for (const { list, weight } of lists) {
    list.keys.forEach((key, i) => {
      scores.set(key, (scores.get(key) ?? 0) + weight / (offset + i + 1))
    })
  }
  const keys = Int32Array.from(scores.keys()).sort()
  const fused = Float32Array.from(keys, (key) => scores.get(key) as number)
  const best = topK(fused, k)
  return { keys: best.map((i) => keys[i]), scores: Float32Array.from(best, (i) => fused[i]) }
}
