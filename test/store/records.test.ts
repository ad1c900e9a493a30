import { describe, expect, test } from 'vitest'
import { openStore, temporaryFolder } from './temporary.js'

const DAY = 86_400_000
const T = 1_600_000_000_000

const all = {
  items: [
    {
      id: 'guitar',
      title: 'Blue guitar',
      description: 'Warm nylon strings.',
      attributes: {
        price: 99.5,
        tags: ['wood', 'blue'],
        new: true,
        made: new Date(T),
        brand: 'Ibis',
        none: [],
      },
    },
    { id: 'amp', title: 'Small amp' },
  ],
  reviews: [
    {
      userId: 'ann',
      itemId: 'guitar',
      text: 'Lovely tone',
      rating: 5,
      time: T,
      attributes: { verified: true },
    },
    { id: 'r7', userId: 'bob', itemId: 'strings', title: 'Broke', rating: 1, time: T + DAY, helpful: 3 },
    { userId: 'bob', itemId: 'guitar', text: 'No rating, no event' },
  ],
  interactions: [
    { userId: 'ann', itemId: 'guitar', time: T },
    { userId: 'cem', itemId: 'amp', time: T, value: 4 },
    { userId: 'cem', itemId: 'amp', time: T + DAY, value: 2 },
  ],
}

