import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { anyOf, queryWords } from '#src/store/full-text.js'
import { openStore } from './temporary.js'

function shop() {
  const store = openStore()
  store.write({
    items: [
      { id: 'amp', title: 'Practice amp', description: 'A small amplifier with headphones.' },
      { id: 'strings', title: 'Nylon strings', description: 'Warm tone. Not an amp.' },
      { id: 'cafe', title: 'Café strap', description: 'Leather strap.' },
      { id: 'bare' },
    ],
    reviews: [
      { userId: 'u1', itemId: 'bare', text: 'quiet enough for night practice' },
      { userId: 'u2', itemId: 'bare', title: 'Quiet!', text: 'so quiet' },
      { userId: 'u3', itemId: 'strings', text: 'broke at once' },
    ],
  })
  const ids = (query: string, k = 10, allowed?: Int32Array) =>
    store.itemIds(store.searchText(query, k, allowed).keys)
  return { store, ids }
}

describe('searchText', () => {
  test('finds words in titles, descriptions and reviews; a title says more', () => {
    const { ids } = shop()
    expect(ids('amp')).toEqual(['amp', 'strings'])
    expect(ids('quiet')).toEqual(['bare'])
    expect(ids('BROKE')).toEqual(['strings'])
    expect(ids('practice')).toEqual(['amp', 'bare'])
    expect(ids('nothing like it')).toEqual([])
  })

  test('reads through accents, in either Unicode spelling', () => {
    const { ids } = shop()
    for (const query of ['cafe', 'CAFÉ', 'cafe\u0301']) expect(ids(query)).toEqual(['cafe'])
  })

  test('k and allowed bound the answer, scores fall', () => {
    const { store, ids } = shop()
    expect(ids('amp strings practice', 1)).toHaveLength(1)
    expect(ids('amp', 0)).toEqual([])
    const allowed = Int32Array.of(store.itemKey('strings')!)
    expect(ids('amp', 5, allowed)).toEqual(['strings'])
    expect(ids('amp', 5, new Int32Array(0))).toEqual([])
    const scores = [...store.searchText('amp strings quiet practice', 9).scores]
    expect(scores).toEqual([...scores].sort((a, b) => b - a))
    expect(scores.every((score) => score > 0)).toBe(true)
  })

  test('follows every write', () => {
    const { store, ids } = shop()
    store.write({
      items: [{ id: 'amp', title: 'Loud thing' }],
      reviews: [{ userId: 'u2', itemId: 'bare', title: 'Quiet!', text: 'hums' }],
    })
    expect(ids('amp')).toEqual(['strings'])
    expect(ids('loud')).toEqual(['amp'])
    expect(ids('hums')).toEqual(['bare'])
    store.removeItems(['bare'])
    expect(ids('hums quiet night')).toEqual([])
    expect(store.check()).toEqual([])
  })

  test('many lukewarm reviews do not outweigh the item that is about it', () => {
    const { store, ids } = shop()
    store.write({
      reviews: Array.from({ length: 200 }, (_, i) => ({
        userId: `v${i}`,
        itemId: 'cafe',
        text: `I also own an amp and it is number ${i} of the things that I like to have at home`,
      })),
    })
    expect(ids('amp')[0]).toBe('amp')
  })

  test.each([
    ['"', ''],
    ['amp"', 'amp'],
    ['amp OR NEAR(x, 2) AND y*', 'amp'],
    ['title:amp', 'amp'],
    ['^amp', 'amp'],
    ['{title description}:amp', 'amp'],
    ["amp'; DROP TABLE item; --", 'amp'],
    ['-amp', 'amp'],
    ['amp\0amplifier', 'amp'],
  ])('takes %j as words', (query, first) => {
    const { ids, store } = shop()
    expect(ids(query)[0] ?? '').toBe(first)
    expect(store.counts().items).toBe(4)
  })

  test('never fails, whatever is asked', () => {
    const { store } = shop()
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: 'grapheme' }),
      fc.string({ unit: 'binary-ascii' }),
    )
    fc.assert(
      fc.property(text, (query) => {
        store.searchText(query, 3)
        store.searchText(`amp ${query}`, 3)
      }),
      { numRuns: 1_000, seed: 9 },
    )
    expect(store.searchText('𝒳 ﷺ 日本語 \ud800 '.repeat(10_000), 3).keys).toHaveLength(0)
  })

  test('words that most items share are passed over, unless there are no others', () => {
    const store = openStore()
    const items = Array.from({ length: 200 }, (_, i) => ({
      id: `i${i}`,
      title: i % 4 === 0 ? 'to sail' : 'a stone',
    }))
    store.write({
      items: [...items, { id: 'ship', title: 'ship' }],
      reviews: [{ userId: 'u', itemId: 'i1', text: 'to be or not to be: to, to' }],
    })
    const ids = (query: string, k: number) => store.itemIds(store.searchText(query, k).keys)
    expect(ids('to ship', 5)).toEqual(['ship'])
    expect(ids('to sail', 5)).toHaveLength(5)
  })

  test('a pasted page is cut to its first distinct words', () => {
    const words = Array.from({ length: 500 }, (_, i) => `w${i % 200}`).join(' ')
    expect(queryWords(words)).toHaveLength(64)
    expect(queryWords('-- !? ')).toEqual([])
    expect(anyOf(['near', 'or'])).toBe('"near" OR "or"')
  })
})
