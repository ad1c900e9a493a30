import { TextrecError } from '../errors.js'
import type { Matrix } from '../types.js'

/** A matrix of zeros, or over `data` (not copied). @throws DIMENSION_MISMATCH if data has another length. */
export function matrix(rows: number, dim: number, data: Float32Array = new Float32Array(rows * dim)): Matrix {
  if (data.length !== rows * dim) {
    throw new TextrecError(
      'DIMENSION_MISMATCH',
      `${data.length} numbers cannot be ${rows} rows of ${dim}.`,
      'Pass rows * dim numbers.',
    )
  }
  return { data, rows, dim }
}

/** Row `i`, as a view: writing to it writes to the matrix. */
export function row(m: Matrix, i: number): Float32Array {
  return m.data.subarray(i * m.dim, (i + 1) * m.dim)
}

/** Inner product of two vectors of equal length, summed in double precision. */
export function dot(a: Float32Array, b: Float32Array): number {
  requireSameDimension(a.length, b.length)
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i]
  return sum
}

/** Euclidean length. */
export function length(a: Float32Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i] * a[i]
  return Math.sqrt(sum)
}

/** Scales `a` in place to unit length; a zero vector stays zero. Returns `a`. */
export function normalize(a: Float32Array): Float32Array {
  const norm = length(a)
  if (norm > 0) for (let i = 0; i < a.length; i++) a[i] /= norm
  return a
}

/** target += weight * source, in place. */
export function addScaled(target: Float32Array, source: Float32Array, weight: number): void {
  requireSameDimension(target.length, source.length)
  for (let i = 0; i < target.length; i++) target[i] += weight * source[i]
}

export function isFiniteVector(a: Float32Array): boolean {
  for (let i = 0; i < a.length; i++) if (!Number.isFinite(a[i])) return false
  return true
}

export function requireSameDimension(a: number, b: number): void {
  if (a !== b) {
    throw new TextrecError(
      'DIMENSION_MISMATCH',
      `A vector of ${a} numbers met one of ${b}.`,
      'Both must come from the same encoder and adapter.',
    )
  }
}
