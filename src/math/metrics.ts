import type { Matrix } from '../types.js'
import { row } from './matrix.js'

// Ranking metrics for one list, and figures about many lists. `ranked` is best first, without repeats;
// `relevant` is what should have been found; `k` is how far down one looks. All lie in [0, 1] unless stated,
// and all are 0 for an empty list. Someone with nothing relevant has no metrics: leave them out.

type List = ArrayLike<number>
type Relevant = ReadonlySet<number>

/** |top k ∩ relevant| / |relevant|: how much of what was to be found was found. */
export function recall(ranked: List, relevant: Relevant, k: number): number {
  return hits(ranked, relevant, k) / relevant.size
}

/** 1 if anything relevant is among the top k, otherwise 0. */
export function hitRate(ranked: List, relevant: Relevant, k: number): number {
  return hits(ranked, relevant, k) > 0 ? 1 : 0
}

/**
 * DCG@k / IDCG@k with binary gains: DCG = sum over relevant ranks r <= k of 1 / log2(r + 1), IDCG = the DCG of a
 * list that starts with min(k, |relevant|) relevant items (Järvelin & Kekäläinen 2002).
 */
export function ndcg(ranked: List, relevant: Relevant, k: number): number {
  let gain = 0
  for (let i = 0; i < Math.min(k, ranked.length); i++) if (relevant.has(ranked[i])) gain += discount(i)
  let ideal = 0
  for (let i = 0; i < Math.min(k, relevant.size); i++) ideal += discount(i)
  return gain / ideal
}

/** 1 / rank of the first relevant item, 0 if none is among the top k (Voorhees 1999). */
export function reciprocalRank(ranked: List, relevant: Relevant, k: number): number {
  for (let i = 0; i < Math.min(k, ranked.length); i++) if (relevant.has(ranked[i])) return 1 / (i + 1)
  return 0
}

/**
 * AP@k = (1 / min(k, |relevant|)) * sum over relevant ranks r <= k of (relevant items in the top r) / r
 * (Manning, Raghavan & Schütze 2008, section 8.4, cut off at k). Its mean over people is MAP.
 */
export function averagePrecision(ranked: List, relevant: Relevant, k: number): number {
  let found = 0
  let sum = 0
  for (let i = 0; i < Math.min(k, ranked.length); i++) {
    if (!relevant.has(ranked[i])) continue
    found++
    sum += found / (i + 1)
  }
  return sum / Math.min(k, relevant.size)
}

/** Share of the catalogue that is in at least one top k. */
export function catalogueCoverage(lists: readonly List[], itemCount: number, k: number): number {
  return itemCount === 0 ? 0 : exposure(lists, itemCount, k).filter((count) => count > 0).length / itemCount
}

/** [itemCount] in how many of the lists' top k each item is. */
export function exposure(lists: readonly List[], itemCount: number, k: number): Float64Array {
  const counts = new Float64Array(itemCount)
  for (const list of lists) for (let i = 0; i < Math.min(k, list.length); i++) counts[list[i]]++
  return counts
}

/**
 * Gini coefficient of non-negative counts: 0 when all are equal, (n - 1) / n when one has everything.
 * G = sum over i of (2i - n - 1) x_i / (n * sum x), x ascending, i from 1 (Dixon et al. 1987).
 */
export function gini(counts: Float64Array): number {
  const sorted = counts.slice().sort()
  const n = sorted.length
  let weighted = 0
  let sum = 0
  for (let i = 0; i < n; i++) {
    weighted += (2 * (i + 1) - n - 1) * sorted[i]
    sum += sorted[i]
  }
  return sum === 0 ? 0 : weighted / (n * sum)
}

/**
 * Mean self-information of the top k in bits: -log2(people who have the item / people), at least 0, unbounded
 * (Zhou et al. 2010). An item that nobody has counts as one that one person has, since log2(0) is not a number.
 */
export function novelty(ranked: List, holders: ArrayLike<number>, people: number, k: number): number {
  const size = Math.min(k, ranked.length)
  if (size === 0) return 0
  let bits = 0
  for (let i = 0; i < size; i++) bits -= Math.log2(Math.max(1, holders[ranked[i]]) / Math.max(1, people))
  return bits / size
}

/**
 * Mean over the pairs of the top k of 1 - cosine (Ziegler et al. 2005), in [0, 2]; 0 for fewer than two items.
 * @param vectors unit rows, one per item.
 */
export function intraListDiversity(ranked: List, vectors: Matrix, k: number): number {
  const size = Math.min(k, ranked.length)
  if (size < 2) return 0
  // The sum of all pairs' cosines is (|sum of the vectors|^2 - sum of |vector|^2) / 2.
  const sum = new Float64Array(vectors.dim)
  let squares = 0
  for (let i = 0; i < size; i++) {
    const vector = row(vectors, ranked[i])
    for (let d = 0; d < vector.length; d++) {
      sum[d] += vector[d]
      squares += vector[d] * vector[d]
    }
  }
  const pairs = (size * (size - 1)) / 2
  const cosines = (sum.reduce((total, value) => total + value * value, 0) - squares) / 2
  return 1 - cosines / pairs
}

function hits(ranked: List, relevant: Relevant, k: number): number {
  let found = 0
  for (let i = 0; i < Math.min(k, ranked.length); i++) if (relevant.has(ranked[i])) found++
  return found
}

/** What a relevant item at index i (rank i + 1) is worth. */
function discount(i: number): number {
  return 1 / Math.log2(i + 2)
}
