import { Best } from './best.js'
import type { Block, BlockScores } from './block.js'
import type { RowFilter } from './filter.js'
import { CHUNK } from './quantize.js'
import type { Rows } from './rows.js'

/** Float32 arithmetic of the approximate score, relative to vectors of length 1. */
const ROUNDING = 2e-6

/** The approximate scores of one query in one block. */
export interface Part {
  readonly block: Block
  readonly scores: Float32Array
  readonly peaks: Float32Array
}

export function partOf(block: Block, { scores, peaks }: BlockScores, query: number): Part {
  const { padded } = block.quantized
  const chunks = padded / CHUNK
  return {
    block,
    scores: scores.subarray(query * padded, (query + 1) * padded),
    peaks: peaks.subarray(query * chunks, (query + 1) * chunks),
  }
}

/** Scores rows in full. */
export function offerAll(rows: Rows, unit: Float32Array, which: Int32Array, best: Best): void {
  for (let i = 0; i < which.length; i++) best.offer(rows.score(unit, which[i]), rows.keys[which[i]])
}

/** A score that at least k allowed rows of the parts reach; -Infinity where there are fewer. */
export function floorOf(
  rows: Rows,
  parts: readonly Part[],
  unit: Float32Array,
  k: number,
  filter: RowFilter,
): number {
  const near = new Best(k) // by approximate score, under row numbers
  for (const { block, scores, peaks } of parts) {
    for (let chunk = 0; chunk < peaks.length; chunk++) {
      if (peaks[chunk] <= near.floor) continue
      const end = Math.min((chunk + 1) * CHUNK, block.rows)
      for (let i = chunk * CHUNK; i < end; i++) {
        if (scores[i] > near.floor && filter.test(block.first + i)) near.offer(scores[i], block.first + i)
      }
    }
  }
  if (near.count < k) return Number.NEGATIVE_INFINITY
  let floor = Number.POSITIVE_INFINITY
  for (const row of near.keptKeys()) floor = Math.min(floor, rows.score(unit, row))
  return floor
}

/** Offers every row of a part whose true score could reach `floor`. */
export function offerPart(
  rows: Rows,
  { block, scores, peaks }: Part,
  { unit, scale, error }: { unit: Float32Array; scale: number; error: number },
  floor: number,
  filter: RowFilter,
  best: Best,
): void {
  const { errors, maxLength } = block.quantized
  for (let chunk = 0; chunk < peaks.length; chunk++) {
    const slack = error * maxLength + errors[chunk] + ROUNDING
    const reach = (Math.max(floor, best.floor) - slack) / scale
    if (peaks[chunk] < reach) continue
    const end = Math.min((chunk + 1) * CHUNK, block.rows)
    for (let i = chunk * CHUNK; i < end; i++) {
      if (scores[i] >= reach && filter.test(block.first + i)) {
        best.offer(rows.score(unit, block.first + i), rows.keys[block.first + i])
      }
    }
  }
}
