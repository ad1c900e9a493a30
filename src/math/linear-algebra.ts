import { TextrecError } from '../errors.js'

/**
 * C = A * B^T in double precision: a is [m, k], b is [n, k], both row-major; returns [m, n].
 * The multiplication is passed in because the fast one (ONNX Runtime) is asynchronous and lives elsewhere.
 */
export type Product = (
  a: Float64Array,
  b: Float64Array,
  m: number,
  n: number,
  k: number,
) => Promise<Float64Array>

/** The product in plain TypeScript: for small matrices, and the twin that tests compare with. */
export const plainProduct: Product = async (a, b, m, n, k) => {
  const c = new Float64Array(m * n)
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0
      for (let l = 0; l < k; l++) sum += a[i * k + l] * b[j * k + l]
      c[i * n + j] = sum
    }
  }
  return c
}

export interface InverseOptions {
  /** Columns swept at once. Default 128. */
  readonly block?: number
  /** Rows updated by one product: bounds the memory beside the matrix to rows * n * 8 bytes. Default 1024. */
  readonly tile?: number
  /** Called after each block with the share that is done. */
  readonly onStep?: (share: number) => void
}

/**
 * Inverts a symmetric positive definite matrix in place, about n^3 multiplications, nearly all in `product`.
 *
 * Block sweep operator (Goodnight 1979): sweeping the columns K with D = A[K,K]^-1 replaces A[i,j] by
 * A[i,j] - A[i,K] D A[K,j], A[i,K] by A[i,K] D and A[K,K] by -D; after all columns A holds minus its inverse.
 * Every stage is symmetric, so only the lower triangle is kept up.
 * @param a [n, n] row-major; the lower triangle is read, the full inverse is written.
 * @throws INTERNAL if the matrix is not positive definite.
 */
export async function invertPositiveDefinite(
  a: Float64Array,
  n: number,
  product: Product,
  options: InverseOptions = {},
): Promise<void> {
  const { block = 128, tile = 1024, onStep } = options
  for (let from = 0; from < n; from += block) {
    const width = Math.min(block, n - from)
    const to = from + width
    const pivot = invertSmall(a, n, from, width)
    const panel = readPanel(a, n, from, width) // [n, width] = A[:, K]; zero in the rows K
    const swept = await product(panel, pivot, n, width, width)
    for (let top = 0; top < n; top += tile) {
      const bottom = Math.min(top + tile, n)
      const update = await product(
        swept.subarray(top * width, bottom * width),
        panel.subarray(0, bottom * width),
        bottom - top,
        bottom,
        width,
      )
      for (let i = top; i < bottom; i++) {
        const target = i * n
        const source = (i - top) * bottom
        for (let j = 0; j <= i; j++) a[target + j] -= update[source + j]
      }
    }
    writePanel(a, n, from, width, swept)
    for (let i = from; i < to; i++) {
      for (let j = from; j <= i; j++) a[i * n + j] = -pivot[(i - from) * width + (j - from)]
    }
    onStep?.(to / n)
  }
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      const value = -a[i * n + j]
      a[i * n + j] = value
      a[j * n + i] = value
    }
  }
}

/** A[:, K] out of the lower triangle, with zeros for the rows K so that the update leaves them alone. */
function readPanel(a: Float64Array, n: number, from: number, width: number): Float64Array {
  const panel = new Float64Array(n * width)
  for (let j = 0; j < width; j++) {
    const pivotRow = (from + j) * n
    for (let i = 0; i < from; i++) panel[i * width + j] = a[pivotRow + i]
  }
  for (let i = from + width; i < n; i++) {
    for (let j = 0; j < width; j++) panel[i * width + j] = a[i * n + from + j]
  }
  return panel
}

function writePanel(a: Float64Array, n: number, from: number, width: number, panel: Float64Array): void {
  for (let j = 0; j < width; j++) {
    const pivotRow = (from + j) * n
    for (let i = 0; i < from; i++) a[pivotRow + i] = panel[i * width + j]
  }
  for (let i = from + width; i < n; i++) {
    for (let j = 0; j < width; j++) a[i * n + from + j] = panel[i * width + j]
  }
}

/** The inverse of the diagonal block [from, from + width), [width, width], by Cholesky: L, then L^-1, then L^-T L^-1. */
function invertSmall(a: Float64Array, n: number, from: number, width: number): Float64Array {
  const lower = new Float64Array(width * width)
  for (let i = 0; i < width; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a[(from + i) * n + from + j]
      for (let k = 0; k < j; k++) sum -= lower[i * width + k] * lower[j * width + k]
      if (i !== j) {
        lower[i * width + j] = sum / lower[j * width + j]
      } else if (sum > 0) {
        lower[i * width + i] = Math.sqrt(sum)
      } else {
        throw new TextrecError(
          'INTERNAL',
          `A matrix is not positive definite at row ${from + i}.`,
          'Raise the regularisation.',
        )
      }
    }
  }
  const inverse = new Float64Array(width * width) // L^-1, lower
  for (let j = 0; j < width; j++) {
    inverse[j * width + j] = 1 / lower[j * width + j]
    for (let i = j + 1; i < width; i++) {
      let sum = 0
      for (let k = j; k < i; k++) sum -= lower[i * width + k] * inverse[k * width + j]
      inverse[i * width + j] = sum / lower[i * width + i]
    }
  }
  const result = new Float64Array(width * width)
  for (let k = 0; k < width; k++) {
    for (let i = 0; i <= k; i++) {
      const factor = inverse[k * width + i]
      for (let j = 0; j <= k; j++) result[i * width + j] += factor * inverse[k * width + j]
    }
  }
  return result
}
