import fc from 'fast-check'
import { expect, test } from 'vitest'
import { invertPositiveDefinite, plainProduct } from '#src/math/linear-algebra.js'
import { random } from '#src/math/random.js'

/** M M^T + I: symmetric and positive definite. */
function definite(n: number, seed: number): Float64Array {
  const source = random(seed)
  const m = Float64Array.from({ length: n * n }, () => source.normal())
  const a = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      for (let k = 0; k < n; k++) a[i * n + j] += m[i * n + k] * m[j * n + k]
    }
    a[i * n + i] += 1
  }
  return a
}

test('a matrix times its inverse is the identity, for every blocking', async () => {
  const sizes = fc.record({
    n: fc.integer({ min: 1, max: 40 }),
    block: fc.integer({ min: 1, max: 17 }),
    tile: fc.integer({ min: 1, max: 50 }),
    seed: fc.nat(),
  })
  await fc.assert(
    fc.asyncProperty(sizes, async ({ n, block, tile, seed }) => {
      const a = definite(n, seed)
      const inverse = a.slice()
      await invertPositiveDefinite(inverse, n, plainProduct, { block, tile })
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < n; j++) {
          let sum = 0
          for (let k = 0; k < n; k++) sum += a[i * n + k] * inverse[k * n + j]
          expect(sum).toBeCloseTo(i === j ? 1 : 0, 6)
          expect(inverse[i * n + j]).toBe(inverse[j * n + i])
        }
      }
    }),
    { numRuns: 40 },
  )
})

test('only the lower triangle is read', async () => {
  const a = definite(9, 1)
  const lower = a.slice()
  for (let i = 0; i < 9; i++) for (let j = i + 1; j < 9; j++) lower[i * 9 + j] = Number.NaN
  await invertPositiveDefinite(a, 9, plainProduct, { block: 4, tile: 5 })
  await invertPositiveDefinite(lower, 9, plainProduct, { block: 4, tile: 5 })
  expect([...lower]).toEqual([...a])
})

test('reports its progress up to the end', async () => {
  const shares: number[] = []
  await invertPositiveDefinite(definite(10, 2), 10, plainProduct, {
    block: 4,
    onStep: (share) => shares.push(share),
  })
  expect(shares).toEqual([0.4, 0.8, 1])
})

test('refuses a matrix that is not positive definite', async () => {
  await expect(invertPositiveDefinite(Float64Array.of(1, 2, 2, 1), 2, plainProduct)).rejects.toMatchObject({
    code: 'INTERNAL',
  })
})
