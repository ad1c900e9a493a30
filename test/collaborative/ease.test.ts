import fc from 'fast-check'
import { expect, test } from 'vitest'
import { easeWeights } from '#src/collaborative/ease.js'
import { distinctPairs } from '#src/collaborative/pairs.js'
import { plainProduct } from '#src/math/linear-algebra.js'
import { tableOf } from '../support/tables.js'

/** Textbook EASE: dense G, Gauss-Jordan inverse, B = -P / diag(P). */
function textbook(lists: readonly (readonly number[])[], n: number, lambda: number): number[][] {
  const a = Array.from({ length: n }, (_, i) =>
    Array.from({ length: 2 * n }, (_, j) => (j === n + i ? 1 : 0)),
  )
  for (let i = 0; i < n; i++) a[i][i] += lambda
  for (const list of lists) for (const i of list) for (const j of list) a[i][j]++
  for (let c = 0; c < n; c++) {
    const pivot = a[c][c]
    for (let j = 0; j < 2 * n; j++) a[c][j] /= pivot
    for (let i = 0; i < n; i++) {
      if (i === c) continue
      const factor = a[i][c]
      for (let j = 0; j < 2 * n; j++) a[i][j] -= factor * a[c][j]
    }
  }
  const p = a.map((line) => line.slice(n))
  return p.map((line, i) => line.map((value, j) => (i === j ? 0 : -value / p[j][j])))
}

test('equals the textbook on any table, with few people and with many', async () => {
  const world = fc.record({
    lists: fc.array(fc.uniqueArray(fc.nat(11), { minLength: 1, maxLength: 8 }), {
      minLength: 1,
      maxLength: 25,
    }),
    lambda: fc.constantFrom(0.5, 5, 100),
  })
  await fc.assert(
    fc.asyncProperty(world, async ({ lists, lambda }) => {
      const rows = lists.flatMap((list, user) => list.map((item): [number, number] => [user, item]))
      const pairs = distinctPairs(tableOf(rows, { items: 12 }))
      const n = pairs.warm.length
      const weights = await easeWeights(pairs, n, lambda, plainProduct)
      const warmOf = new Map([...pairs.warm].map((item, i) => [item, i]))
      const expected = textbook(
        lists.map((list) => list.map((item) => warmOf.get(item)!)),
        n,
        lambda,
      )
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < n; j++) expect(weights[i * n + j]).toBeCloseTo(expected[i][j], 5)
      }
    }),
    { numRuns: 100 },
  )
})

test('two items that always go together point at each other', async () => {
  // G = [[3 + 1, 3], [3, 3 + 1]], so P = 1/7 [[4, -3], [-3, 4]] and B[0,1] = 3/4.
  const pairs = distinctPairs(
    tableOf(
      [0, 1, 2].flatMap((u): [number, number][] => [
        [u, 0],
        [u, 1],
      ]),
    ),
  )
  const weights = await easeWeights(pairs, 2, 1, plainProduct)
  expect([...weights]).toEqual([0, 0.75, 0.75, 0])
})