describe('write', () => {
  test('gives back what was written, attributes with their types', () => {
    const store = openStore()
    store.write(all)
    const key = store.itemKey('guitar')!
    expect(store.items([key])).toEqual([{ key, ...all.items[0] }])
    const [unrated, rated] = store.reviewsOf(key)
    expect(rated).toEqual({ itemKey: key, userKey: store.userKey('ann'), ...all.reviews[0] })
    expect(unrated).toEqual({ itemKey: key, userKey: store.userKey('bob'), ...all.reviews[2] })
    expect(store.reviewsBy(store.userKey('bob')!).map((review) => review.itemId)).toEqual([
      'guitar',
      'strings',
    ])
  })

  test('makes the items and people that are only named', () => {
    const store = openStore()
    store.write(all)
    expect(store.items([store.itemKey('strings')!])).toEqual([
      { key: store.itemKey('strings'), id: 'strings' },
    ])
    expect(store.counts()).toEqual({ items: 3, users: 3, reviews: 3, interactions: 4 })
    // The record that describes a bare item adds it; once described, it replaces.
    expect(store.write({ items: [{ id: 'strings' }] }).items).toEqual({ added: 1, replaced: 0, unchanged: 0 })
    expect(store.write({ items: [{ id: 'strings' }] }).items).toEqual({ added: 0, replaced: 0, unchanged: 1 })
  })

  test('a rerun changes nothing, not even the counters', () => {
    const store = openStore()
    store.write(all)
    store.putItemVectors(
      's',
      store.staleItems('s').map((key) => ({ key, textVersion: 1, vector: undefined })),
    )
    const counter = store.changeCounter()
    const { sequence } = store.vectorChanges('s', 0)
    expect(store.write(all)).toEqual({
      items: { added: 0, replaced: 0, unchanged: 2 },
      reviews: { added: 0, replaced: 0, unchanged: 3 },
      interactions: { added: 0, replaced: 0, unchanged: 3 },
    })
    expect(store.changeCounter()).toBe(counter)
    expect(store.vectorChanges('s', 0).sequence).toBe(sequence)
    expect(store.staleItems('s')).toEqual([])
  })

  test('a corrected record replaces the whole of the old one', () => {
    const store = openStore()
    store.write(all)
    const counts = store.write({
      items: [{ id: 'guitar', title: 'Green guitar', attributes: { price: 80 } }],
      reviews: [
        { id: 'r7', userId: 'bob', itemId: 'amp', rating: 4, time: T + DAY },
        { ...all.reviews[0], text: 'Dull tone', rating: undefined },
      ],
      interactions: [{ userId: 'cem', itemId: 'amp', time: T, value: 5 }],
    })
    expect(counts.items.replaced + counts.reviews.replaced + counts.interactions.replaced).toBe(4)
    const guitar = store.itemKey('guitar')!
    expect(store.items([guitar])).toEqual([
      { key: guitar, id: 'guitar', title: 'Green guitar', attributes: { price: 80 } },
    ])
    expect([...store.filterItems({ brand: 'Ibis' })]).toEqual([])
    expect([...store.filterItems({ price: 80 })]).toEqual([guitar])
    expect(store.reviewsOf(store.itemKey('strings')!)).toEqual([])
    expect(store.reviewsOf(store.itemKey('amp')!).map((review) => review.rating)).toEqual([4])
    expect([...store.searchText('lovely', 5).keys]).toEqual([])
    expect([...store.searchText('dull', 5).keys]).toEqual([guitar])
  })

  test('of equal identities in one call the last counts', () => {
    const store = openStore()
    const twice = {
      items: [
        { id: 'a', title: 'old' },
        { id: 'a', title: 'new' },
      ],
      reviews: [
        { userId: 'u', itemId: 'a', text: 'old' },
        { userId: 'u', itemId: 'a', text: 'new' },
      ],
      interactions: [
        { userId: 'u', itemId: 'a', value: 1 },
        { userId: 'u', itemId: 'b' },
        { userId: 'u', itemId: 'a', value: 2 },
      ],
    }
    expect(store.write(twice)).toEqual({
      items: { added: 1, replaced: 1, unchanged: 0 },
      reviews: { added: 1, replaced: 1, unchanged: 0 },
      interactions: { added: 2, replaced: 1, unchanged: 0 },
    })
    expect(store.items([1])[0]?.title).toBe('new')
    expect(store.reviewsOf(store.itemKey('a')!)[0].text).toBe('new')
    expect([...store.historyOf(store.userKey('u')!).values]).toEqual([2, Number.NaN])
    expect(store.write(twice).interactions).toEqual({ added: 0, replaced: 1, unchanged: 2 })
    // Identical records of one call change nothing, the first time and later.
    const same = [
      { id: 's', title: 't', attributes: { a: 1, b: 2 } },
      { id: 's', title: 't', attributes: { b: 2, a: 1 } },
    ]
    expect(store.write({ items: same }).items).toEqual({ added: 1, replaced: 0, unchanged: 1 })
  })

  test('all or nothing: one bad record undoes the call, and keys made in it are forgotten', () => {
    const store = openStore()
    const bad = { items: [{ id: 'x' }], interactions: [{ userId: 'u', itemId: 'x', value: Number.NaN }] }
    expect(() => store.write(bad)).toThrow(/Interaction 1: value is NaN/)
    expect(store.counts()).toEqual({ items: 0, users: 0, reviews: 0, interactions: 0 })
    store.write({ interactions: [{ userId: 'u', itemId: 'x' }] })
    expect(store.counts()).toEqual({ items: 1, users: 1, reviews: 0, interactions: 1 })
    expect(store.check()).toEqual([])
  })

  test.each([
    ['an empty id', { items: [{ id: '' }] }, 'Item 1: id is ""'],
    ['half a surrogate pair', { items: [{ id: '\ud800' }] }, 'Item 1: id is'],
    ['an empty person', { interactions: [{ userId: '', itemId: 'a' }] }, 'Interaction 1: userId is ""'],
    [
      'an infinite rating',
      { reviews: [{ userId: 'u', itemId: 'a', rating: 1 / 0 }] },
      'Review 1: rating is Infinity',
    ],
    [
      'an impossible time',
      { reviews: [{ userId: 'u', itemId: 'a', time: 9e15 }] },
      'Review 1: time is 9000000000000000',
    ],
    [
      'a NaN attribute',
      { items: [{ id: 'a', attributes: { p: Number.NaN } }] },
      'Item "a": attribute "p" is NaN',
    ],
    [
      'no date',
      { items: [{ id: 'a', attributes: { p: new Date('x') } }] },
      'attribute "p" is an invalid date',
    ],
    [
      'nesting',
      { items: [{ id: 'a', attributes: { p: { q: 1 } as never } }] },
      'attribute "p" is an object { q }',
    ],
  ])('refuses %s', (_, records, message) => {
    expect(() => openStore().write(records)).toThrow(message)
  })

  test('knows more people than it keeps in mind, and none who has been forgotten', () => {
    const store = openStore()
    const events = Array.from({ length: 70_000 }, (_, i) => ({ userId: `u${i}`, itemId: 'i', time: 1e12 }))
    expect(store.write({ interactions: events }).interactions.added).toBe(70_000)
    const again = store.write({ interactions: [...events].reverse() }).interactions
    expect(again).toEqual({ added: 0, replaced: 0, unchanged: 70_000 })
    // Somebody from each end: remembered lately, a while ago, and no more.
    for (const person of [0, 35_000, 69_999]) {
      store.forgetUser(`u${person}`)
      expect(store.write({ interactions: [events[person]] }).interactions.added).toBe(1)
    }
    expect(store.counts().users).toBe(70_000)
  })

  test('keeps hostile ids and names apart and intact', () => {
    const store = openStore()
    const ids = [
      'caf\u00e9',
      'cafe\u0301',
      "'; DROP TABLE item; --",
      '__proto__',
      'constructor',
      'a\0b',
      'a',
      ' a',
      '𝒳',
      '9007199254740993',
      '9007199254740992',
      'x'.repeat(65_536),
    ]
    store.write({ items: ids.map((id) => ({ id, title: id })) })
    expect([...store.eachItem()].map((item) => item.id)).toEqual(ids)
    expect(new Set(store.itemKeys(ids)).size).toBe(ids.length)
    expect(store.itemIds(store.itemKeys(ids) as number[])).toEqual(ids)
    const attributes = JSON.parse('{"__proto__": "x", "$date": "2020-01-01", "a": "b"}')
    store.write({ items: [{ id: 'p', attributes }] })
    const back = store.items([store.itemKey('p')!])[0]?.attributes
    expect(Object.entries(back!).sort()).toEqual(Object.entries(attributes).sort())
    expect(({} as { x?: string }).x).toBeUndefined()
    expect([...store.filterItems(JSON.parse('{"__proto__": "x"}'))]).toEqual([store.itemKey('p')])
  })

  test('lone surrogates in texts become U+FFFD, and a rerun still changes nothing', () => {
    const store = openStore()
    const item = { id: 'a', title: 'x\ud800y', attributes: { b: '\udc00' } }
    store.write({ items: [item] })
    expect(store.items([1])[0]).toMatchObject({ title: 'x\ufffdy', attributes: { b: '\ufffd' } })
    expect(store.write({ items: [item] }).items.unchanged).toBe(1)
  })

  test('keys are never used again', () => {
    const store = openStore()
    store.write({ items: [{ id: 'a' }, { id: 'b' }] })
    store.removeItems(['b'])
    store.write({ items: [{ id: 'c' }, { id: 'b' }] })
    expect(store.itemKeys(['a', 'b', 'c'])).toEqual([1, 4, 3])
  })
})

