import { TextrecError } from '../errors.js'
import { symmetricEigen } from '../math/eigen.js'
import { matrix, normalize, row } from '../math/matrix.js'
import type { Matrix } from '../types.js'

/**
 * A linear map under which the rows that it was fitted on have mean 0 and the identity as covariance: the
 * directions that all texts share (style, domain) lose their weight and those that tell items apart gain it
 * (Su et al. 2021, arXiv:2103.15316).
 */
export interface Whitening {
  /** [from] */
  readonly mean: Float32Array
  /** [dim, from]: row j is eigenvector j over the square root of its eigenvalue. */
  readonly directions: Matrix
}

/** A share of the mean variance that is added to each direction, so that noise is not blown up. */
const FLOOR = 1e-3

/**
 * PCA whitening from the rows of `texts` that `rows` names; the `dim` directions of largest variance are kept
 * (fewer where there are fewer rows or columns). Rows of zeros, items without text, are left out.
 * @throws NOT_ENOUGH_DATA with fewer than two rows of text
 */
export function fitWhitening(texts: Matrix, rows: Int32Array, dim: number): Whitening {
  const from = texts.dim
  const used = rows.filter((i) => hasText(texts, i))
  if (used.length < 2) {
    throw new TextrecError(
      'NOT_ENOUGH_DATA',
      `Only ${used.length} items with interactions have a text.`,
      'Import items or reviews with text.',
    )
  }
  const mean = new Float64Array(from)
  for (const i of used) {
    const text = row(texts, i)
    for (let a = 0; a < from; a++) mean[a] += text[a] / used.length
  }
  const covariance = new Float64Array(from * from)
  const centred = new Float64Array(from)
  for (const i of used) {
    const text = row(texts, i)
    for (let a = 0; a < from; a++) centred[a] = text[a] - mean[a]
    for (let a = 0; a < from; a++) {
      const left = centred[a] / used.length
      for (let b = 0; b <= a; b++) covariance[a * from + b] += left * centred[b]
    }
  }
  for (let a = 0; a < from; a++) {
    for (let b = 0; b < a; b++) covariance[b * from + a] = covariance[a * from + b]
  }
  const { values, vectors } = symmetricEigen(covariance, from)
  const kept = Math.min(dim, from, used.length - 1)
  const floor = Math.max((FLOOR * values.reduce((sum, value) => sum + Math.max(0, value), 0)) / from, 1e-12)
  const directions = matrix(kept, from)
  for (let j = 0; j < kept; j++) {
    const scale = 1 / Math.sqrt(Math.max(0, values[j]) + floor)
    for (let a = 0; a < from; a++) directions.data[j * from + a] = vectors[j * from + a] * scale
  }
  return { mean: Float32Array.from(mean), directions }
}

/** The whitened rows of `texts`, each of unit length; a row of zeros stays one. */
export function whiten({ mean, directions }: Whitening, texts: Matrix): Matrix {
  if (texts.dim !== mean.length) {
    throw new TextrecError(
      'DIMENSION_MISMATCH',
      `Text vectors of ${texts.dim} numbers met an adapter for ${mean.length}.`,
      'Use the encoder that the adapter was trained with, or train again.',
    )
  }
  const { rows: dim, dim: from } = directions
  const result = matrix(texts.rows, dim)
  const centred = new Float64Array(from)
  for (let i = 0; i < texts.rows; i++) {
    if (!hasText(texts, i)) continue
    const text = row(texts, i)
    for (let a = 0; a < from; a++) centred[a] = text[a] - mean[a]
    for (let j = 0; j < dim; j++) {
      let sum = 0
      const start = j * from
      for (let a = 0; a < from; a++) sum += directions.data[start + a] * centred[a]
      result.data[i * dim + j] = sum
    }
    normalize(row(result, i))
  }
  return result
}

function hasText(texts: Matrix, i: number): boolean {
  return row(texts, i).some((value) => value !== 0)
}
