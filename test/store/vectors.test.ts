import { describe, expect, test } from 'vitest'
import { type ItemVectorRow, type Store, textHash } from '#src/store/index.js'
import type { ItemKey } from '#src/types.js'
import { openStore, temporaryFolder } from './temporary.js'

const matrix = (...rows: number[][]) => ({
  data: Float32Array.from(rows.flat()),
  rows: rows.length,
  dim: rows[0].length,
})

/** Gives every stale item of a space the vector [key, textVersion]. */
function bringUpToDate(store: Store, space = 's'): void {
  const rows = store.itemSources(store.staleItems(space)).map(
    ({ key, textVersion }): ItemVectorRow => ({
      key,
      textVersion,
      vector: Float32Array.of(key, textVersion),
    }),
  )
  store.putItemVectors(space, rows)
}

describe('embeddings', () => {
  const hashes = ['a', 'b', 'c'].map(textHash)

  test('come back by hash, in the order asked for, per space', () => {
    const store = openStore()
    store.putEmbeddings('e', hashes.slice(0, 2), matrix([1, 2], [3, 4]))
    store.putEmbeddings('f', hashes.slice(0, 1), matrix([9, 9, 9]))
    expect(store.embeddings('e', [hashes[1], hashes[2], hashes[0]])).toEqual([
      Float32Array.of(3, 4),
      undefined,
      Float32Array.of(1, 2),
    ])
    expect(store.embeddings('f', hashes)).toEqual([Float32Array.of(9, 9, 9), undefined, undefined])
    expect(store.embeddings('none', hashes)).toEqual([undefined, undefined, undefined])
    expect(store.countEmbeddings('e')).toBe(2)
    expect(store.spaces()).toEqual(['e', 'f'])
    store.dropSpace('f')
    expect(store.spaces()).toEqual(['e'])
  })

  test('the first vector of a text stays', () => {
    const store = openStore()
    store.putEmbeddings('e', hashes.slice(0, 1), matrix([1]))
    store.putEmbeddings('e', hashes.slice(0, 2), matrix([2], [3]))
    expect(store.embeddings('e', hashes.slice(0, 2))).toEqual([Float32Array.of(1), Float32Array.of(3)])
  })

  test('what does not fit is refused and nothing of it stored', () => {
    const store = openStore()
    store.putEmbeddings('e', hashes.slice(0, 1), matrix([1, 2]))
    expect(() => store.putEmbeddings('e', hashes.slice(1, 2), matrix([1, 2, 3]))).toThrow(
      /2 numbers met one of 3/,
    )
    expect(() => store.putEmbeddings('e', hashes, matrix([1, 2]))).toThrow(/3 hashes met 1 vectors/)
    expect(() => store.putEmbeddings('e', hashes.slice(1), matrix([1, 2], [Number.NaN, 0]))).toThrow(/NaN/)
    expect(store.countEmbeddings('e')).toBe(1)
  })
})

describe('planned batches', () => {
  const planned = (...texts: string[]) => texts.map((text) => ({ hash: textHash(text), text }))

  test('survive closing, keep their members in place, and go when finished', () => {
    const folder = temporaryFolder()
    const first = openStore(folder)
    first.planBatches('e', [planned('z', 'a', 'z2'), planned('m')])
    first.close()
    const store = openStore(folder, {})
    expect(store.plannedBatches('e')).toEqual([1, 2])
    expect(store.plannedBatch('e', 1)).toEqual(planned('z', 'a', 'z2'))
    expect(store.plannedBatches('other')).toEqual([])
    const batch = store.plannedBatch('e', 1)
    store.finishBatch(
      'e',
      1,
      batch.map(({ hash }) => hash),
      matrix([1], [2], [3]),
    )
    expect(store.plannedBatches('e')).toEqual([2])
    expect(store.plannedBatch('e', 1)).toEqual([])
    expect(store.embeddings('e', [textHash('a')])).toEqual([Float32Array.of(2)])
    store.planBatches('e', [planned('q')])
    expect(store.plannedBatches('e')).toEqual([2, 3])
  })

  test('a batch whose vectors are refused stays planned', () => {
    const store = openStore()
    store.planBatches('e', [planned('a')])
    expect(() => store.finishBatch('e', 1, [textHash('a')], matrix([1 / 0]))).toThrow(/infinity/)
    expect(store.plannedBatches('e')).toEqual([1])
  })
})

