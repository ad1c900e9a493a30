import { expect, test } from 'vitest'
import { FilterCache } from '#src/project/filter-cache.js'
import { Store } from '#src/store/index.js'
import { temporaryFolder } from './shelf.js'

test('what is kept is what the store says, also after a change and for values that JSON loses', () => {
  const store = Store.open(temporaryFolder(), { create: true })
  const item = (id: string, price: number) => ({
    id,
    attributes: { price, day: new Date(Date.UTC(2024, 0, price)) },
  })
  store.write({ items: [item('a', 1), item('b', 5), item('c', 9)] })
  const cache = new FilterCache(store)
  const filters = [
    { price: { $lt: 6 } },
    { day: { $gt: new Date(Date.UTC(2024, 0, 3)) } },
    { day: { $gt: new Date(Date.UTC(2024, 0, 7)) } },
    { id: { $in: ['a', 'c'] } },
    {},
  ]
  const check = () => {
    for (let again = 0; again < 2; again++) {
      for (const filter of filters) expect(cache.keysOf(filter)).toEqual(store.filterItems(filter))
    }
  }
  check()
  expect(cache.keysOf(filters[0])).toBe(cache.keysOf({ price: { $lt: 6 } }))
  expect(cache.keysOf(undefined)).toBeUndefined()
  const before = cache.keysOf(filters[0])
  store.write({ items: [item('d', 2)] })
  expect(cache.keysOf(filters[0])).not.toEqual(before)
  check()
  expect(() => cache.keysOf({ price: { $lt: Number.NaN } })).toThrow(/NaN|finite|number/)
  const circle: Record<string, unknown> = {}
  circle.$not = circle
  let deep = {}
  for (let i = 0; i < 100_000; i++) deep = { $not: deep }
  // To JSON it is a filter whose items are kept; to the store it is none.
  const disguised = Object.create({ toJSON: () => ({ price: { $lt: 6 } }) })
  for (const filter of [{ price: { $lt: 5n } }, circle, deep, disguised]) {
    expect(() => cache.keysOf(filter)).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }))
  }
  store.close()
})
