/** Rows are padded to a multiple of this, and the best score of every chunk is found by ONNX Runtime. */
export const CHUNK = 64

/**
 * Rows as int8 columns with one scale each: row r is about scales[r] * columns[:, r]. How far "about" is, is
 * known: the Euclidean distance between a row and its int8 form is at most errors[chunk of r].
 */
export interface QuantizedRows {
  /** [dim, padded] so that a query times this is one matrix product. */
  readonly columns: Int8Array
  /** [padded] 0 for padding. */
  readonly scales: Float32Array
  /** [padded / CHUNK] */
  readonly errors: Float64Array
  /** The longest int8 form. */
  readonly maxLength: number
  readonly padded: number
}

/** @param view the numbers of a row. */
export function quantizeRows(rows: number, dim: number, view: (row: number) => Float32Array): QuantizedRows {
  const padded = Math.ceil(rows / CHUNK) * CHUNK
  const columns = new Int8Array(dim * padded)
  const scales = new Float32Array(padded)
  const errors = new Float64Array(padded / CHUNK)
  let maxLength = 0
  // One chunk at a time is quantized row by row and then turned: writing 64 neighbours of each column at once
  // keeps to the cache, which writing whole rows across columns does not.
  const turned = new Int8Array(CHUNK * dim)
  for (let chunk = 0; chunk < padded / CHUNK; chunk++) {
    const first = chunk * CHUNK
    const filled = Math.min(CHUNK, rows - first)
    for (let r = 0; r < filled; r++) {
      const row = view(first + r)
      const scale = Math.fround(largest(row) / 127)
      const inverse = scale > 0 ? 1 / scale : 0
      let error = 0
      let length = 0
      for (let i = 0; i < dim; i++) {
        const level = Math.round(row[i] * inverse)
        turned[r * dim + i] = level
        const missed = row[i] - level * scale
        error += missed * missed
        length += level * level
      }
      scales[first + r] = scale
      errors[chunk] = Math.max(errors[chunk], Math.sqrt(error))
      maxLength = Math.max(maxLength, Math.sqrt(length) * scale)
    }
    for (let i = 0; i < dim; i++) {
      const at = i * padded + first
      for (let r = 0; r < filled; r++) columns[at + r] = turned[r * dim + i]
    }
  }
  return { columns, scales, errors, maxLength, padded }
}

/**
 * How a query is written as uint8: level = round(value / scale) + zero, from zero - top to zero + top. On CPUs
 * without VNNI two products of 255 * 127 overflow the 16 bits in which they are added; with 7 bits they fit.
 */
export interface QueryLevels {
  readonly zero: number
  readonly top: number
}
export const EIGHT_BITS: QueryLevels = { zero: 128, top: 127 }
export const SEVEN_BITS: QueryLevels = { zero: 64, top: 63 }

/** Writes the levels of a query into `target` at `start`; returns its scale and its distance from that form. */
export function quantizeQuery(
  query: Float32Array,
  levels: QueryLevels,
  target: Uint8Array,
  start: number,
): { scale: number; error: number } {
  const scale = largest(query) / levels.top
  let error = 0
  for (let i = 0; i < query.length; i++) {
    const level = Math.round(query[i] / scale)
    target[start + i] = level + levels.zero
    const missed = query[i] - level * scale
    error += missed * missed
  }
  return { scale, error: Math.sqrt(error) }
}

function largest(row: Float32Array): number {
  let most = 0
  for (let i = 0; i < row.length; i++) {
    const size = Math.abs(row[i])
    if (size > most) most = size
  }
  return most
}