describe('item vectors', () => {
  const T = 1_600_000_000_000

  test('an item is stale until its vector is of its latest text', () => {
    const store = openStore()
    store.write({ items: [{ id: 'a' }, { id: 'b' }], interactions: [{ userId: 'u', itemId: 'c' }] })
    expect(store.staleItems('s')).toEqual([1, 2, 3])
    bringUpToDate(store)
    expect(store.staleItems('s')).toEqual([])
    expect(store.staleItems('other')).toEqual([1, 2, 3])
    const stale = (records: Parameters<Store['write']>[0]) => {
      store.write(records)
      const ids = store.itemIds(store.staleItems('s'))
      bringUpToDate(store)
      return ids
    }
    expect(stale({ items: [{ id: 'a', title: 'x' }] })).toEqual(['a'])
    expect(stale({ items: [{ id: 'b', attributes: { p: 1 } }] })).toEqual(['b'])
    expect(stale({ reviews: [{ id: 'r', userId: 'u', itemId: 'c', text: 'x' }] })).toEqual(['c'])
    expect(stale({ reviews: [{ id: 'r', userId: 'u', itemId: 'a', text: 'x' }] })).toEqual(['a', 'c'])
    expect(stale({ interactions: [{ userId: 'v', itemId: 'b', value: 1 }] })).toEqual([])
    expect(stale({ items: [{ id: 'd' }] })).toEqual(['d'])
  })

  test('a vector of an older text does not make the item up to date', () => {
    const store = openStore()
    store.write({ items: [{ id: 'a' }] })
    const [source] = store.itemSources([1])
    store.write({ items: [{ id: 'a', title: 'changed meanwhile' }] })
    store.putItemVectors('s', [
      { key: source.key, textVersion: source.textVersion, vector: Float32Array.of(1) },
    ])
    expect(store.staleItems('s')).toEqual([1])
  })

  test('changes since a sequence: what was put, what was removed, what lost its text', () => {
    const store = openStore()
    store.write({ items: ['a', 'b', 'c', 'd'].map((id) => ({ id })) })
    bringUpToDate(store)
    const all = store.itemVectors('s')
    expect([...all.keys]).toEqual([1, 2, 3, 4])
    expect(all.vectors).toMatchObject({ rows: 4, dim: 2 })
    const nothing = store.vectorChanges('s', all.sequence)
    expect([...nothing.upserts.keys, ...nothing.removed]).toEqual([])

    store.putItemVectors('s', [{ key: 2 as ItemKey, textVersion: 9, vector: Float32Array.of(7, 7) }])
    store.putItemVectors('s', [{ key: 4 as ItemKey, textVersion: 9, vector: undefined }])
    store.putItemVectors('t', [{ key: 3 as ItemKey, textVersion: 9, vector: Float32Array.of(1) }])
    store.removeItems(['a'])
    const changes = store.vectorChanges('s', all.sequence)
    expect([...changes.upserts.keys]).toEqual([2])
    expect([...changes.upserts.vectors.data]).toEqual([7, 7])
    expect([...changes.removed]).toEqual([1, 4])
    expect([...store.vectorChanges('s', changes.sequence).removed]).toEqual([])
    expect([...store.itemVectors('s').keys]).toEqual([2, 3])
    expect(store.countItemVectors('s')).toBe(2)
    expect([...store.vectorChanges('nowhere', 0).removed]).toEqual([])
  })

  test('a vector for an item that was deleted meanwhile is left out', () => {
    const store = openStore()
    store.write({ items: [{ id: 'a' }, { id: 'b' }] })
    const sources = store.itemSources([1, 2])
    store.removeItems(['a'])
    store.putItemVectors(
      's',
      sources.map(({ key, textVersion }) => ({ key, textVersion, vector: Float32Array.of(1) })),
    )
    expect([...store.itemVectors('s').keys]).toEqual([2])
    expect(store.itemSources([1, 2]).map(({ id }) => id)).toEqual(['b'])
  })

  test('one dimension per space', () => {
    const store = openStore()
    store.write({ items: [{ id: 'a' }, { id: 'b' }] })
    const row = (key: number, ...vector: number[]): ItemVectorRow => ({
      key: key as ItemKey,
      textVersion: 1,
      vector: Float32Array.from(vector),
    })
    store.putItemVectors('s', [row(1, 1, 2)])
    expect(() => store.putItemVectors('s', [row(1, 5, 5), row(2, 1)])).toThrow(/2 numbers met one of 1/)
    expect([...store.itemVectors('s').vectors.data]).toEqual([1, 2])
  })

  test('sources hold what the vector is made from', () => {
    const store = openStore()
    const item = { id: 'a', title: 'T', description: 'D', attributes: { brand: 'B' } }
    store.write({
      items: [item],
      reviews: [
        { userId: 'u', itemId: 'a', text: 'second', time: T + 1 },
        { userId: 'u', itemId: 'a', text: 'first', time: T },
      ],
    })
    const [source] = store.itemSources([1])
    expect(source).toMatchObject(item)
    expect(source.reviews.map(({ text }) => text)).toEqual(['first', 'second'])
  })
})
