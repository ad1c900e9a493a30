import { TextrecError } from '../errors.js'
import { show } from '../options.js'
import type { Matrix } from '../types.js'

/** Keys come back in an Int32Array. */
export const MAX_KEY = 2 ** 31 - 1
/** How far the length of a stored vector may be from 1. Rounding to float32 or int8 weights stays below it. */
const UNIT_TOLERANCE = 1e-3

export function checkKey(key: number): void {
  if (!Number.isInteger(key) || key < 1 || key > MAX_KEY) {
    throw new TextrecError(
      'OPTION_INVALID',
      `${show(key)} cannot be a key of a vector index.`,
      `Keys are whole numbers from 1 to ${MAX_KEY}.`,
    )
  }
}

export function checkNeighbourCount(k: number): void {
  if (!Number.isSafeInteger(k) || k < 0) {
    throw new TextrecError('OPTION_INVALID', `k is ${show(k)}.`, 'It must be a whole number of at least 0.')
  }
}

export function checkDimension(found: number, expected: number): void {
  if (found !== expected) {
    throw new TextrecError(
      'DIMENSION_MISMATCH',
      `A vector of ${found} numbers met an index of ${expected}.`,
      'Both must come from the same encoder and adapter.',
    )
  }
}

/** Euclidean length of a row. @throws VECTOR_INVALID unless every number is finite. */
function finiteLength(data: Float32Array, start: number, dim: number, what: string): number {
  let sum = 0
  for (let i = start; i < start + dim; i++) sum += data[i] * data[i]
  // A sum of squares of float32 numbers cannot overflow a double: only NaN and infinities make it not finite.
  if (!Number.isFinite(sum)) {
    throw new TextrecError(
      'VECTOR_INVALID',
      `${what} holds NaN or an infinity.`,
      'Vectors must be finite; encode the text again.',
    )
  }
  return Math.sqrt(sum)
}

/** @throws VECTOR_INVALID unless the row is finite and of unit length. */
export function checkStoredRow(data: Float32Array, start: number, dim: number, key: number): void {
  const length = finiteLength(data, start, dim, `The vector of key ${key}`)
  if (Math.abs(length - 1) > UNIT_TOLERANCE) {
    throw new TextrecError(
      'VECTOR_INVALID',
      `The vector of key ${key} has length ${length}.`,
      'Scale it to length 1; a zero vector cannot be indexed.',
    )
  }
}

/** @throws as `checkKey`, `checkDimension`, `checkStoredRow`; OPTION_INVALID for a key that comes twice. */
export function checkEntries(keys: Int32Array, vectors: Matrix): void {
  if (keys.length !== vectors.rows || vectors.data.length !== vectors.rows * vectors.dim) {
    throw new TextrecError(
      'DIMENSION_MISMATCH',
      `${keys.length} keys came with ${vectors.rows} vectors.`,
      'Pass one vector per key.',
    )
  }
  const seen = new Set<number>()
  for (let i = 0; i < keys.length; i++) {
    checkKey(keys[i])
    if (seen.has(keys[i])) {
      throw new TextrecError('OPTION_INVALID', `Key ${keys[i]} comes twice.`, 'Pass each key once.')
    }
    seen.add(keys[i])
    checkStoredRow(vectors.data, i * vectors.dim, vectors.dim, keys[i])
  }
}

/**
 * The query scaled to unit length (itself where it has that already), or undefined for a zero query.
 * @throws DIMENSION_MISMATCH, VECTOR_INVALID.
 */
export function unitQuery(query: Float32Array, dim: number): Float32Array | undefined {
  checkDimension(query.length, dim)
  const length = finiteLength(query, 0, dim, 'The query')
  if (length === 0) return undefined
  return Math.abs(length - 1) < 1e-6 ? query : query.map((value) => value / length)
}
