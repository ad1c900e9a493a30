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

/** Scores that stand for all when a threshold is chosen. */
const SAMPLED = 1024
/** Steps of this part of the whole fall evenly everywhere, and in step with no pattern of the rows. */
const GOLDEN = (Math.sqrt(5) - 1) / 2

/** Keys that are collected without a new array for every few of them. */
export class KeyList {
  private keys: Int32Array
  private size = 0

  constructor(expected: number) {
    this.keys = new Int32Array(expected)
  }

  add(key: number): void {
    if (this.size === this.keys.length) {
      const grown = new Int32Array(2 * this.size + 64)
      grown.set(this.keys)
      this.keys = grown
    }
    this.keys[this.size++] = key
  }

  take(): Int32Array {
    return this.keys.slice(0, this.size)
  }
}

/** Adds about `wanted` of the keys that score best to `around`. @returns a bound for the rows of the parts that are not added */
export function survey(
  rows: Rows,
  parts: readonly Part[],
  { scale, error }: { scale: number; error: number },
  wanted: number,
  around: KeyList,
): number {
  const threshold = thresholdOf(rows, parts, wanted)
  const { keys } = rows
  let slack = 0
  for (const { block, scores, peaks } of parts) {
    const { errors, maxLength } = block.quantized
    for (let chunk = 0; chunk < peaks.length; chunk++) {
      slack = Math.max(slack, error * maxLength + errors[chunk] + ROUNDING)
      if (peaks[chunk] < threshold) continue
      const end = Math.min((chunk + 1) * CHUNK, block.rows)
      for (let i = chunk * CHUNK; i < end; i++) {
        if (scores[i] >= threshold && keys[block.first + i] !== 0) around.add(keys[block.first + i])
      }
    }
  }
  return threshold * scale + slack
}

/** An approximate score that about `wanted` rows reach: a quantile of a sample. */
function thresholdOf(rows: Rows, parts: readonly Part[], wanted: number): number {
  if (wanted >= rows.live) return Number.NEGATIVE_INFINITY
  const sampled = new Float32Array(SAMPLED + parts.length)
  let size = 0
  for (const { block, scores } of parts) {
    const count = Math.ceil((SAMPLED * block.rows) / rows.count)
    for (let i = 0; i < count; i++) {
      const at = Math.floor(((i * GOLDEN) % 1) * block.rows)
      if (rows.keys[block.first + at] !== 0) sampled[size++] = scores[at]
    }
  }
  const ascending = sampled.subarray(0, size).sort()
  return ascending[Math.floor(size * (1 - wanted / rows.live))] ?? Number.NEGATIVE_INFINITY
}
