import { expect, test } from 'vitest'
import type { ItemKey } from '../../src/types.js'
import { openStore } from './temporary.js'

test('derived values are filtered by like any other, and records know nothing of them', () => {
  const store = openStore()
  const items = [
    { id: 'a', attributes: { brand: 'x' } },
    { id: 'b' },
    { id: 'c', attributes: { brand: 'y' } },
  ]
  store.write({ items })
  const [a, b, c] = store.itemKeys(['a', 'b', 'c']) as ItemKey[]
  expect(() => store.filterItems({ group: 'sea' })).toThrow(/no item has/)
  store.derived.replaceAll('group', [
    [a, 'sea'],
    [b, 'sea'],
    [c, 'land'],
  ])
  expect([...store.filterItems({ group: 'sea' })]).toEqual([a, b])
  expect([...store.filterItems({ group: { $in: ['land'] }, brand: 'y' })]).toEqual([c])
  expect(store.derived.of(a, 'group')).toBe('sea')
  expect(store.items([a])[0]?.attributes).toEqual({ brand: 'x' })
  expect(store.derived.isRecorded('group')).toBe(false)
  expect(store.derived.isRecorded('brand')).toBe(true)
  // The same records again change nothing, others keep what is derived.
  expect(store.write({ items }).items).toEqual({ added: 0, replaced: 0, unchanged: 3 })
  store.write({ items: [{ id: 'a', attributes: { brand: 'z', size: 3 } }] })
  expect(store.derived.of(a, 'group')).toBe('sea')
  expect([...store.filterItems({ brand: 'x' })]).toEqual([])
  store.derived.put('group', [
    [a, 'land'],
    [b, undefined],
    [999 as ItemKey, 'sea'],
  ])
  expect(store.derived.items('group')).toEqual(new Map([['land', [a, c]]]))
  store.removeItems(['a'])
  expect([...store.filterItems({ group: 'land' })]).toEqual([c])
  store.derived.replaceAll('group', [])
  expect([...store.filterItems({ group: { $exists: true } })]).toEqual([])
  expect(store.check()).toEqual([])
})

test('whoever keeps what a filter found hears of derived values', () => {
  const store = openStore()
  store.write({ items: [{ id: 'a' }] })
  const before = [store.changeCounter(), store.changeNumber()]
  store.derived.put('group', [[store.itemKey('a') as ItemKey, 'sea']])
  expect(store.changeCounter()).not.toBe(before[0])
  expect(store.changeNumber()).toBeGreaterThan(before[1])
})

test('values and what they are derived from are stored together, or not at all', () => {
  const store = openStore()
  store.write({ items: [{ id: 'a' }] })
  const a = store.itemKey('a') as ItemKey
  const both = (fails: boolean) =>
    store.derived.together(() => {
      store.derived.replaceAll('group', [[a, 'sea']])
      if (fails) throw new Error('power cut')
      store.setMeta('made of', 1)
    })
  expect(() => both(true)).toThrow('power cut')
  expect(store.derived.of(a, 'group')).toBeUndefined()
  both(false)
  expect([store.derived.of(a, 'group'), store.meta('made of')]).toEqual(['sea', 1])
})
