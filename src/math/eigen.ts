/** Eigenvalues in descending order, and row i of `vectors` [n, n] the unit eigenvector of values[i]. */
export interface Eigen {
  readonly values: Float64Array
  readonly vectors: Float64Array
}

/**
 * All eigenvalues and eigenvectors of a symmetric matrix: Householder reduction to tridiagonal form, then the
 * QL iteration with implicit shifts (Bowdler, Martin, Reinsch & Wilkinson 1968; EISPACK's tred2 and tql2).
 * About 9 n^3 operations: 384 rows take well under a second. The sign of each vector is fixed by making its
 * entry of largest size positive, so that the result does not depend on rounding on the way.
 * @param matrix [n, n] row-major; only read
 */
export function symmetricEigen(matrix: Float64Array, n: number): Eigen {
  // v[j * n + i] is entry (i, j): columns lie in one piece, which both stages walk along.
  const v = Float64Array.from(matrix)
  const d = new Float64Array(n)
  const e = new Float64Array(n)
  tridiagonalize(v, d, e, n)
  iterate(v, d, e, n)
  const order = Array.from(d.keys()).sort((a, b) => d[b] - d[a])
  const vectors = new Float64Array(n * n)
  for (const [rank, column] of order.entries()) {
    const from = v.subarray(column * n, (column + 1) * n)
    let largest = 0
    for (let i = 1; i < n; i++) if (Math.abs(from[i]) > Math.abs(from[largest])) largest = i
    const sign = from[largest] < 0 ? -1 : 1
    for (let i = 0; i < n; i++) vectors[rank * n + i] = sign * from[i]
  }
  return { values: Float64Array.from(order, (column) => d[column]), vectors }
}

/** After it d is the diagonal, e[1..] the subdiagonal, and v the product of the reflections. */
function tridiagonalize(v: Float64Array, d: Float64Array, e: Float64Array, n: number): void {
  for (let j = 0; j < n; j++) d[j] = v[j * n + n - 1]
  for (let i = n - 1; i > 0; i--) {
    let scale = 0
    let h = 0
    for (let k = 0; k < i; k++) scale += Math.abs(d[k])
    if (scale === 0) {
      e[i] = d[i - 1]
      for (let j = 0; j < i; j++) {
        d[j] = v[j * n + i - 1]
        v[j * n + i] = 0
        v[i * n + j] = 0
      }
    } else {
      for (let k = 0; k < i; k++) {
        d[k] /= scale
        h += d[k] * d[k]
      }
      const f = d[i - 1]
      const g = f > 0 ? -Math.sqrt(h) : Math.sqrt(h)
      e[i] = scale * g
      h -= f * g
      d[i - 1] = f - g
      reflect(v, d, e, i, h, n)
    }
    d[i] = h
  }
  accumulate(v, d, n)
  e[0] = 0
}

/** One Householder reflection, applied to the rows and columns before i. */
function reflect(v: Float64Array, d: Float64Array, e: Float64Array, i: number, h: number, n: number): void {
  e.fill(0, 0, i)
  for (let j = 0; j < i; j++) {
    const f = d[j]
    v[i * n + j] = f
    let g = e[j] + v[j * n + j] * f
    for (let k = j + 1; k < i; k++) {
      g += v[j * n + k] * d[k]
      e[k] += v[j * n + k] * f
    }
    e[j] = g
  }
  let f = 0
  for (let j = 0; j < i; j++) {
    e[j] /= h
    f += e[j] * d[j]
  }
  const half = f / (h + h)
  for (let j = 0; j < i; j++) e[j] -= half * d[j]
  for (let j = 0; j < i; j++) {
    for (let k = j; k < i; k++) v[j * n + k] -= d[j] * e[k] + e[j] * d[k]
    d[j] = v[j * n + i - 1]
    v[j * n + i] = 0
  }
}

function accumulate(v: Float64Array, d: Float64Array, n: number): void {
  for (let i = 0; i < n - 1; i++) {
    v[i * n + n - 1] = v[i * n + i]
    v[i * n + i] = 1
    const h = d[i + 1]
    if (h !== 0) {
      for (let k = 0; k <= i; k++) d[k] = v[(i + 1) * n + k] / h
      for (let j = 0; j <= i; j++) {
        let g = 0
        for (let k = 0; k <= i; k++) g += v[(i + 1) * n + k] * v[j * n + k]
        for (let k = 0; k <= i; k++) v[j * n + k] -= g * d[k]
      }
    }
    for (let k = 0; k <= i; k++) v[(i + 1) * n + k] = 0
  }
  for (let j = 0; j < n; j++) {
    d[j] = v[j * n + n - 1]
    v[j * n + n - 1] = 0
  }
  v[n * n - 1] = 1
}

function iterate(v: Float64Array, d: Float64Array, e: Float64Array, n: number): void {
  e.copyWithin(0, 1)
  e[n - 1] = 0
  let shift = 0
  let size = 0
  for (let l = 0; l < n; l++) {
    size = Math.max(size, Math.abs(d[l]) + Math.abs(e[l]))
    let m = l
    while (m < n - 1 && Math.abs(e[m]) > Number.EPSILON * size) m++
    if (m > l) {
      do {
        let g = d[l]
        let p = (d[l + 1] - g) / (2 * e[l])
        let r = p < 0 ? -Math.hypot(p, 1) : Math.hypot(p, 1)
        d[l] = e[l] / (p + r)
        d[l + 1] = e[l] * (p + r)
        const next = d[l + 1]
        let h = g - d[l]
        for (let i = l + 2; i < n; i++) d[i] -= h
        shift += h
        p = d[m]
        let [c, c2, c3, s, s2] = [1, 1, 1, 0, 0]
        const el1 = e[l + 1]
        for (let i = m - 1; i >= l; i--) {
          c3 = c2
          c2 = c
          s2 = s
          g = c * e[i]
          h = c * p
          r = Math.hypot(p, e[i])
          e[i + 1] = s * r
          s = e[i] / r
          c = p / r
          p = c * d[i] - s * g
          d[i + 1] = h + s * (c * g + s * d[i])
          rotate(v, i, c, s, n)
        }
        p = (-s * s2 * c3 * el1 * e[l]) / next
        e[l] = s * p
        d[l] = c * p
      } while (Math.abs(e[l]) > Number.EPSILON * size)
    }
    d[l] += shift
    e[l] = 0
  }
}

/** Turns columns i and i + 1 by the angle with cosine c and sine s. */
function rotate(v: Float64Array, i: number, c: number, s: number, n: number): void {
  const left = i * n
  const right = left + n
  for (let k = 0; k < n; k++) {
    const h = v[right + k]
    v[right + k] = s * v[left + k] + c * h
    v[left + k] = c * v[left + k] - s * h
  }
}
