import { normalize } from '../math/matrix.js'
import { random } from '../math/random.js'
import type { Matrix } from '../types.js'
import { ROWS_PER_CANDIDATE } from './hnsw-index.js'
import type { Neighbours, VectorIndex } from './types.js'

/** recall@10 against exact search that an hnsw index must reach on its own vectors to be published. */
export const RECALL_BAR = 0.99
const RECALL_AT = 10
/** Aimed above the bar while tuning, so that the measurement on other queries stays above it. */
const AIM_ABOVE = 0.004
const TUNING_QUERIES = 200
const CHECK_QUERIES = 300
/** The candidates for ef: as far as a graph is faster than looking at every row. */
const LADDER = [32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024]

export interface Tuned {
  readonly ef: number
  /** On queries that ef was not chosen on. */
  readonly recall: number
}

/**
 * Finds the smallest ef of good recall on seeded queries, and measures it on others.
 * @param bar the recall to reach; the best there is comes back where none does.
 */
export async function tuneEf(
  index: VectorIndex,
  exact: VectorIndex,
  seed: number,
  bar: number,
): Promise<Tuned> {
  const vectors = exact.entries().vectors
  const tuning = sampleQueries(vectors, TUNING_QUERIES, seed)
  const check = sampleQueries(vectors, CHECK_QUERIES, seed + 1)
  const tuningTruth = await exact.searchMany(tuning, RECALL_AT)
  const checkTruth = await exact.searchMany(check, RECALL_AT)
  const ladder = LADDER.filter((ef) => ef === LADDER[0] || ef * ROWS_PER_CANDIDATE < exact.size)
  const aim = Math.min(1, bar + AIM_ABOVE)
  let tuned: Tuned = { ef: 0, recall: 0 }
  for (const ef of ladder) {
    const recall = recallOf(await index.searchMany(tuning, RECALL_AT, { ef }), tuningTruth)
    if (recall < aim && ef !== ladder[ladder.length - 1]) continue
    tuned = { ef, recall: recallOf(await index.searchMany(check, RECALL_AT, { ef }), checkTruth) }
    if (tuned.recall >= bar) break
  }
  return tuned
}

/**
 * Questions as they come up, a quarter of each: an item of the index itself (similar items), one moved aside by a
 * little noise (an item like it) or by noise of its own length (a text that resembles it from afar), and the mean
 * of two (a person who likes both). The last two lie away from all items, which is the hardest for a graph.
 */
export function sampleQueries({ data, rows, dim }: Matrix, count: number, seed: number): Matrix {
  const source = random(seed)
  const queries = new Float32Array(rows === 0 ? 0 : count * dim)
  for (let i = 0; i < queries.length / dim; i++) {
    const query = queries.subarray(i * dim, (i + 1) * dim)
    const first = source.integer(rows) * dim
    const second = source.integer(rows) * dim
    for (let j = 0; j < dim; j++) {
      query[j] = data[first + j]
      if (i % 4 === 1) query[j] += (0.4 * source.normal()) / Math.sqrt(dim)
      if (i % 4 === 2) query[j] += source.normal() / Math.sqrt(dim)
      if (i % 4 === 3) query[j] += data[second + j]
    }
    normalize(query)
  }
  return { data: queries, rows: queries.length / dim, dim }
}

/**
 * The share of true neighbours that were found. One of equal score counts as found: which of several identical
 * vectors is named makes no difference.
 */
export function recallOf(found: readonly Neighbours[], truth: readonly Neighbours[]): number {
  let hits = 0
  let wanted = 0
  truth.forEach(({ scores }, i) => {
    const floor = scores[scores.length - 1] - 1e-6
    hits += Math.min(scores.length, found[i].scores.filter((score) => score >= floor).length)
    wanted += scores.length
  })
  return wanted === 0 ? 1 : hits / wanted
}
