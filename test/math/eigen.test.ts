import fc from 'fast-check'
import { expect, test } from 'vitest'
import { symmetricEigen } from '#src/math/eigen.js'
import { random } from '#src/math/random.js'

function symmetric(n: number, seed: number, rank = n): Float64Array {
  const source = random(seed)
  const factors = Float64Array.from({ length: n * rank }, () => source.normal())
  const signs = Array.from({ length: rank }, () => (source.next() < 0.3 ? -1 : 1))
  const a = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      for (let k = 0; k < rank; k++) a[i * n + j] += signs[k] * factors[i * rank + k] * factors[j * rank + k]
    }
  }
  return a
}

test('a matrix whose answer is known: [[2, 1], [1, 2]] has 3 along (1, 1) and 1 along (1, -1)', () => {
  const { values, vectors } = symmetricEigen(Float64Array.of(2, 1, 1, 2), 2)
  expect(values[0]).toBeCloseTo(3, 12)
  expect(values[1]).toBeCloseTo(1, 12)
  expect(vectors[0] / vectors[1]).toBeCloseTo(1, 12)
  expect(vectors[2] / vectors[3]).toBeCloseTo(-1, 12)
})

test('A v = lambda v, vectors are orthonormal, values descend, sums agree with the trace', () => {
  const size = fc.integer({ min: 1, max: 24 })
  fc.assert(
    fc.property(size, fc.integer({ min: 1, max: 1e6 }), fc.integer({ min: 1, max: 24 }), (n, seed, rank) => {
      const a = symmetric(n, seed, Math.min(rank, n))
      const { values, vectors } = symmetricEigen(a, n)
      const scale = Math.max(1, ...values.map(Math.abs))
      for (let r = 0; r < n; r++) {
        if (r > 0) expect(values[r]).toBeLessThanOrEqual(values[r - 1])
        for (let i = 0; i < n; i++) {
          let product = 0
          for (let j = 0; j < n; j++) product += a[i * n + j] * vectors[r * n + j]
          expect(Math.abs(product - values[r] * vectors[r * n + i])).toBeLessThan(1e-9 * scale)
        }
        for (let s = 0; s <= r; s++) {
          let dot = 0
          for (let i = 0; i < n; i++) dot += vectors[r * n + i] * vectors[s * n + i]
          expect(Math.abs(dot - (r === s ? 1 : 0))).toBeLessThan(1e-9)
        }
      }
      const trace = Array.from({ length: n }, (_, i) => a[i * n + i]).reduce((sum, x) => sum + x, 0)
      expect(Math.abs(values.reduce((sum, x) => sum + x, 0) - trace)).toBeLessThan(1e-8 * scale * n)
    }),
    { numRuns: 60 },
  )
})

test('the input is only read, and each vector has a positive largest entry', () => {
  const a = symmetric(8, 3)
  const before = Float64Array.from(a)
  const { vectors } = symmetricEigen(a, 8)
  expect(a).toEqual(before)
  for (let r = 0; r < 8; r++) {
    const entries = [...vectors.subarray(r * 8, r * 8 + 8)]
    expect(Math.max(...entries)).toBe(Math.max(...entries.map(Math.abs)))
  }
})