describe('events', () => {
  test('a rated review and an interaction at the same time are one event', () => {
    const store = openStore()
    store.write(all)
    expect([...store.historyOf(store.userKey('ann')!).values]).toEqual([5])
    store.write({ interactions: [{ userId: 'ann', itemId: 'guitar', time: T, value: 3 }] })
    expect([...store.historyOf(store.userKey('ann')!).values]).toEqual([3])
    // The review loses its rating: the interaction's own record stays.
    store.write({ reviews: [{ ...all.reviews[0], rating: undefined }] })
    expect([...store.historyOf(store.userKey('ann')!).values]).toEqual([3])
    // A rated review moves to another item: its event moves along.
    store.write({ reviews: [{ ...all.reviews[1], itemId: 'amp' }] })
    expect([...store.historyOf(store.userKey('bob')!).items]).toEqual([store.itemKey('amp')])
  })

  test('of several rated reviews at one time the latest to come says the value', () => {
    const store = openStore()
    const review = { userId: 'u', itemId: 'a', time: T }
    const value = () => [...store.historyOf(store.userKey('u')!).values]
    store.write({
      reviews: [
        { ...review, id: 'r1', rating: 1 },
        { ...review, id: 'r2', rating: 2 },
      ],
    })
    expect(value()).toEqual([2])
    store.write({ reviews: [{ ...review, id: 'r1', rating: 5 }] })
    expect(value()).toEqual([2])
    store.write({ reviews: [{ ...review, id: 'r2' }] })
    expect(value()).toEqual([5])
    store.write({ reviews: [{ ...review, id: 'r1', itemId: 'b', rating: 5 }] })
    expect([...store.historyOf(store.userKey('u')!).items]).toEqual([store.itemKey('b')])
    store.removeItems(['b'])
    expect(value()).toEqual([])
  })

  test('the table: every item, people with events, sorted by person, time and arrival', () => {
    const store = openStore()
    store.write(all)
    store.write({ items: [{ id: 'lonely' }] })
    const table = store.interactions()
    expect(table.itemIds).toEqual(['guitar', 'amp', 'strings', 'lonely'])
    expect(table.userIds).toEqual(['ann', 'bob', 'cem'])
    expect([...table.users]).toEqual([0, 1, 2, 2])
    expect([...table.items]).toEqual([0, 2, 1, 1])
    expect([...table.times]).toEqual([T, T + DAY, T, T + DAY])
    expect([...table.values]).toEqual([5, 1, 4, 2])
    expect(table.timeKind).toBe('date')
    const liked = store.interactions({ minRating: 4 })
    expect([...liked.values]).toEqual([5, 4])
    expect(liked.userIds).toEqual(['ann', 'cem'])
    expect([...store.interactions({ before: T + DAY }).values]).toEqual([5, 4])
  })

  test('without times the order of arrival is the history; events without a value are always liked', () => {
    const store = openStore()
    store.write({
      interactions: [
        { userId: 'u', itemId: 'b' },
        { userId: 'u', itemId: 'a' },
      ],
    })
    store.write({
      interactions: [
        { userId: 'u', itemId: 'c' },
        { userId: 'u', itemId: 'b', value: 1 },
      ],
    })
    const table = store.interactions()
    expect([...table.items].map((i) => table.itemIds[i])).toEqual(['b', 'a', 'c'])
    expect([...table.times]).toEqual([0, 0, 0])
    expect(table.timeKind).toBe('none')
    expect([...store.interactions({ minRating: 3 }).items].map((i) => table.itemIds[i])).toEqual(['a', 'c'])
    expect(store.interactions({ before: T }).users).toHaveLength(0)
  })

  test('positions and dates do not mix, and the kind goes with the last time', () => {
    const store = openStore()
    store.write({ interactions: [{ userId: 'u', itemId: 'a', time: 1 }] })
    expect(store.timeKind()).toBe('order')
    expect(() => store.write({ reviews: [{ userId: 'u', itemId: 'b', time: T }] })).toThrow(
      'Review 1: time 1600000000000 is a date, but the times before it are positions.',
    )
    store.removeItems(['a'])
    expect(store.timeKind()).toBe('none')
    store.write({ reviews: [{ userId: 'u', itemId: 'b', time: -5 }] })
    expect(store.timeKind()).toBe('date')
    expect(() => store.write({ interactions: [{ userId: 'u', itemId: 'b', time: 0 }] })).toThrow(
      'is a position',
    )
  })

  test('reviews can be asked for as they were before a time and without one person', () => {
    const store = openStore()
    store.write(all)
    store.write({ reviews: [{ userId: 'cem', itemId: 'guitar', text: 'late', time: T + 5 * DAY }] })
    const guitar = store.itemKey('guitar')!
    const texts = (range: object) => store.reviewsOf(guitar, range).map((review) => review.text)
    expect(texts({})).toEqual(['No rating, no event', 'Lovely tone', 'late'])
    expect(texts({ before: T + 5 * DAY })).toEqual(['Lovely tone'])
    expect(texts({ exceptUser: store.userKey('ann') })).toEqual(['No rating, no event', 'late'])
    expect(store.itemSources([guitar], { before: T })[0].reviews).toEqual([])
  })
})

