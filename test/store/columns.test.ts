import fc from 'fast-check'
import { expect, test } from 'vitest'
import { openStore } from './temporary.js'

const bound = fc.constantFrom(-1, 0, 1, 1.5, 2, 3, 1e300)
const limits = fc.record({ $gt: bound, $gte: bound, $lt: bound, $lte: bound }, { requiredKeys: [] })

test('ranges asked for again and again are the same from memory as from the database, also after changes', () => {
  const store = openStore()
  const price = (i: number) => [-1, 0, 1, 1.5, 2, 2, 3][i % 7]
  store.write({
    items: Array.from({ length: 60 }, (_, i) => ({
      id: `i${i}`,
      ...(i % 5 === 0 ? {} : { attributes: { price: i % 5 === 1 ? `${price(i)}` : price(i) } }),
    })),
  })
  const prices = new Map(Array.from({ length: 60 }, (_, i) => [`i${i}`, i % 5 > 1 ? price(i) : undefined]))
  const oracle = (test: Record<string, number>) =>
    [...prices]
      .filter(([, value]) => {
        if (value === undefined) return false
        return Object.entries(test).every(([operator, operand]) =>
          operator === '$gt'
            ? value > operand
            : operator === '$gte'
              ? value >= operand
              : operator === '$lt'
                ? value < operand
                : value <= operand,
        )
      })
      .map(([id]) => id)
      .sort()
  const check = () =>
    fc.assert(
      fc.property(limits, (test) => {
        if (Object.keys(test).length === 0) return
        const found = store.itemIds(store.filterItems({ price: test }))
        expect(found.map(String).sort()).toEqual(oracle(test as Record<string, number>))
      }),
      { numRuns: 60, seed: 1 },
    )
  check()
  store.write({ items: [{ id: 'i7', attributes: { price: 2 } }] })
  prices.set('i7', 2)
  store.removeItems(['i8'])
  prices.delete('i8')
  check()
})
