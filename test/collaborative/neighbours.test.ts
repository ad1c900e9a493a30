import fc from 'fast-check'
import { expect, test } from 'vitest'
import { itemNeighbours, LONGEST_HISTORY, nearestOnly } from '#src/collaborative/neighbours.js'
import { distinctPairs } from '#src/collaborative/pairs.js'
import { tableOf } from '../support/tables.js'

test('equals counting who has both, for any table', async () => {
  const world = fc.record({
    lists: fc.array(fc.uniqueArray(fc.nat(9), { minLength: 1, maxLength: 7 }), {
      minLength: 1,
      maxLength: 20,
    }),
    count: fc.integer({ min: 1, max: 12 }),
    shrinkage: fc.constantFrom(0, 1, 10),
  })
  await fc.assert(
    fc.asyncProperty(world, async ({ lists, count, shrinkage }) => {
      const rows = lists.flatMap((list, user) => list.map((item): [number, number] => [user, item]))
      const pairs = distinctPairs(tableOf(rows, { items: 10 }))
      const warm = [...pairs.warm]
      const found = await itemNeighbours(pairs, warm.length, count, shrinkage)
      const holders = (...items: number[]) =>
        lists.filter((list) => items.every((item) => list.includes(item))).length
      warm.forEach((item, i) => {
        const expected = warm
          .map((other, j) => ({
            j,
            similarity: Math.fround(
              holders(item, other) / (Math.sqrt(holders(item) * holders(other)) + shrinkage),
            ),
          }))
          .filter(({ j, similarity }) => j !== i && similarity > 0)
          .sort((a, b) => b.similarity - a.similarity || a.j - b.j)
          .slice(0, count)
        const range = [found.starts[i], found.starts[i + 1]] as const
        expect([...found.neighbours.slice(...range)]).toEqual(expected.map(({ j }) => j))
        expect([...found.similarities.slice(...range)]).toEqual(expected.map(({ similarity }) => similarity))
      })
    }),
    { numRuns: 60 },
  )
})

test('shorter lists are the beginnings of longer ones', async () => {
  const pairs = distinctPairs(
    tableOf([
      [0, 0],
      [0, 1],
      [0, 2],
      [1, 0],
      [1, 1],
      [2, 0],
      [2, 3],
    ]),
  )
  const long = await itemNeighbours(pairs, 4, 10, 0)
  const short = await itemNeighbours(pairs, 4, 1, 0)
  expect(nearestOnly(long, 1)).toEqual(short)
})

test('only the newest part of an enormous history counts', async () => {
  const length = LONGEST_HISTORY + 5
  const rows = Array.from({ length }, (_, i): [number, number, number] => [0, i, i])
  const lists = await itemNeighbours(distinctPairs(tableOf(rows)), length, 2000, 0)
  expect(lists.starts[5] - lists.starts[0]).toBe(0)
  expect(lists.starts[6] - lists.starts[5]).toBe(LONGEST_HISTORY - 1)
})