describe('removing', () => {
  test('takes an item with everything said about it', () => {
    const store = openStore()
    store.write(all)
    expect(store.removeItems(['guitar', 'unknown', 'guitar'])).toBe(1)
    expect(store.counts()).toEqual({ items: 2, users: 3, reviews: 1, interactions: 3 })
    expect(store.itemKey('guitar')).toBeUndefined()
    expect([...store.searchText('lovely blue nylon', 5).keys]).toEqual([])
    expect([...store.filterItems({ brand: { $exists: true } })]).toEqual([])
    expect(store.check()).toEqual([])
  })
})

describe('the project', () => {
  test('a second connection sees what the first committed', () => {
    const folder = temporaryFolder()
    const first = openStore(folder)
    const second = openStore(folder, {})
    const seen = second.changeCounter()
    expect(second.changeCounter()).toBe(seen)
    first.write(all)
    expect(second.changeCounter()).not.toBe(seen)
    expect(second.itemKey('amp')).toBe(first.itemKey('amp'))
    // Keys that one connection remembers and the other deletes must not come back.
    first.removeItems(['amp'])
    second.write({ interactions: [{ userId: 'dan', itemId: 'amp' }] })
    expect(second.check()).toEqual([])
    first.write({ interactions: [{ userId: 'eve', itemId: 'amp' }] })
    expect(first.itemKey('amp')).toBe(second.itemKey('amp'))
  })

  test('keeps named values', () => {
    const store = openStore()
    store.setMeta('live', { index: 'i1' })
    store.setMeta('live', { index: 'i2' })
    expect(store.meta('live')).toEqual({ index: 'i2' })
    store.setMeta('live', undefined)
    expect(store.meta('live')).toBeUndefined()
  })

  test('a closed store says so', () => {
    const store = openStore()
    store.close()
    store.close()
    expect(() => store.counts()).toThrow(/was closed/)
    expect(() => store.write({})).toThrow(/was closed/)
  })

  test('a refusal shortens a long id', () => {
    const item = { id: 'x'.repeat(1000), attributes: { a: Number.NaN } }
    expect(() => openStore().write({ items: [item] })).toThrow(/^Item "x{57}\.\.\.": attribute "a" is NaN/)
  })
})
