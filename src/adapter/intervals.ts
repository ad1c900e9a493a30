import type { Value } from '../onnx/graph.js'
import type { Scope } from '../onnx/optimizer.js'
import type { TimeKind } from '../types.js'

/** How many kinds of interval are told apart: the last one is for all beyond. */
export const BUCKETS = 32

const MINUTE = 60_000

/**
 * How far apart the events of each row are, in powers of two: floor(log2(1 + |t_i - t_j|)), in minutes where times are
 * dates and in places where they are an order. Minutes are bucket 1 to 5, days 10 to 12, years 19 and on.
 * @param times [rows * length] @param segments [rows * length] which history an event belongs to, -1 for none
 * @returns [rows * length * length] bucket of event i and event j; 0 for what is in different histories
 */
export function bucketsOf(
  times: Float64Array,
  segments: Int32Array,
  length: number,
  kind: TimeKind = 'none',
): Int32Array {
  const buckets = new Int32Array(times.length * length)
  if (kind === 'none') return buckets
  const unit = kind === 'date' ? MINUTE : 1
  for (let i = 0; i < times.length; i++) {
    const start = i - (i % length)
    // Of events after i, the mask of the attention knows nothing.
    for (let j = start; j <= i; j++) {
      if (segments[i] < 0 || segments[i] !== segments[j]) continue
      const apart = Math.abs(times[i] - times[j]) / unit
      buckets[i * length + (j - start)] = Math.min(BUCKETS - 1, Math.floor(Math.log2(1 + apart)))
    }
  }
  return buckets
}

/**
 * What attention adds in a layer to what event i thinks of event j before the softmax: B[bucket of their interval], a learned
 * number per head, from zero (after TiSASRec, Li, Wang & McAuley 2020, WSDM).
 * @param intervals [R, L, L] from `bucketsOf` @returns [R, heads, L, L]
 */
export function intervalBias(
  { ops, parameter }: Scope,
  layer: string,
  heads: number,
  intervals: Value,
): Value {
  const table = parameter(`${layer}.intervals`, [BUCKETS, heads], { fill: 0 }, false)
  return ops.transpose(ops.gatherRows(table, intervals), [0, 3, 1, 2])
}

/**
 * When event number `place` of a history was, by the clock that intervals are taken from. Where nobody says when, the
 * order is its place, and dates count as one moment.
 * @param times [events] of the whole history
 */
export function timeOf(times: Float64Array | undefined, place: number, kind: TimeKind | undefined): number {
  return times?.[place] ?? (kind === 'order' ? place : 0)
}
