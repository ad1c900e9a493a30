import { createHash } from 'node:crypto'
import type { Taken } from './taste.js'

/**
 * What is kept on disk of one person: the vector that their history makes, and one look around it at an exact
 * index (see Look). Numbers only; it is good for the history with this digest and for no other.
 */
export interface PersonRecord {
  /** [dim] */
  readonly vector: Float32Array
  readonly wanted: number
  /** [n] best first */
  readonly keys: Int32Array
  /** [n] */
  readonly scores: Float32Array
  /** Ascending. Found among the bytes when it is asked for: only filters do. */
  readonly around: () => Int32Array
  readonly bound: number
}

/** A history with the times of its events. */
export interface TimedHistory extends Taken {
  readonly times: Float64Array
}

const DIGEST = 16
/** Both digests, the bound and four counts: a multiple of 8, so that the numbers behind it are aligned. */
const HEADER = 2 * DIGEST + 8 + 4 * 4
/** A gap between two ascending keys takes a byte for every 7 bits of it. */
const GAP_BITS = 7
const MORE = 1 << GAP_BITS

/** [16] Two histories with the same digest are the same: SHA-256, cut. */
export function historyDigest({ items, times, values }: TimedHistory): Uint8Array {
  return digestOf(items, times, values)
}

/**
 * The bytes of a record, as many as a multiple of 4. Numbers are as this machine writes them (little-endian on all
 * that ONNX Runtime runs on). The keys around are written as gaps: some 2 kB for 2,048 of 100,000.
 */
export function writeRecord(record: PersonRecord, history: TimedHistory): Uint8Array {
  const { around, bound, keys, scores, vector, wanted } = record
  const near = around()
  const gaps = gapsOf(near)
  const numbers = 4 * (vector.length + 2 * keys.length)
  const bytes = new Uint8Array(HEADER + numbers + Math.ceil(gaps.length / 4) * 4)
  const view = new DataView(bytes.buffer)
  bytes.set(historyDigest(history), 0)
  view.setFloat64(2 * DIGEST, bound, true)
  for (const [i, count] of [wanted, vector.length, keys.length, near.length].entries()) {
    view.setUint32(2 * DIGEST + 8 + 4 * i, count, true)
  }
  let at = HEADER
  for (const column of [vector, keys, scores]) {
    bytes.set(new Uint8Array(column.buffer, column.byteOffset, column.byteLength), at)
    at += column.byteLength
  }
  bytes.set(gaps, at)
  bytes.set(digestOf(bytes.subarray(2 * DIGEST)), DIGEST)
  return bytes
}

/** Undefined unless `bytes` are what was written, for this history. They begin at a multiple of 4 in their memory. */
export function readRecord(bytes: Uint8Array, history: TimedHistory): PersonRecord | undefined {
  if (bytes.length < HEADER || !startsWith(bytes, historyDigest(history))) return undefined
  if (!startsWith(bytes.subarray(DIGEST), digestOf(bytes.subarray(2 * DIGEST)))) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const [wanted, dim, near, count] = [0, 1, 2, 3].map((i) => view.getUint32(2 * DIGEST + 8 + 4 * i, true))
  const start = bytes.byteOffset + HEADER
  let around: Int32Array | undefined
  return {
    vector: new Float32Array(bytes.buffer, start, dim),
    wanted,
    keys: new Int32Array(bytes.buffer, start + 4 * dim, near),
    scores: new Float32Array(bytes.buffer, start + 4 * (dim + near), near),
    around: () => {
      around ??= keysOf(bytes.subarray(HEADER + 4 * (dim + 2 * near)), count)
      return around
    },
    bound: view.getFloat64(2 * DIGEST, true),
  }
}

function digestOf(...parts: readonly (Uint8Array | Int32Array | Float32Array | Float64Array)[]): Uint8Array {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(new Uint8Array(part.buffer, part.byteOffset, part.byteLength))
  return hash.digest().subarray(0, DIGEST)
}

function startsWith(bytes: Uint8Array, beginning: Uint8Array): boolean {
  return beginning.every((byte, i) => bytes[i] === byte)
}

function gapsOf(ascending: Int32Array): Uint8Array {
  const bytes: number[] = []
  let before = 0
  for (const key of ascending) {
    let gap = key - before
    for (; gap >= MORE; gap = Math.floor(gap / MORE)) bytes.push((gap % MORE) + MORE)
    bytes.push(gap)
    before = key
  }
  return Uint8Array.from(bytes)
}

function keysOf(bytes: Uint8Array, count: number): Int32Array {
  const keys = new Int32Array(count)
  let at = 0
  let key = 0
  for (let i = 0; i < count; i++) {
    let shift = 0
    for (; bytes[at] >= MORE; shift += GAP_BITS) key += (bytes[at++] - MORE) << shift
    key += bytes[at++] << shift
    keys[i] = key
  }
  return keys
}
