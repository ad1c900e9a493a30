import { statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { random } from '#src/math/random.js'
import { textHash } from '#src/store/index.js'
import type { Review } from '#src/types.js'
import { openStore, rawBytes, startChild, temporaryFolder } from './temporary.js'

const T = 1_600_000_000_000
const ID = 'forgettable-person-0001'

/** Made-up words that nobody else uses; the first and the last sort at the ends of any dictionary. */
const WORDS = ['aaaaardquux', 'flumbertine', 'grizzelwock', 'mimsyborough', 'zzyzzogeton']

function bystanders(count: number): Review[] {
  const source = random(5)
  const word = () => `${'bcdfgklmprst'[source.integer(12)]}${source.integer(400).toString(36)}`
  return Array.from({ length: count }, (_, i) => ({
    userId: `person-${i % 40}`,
    itemId: `item-${i % 25}`,
    time: T + i,
    rating: 1 + source.integer(5),
    text: Array.from({ length: 30 }, word).join(' '),
  }))
}

const theirs: Review[] = WORDS.map((word, i) => ({
  ...(i === 0 ? { id: 'their-review-id' } : {}),
  userId: ID,
  itemId: `item-${i}`,
  time: T + i,
  rating: 5,
  title: `Headline ${word}`,
  // One text is longer than a page, so that it spills over.
  text: i === 2 ? `${word} `.repeat(2_000) : `I find it ${word} and good`,
  attributes: { signature: `${word}-attribute` },
}))

function found(folder: string, needle: string): boolean {
  return rawBytes(folder).includes(needle)
}

describe('forgetUser', () => {
  test('leaves neither id nor words in the raw bytes of the database and its log', () => {
    const folder = temporaryFolder()
    const store = openStore(folder)
    const others = bystanders(3_000)
    store.write({ reviews: others.slice(0, 1_500) })
    store.write({ reviews: theirs, interactions: [{ userId: ID, itemId: 'item-9', time: T, value: 2 }] })
    store.write({ reviews: others.slice(1_500) })
    // Corrected once, so that older copies have been about.
    store.write({ reviews: theirs.map((review) => ({ ...review, text: `${review.text} indeed` })) })
    const own = store.reviewsBy(store.userKey(ID)!).map((review) => review.text as string)
    store.putEmbeddings('e', own.map(textHash), {
      data: new Float32Array(own.length * 2),
      rows: own.length,
      dim: 2,
    })
    store.planBatches('e', [
      [{ hash: textHash(own[1]), text: own[1] }],
      [{ hash: textHash('other'), text: 'other' }],
    ])
    for (const needle of [ID, ...WORDS]) expect(found(folder, needle)).toBe(true)

    expect(store.forgetUser(ID)).toEqual({
      users: 1,
      reviews: 5,
      interactions: 6,
      embeddings: 5,
      plannedBatches: 1,
      items: 5,
    })
    for (const needle of [ID, 'their-review-id', ...WORDS]) {
      expect({ needle, found: found(folder, needle) }).toEqual({ needle, found: false })
    }
    expect(statSync(join(folder, 'catalog.db-wal')).size).toBe(0)
    // Everyone else is still there, byte for byte.
    expect(store.counts()).toMatchObject({ users: 40, reviews: 3_000 })
    expect(store.reviewsOf(store.itemKey('item-3')!).map((review) => review.text)).toEqual(
      others.filter((review) => review.itemId === 'item-3').map((review) => review.text),
    )
    expect(store.plannedBatches('e')).toEqual([2])
    expect(store.check()).toEqual([])
  })

  test('leaves none of the copies that splitting pages leave behind', () => {
    // This very sequence left eleven of their words in the slack of a page as long as forgetting did not VACUUM.
    const id = 'forgetme-zz'
    const folder = temporaryFolder()
    const store = openStore(folder)
    const source = random(4)
    const common = () => `${'bcdfgklmprst'[source.integer(12)]}${source.integer(4000).toString(36)}`
    const needles = new Set([id])
    for (let part = 0; part < 15; part++) {
      const reviews: Review[] = []
      for (let i = 0; i < 150; i++) {
        const mine = source.integer(30) === 0
        const length = 1 + source.integer(mine ? 60 : 120)
        const words = Array.from({ length }, () =>
          mine ? `qzx${source.integer(1e9).toString(36)}` : common(),
        )
        if (mine) for (const word of words) needles.add(word)
        reviews.push({
          userId: mine ? id : `p${source.integer(300)}`,
          itemId: `i${source.integer(200)}`,
          time: 1e12 + source.integer(500),
          rating: 3,
          text: words.join(' '),
          ...(source.integer(3) ? {} : { id: `rid${source.integer(1500)}${mine ? id : ''}` }),
        })
      }
      store.write({ reviews })
    }
    store.forgetUser(id)
    const bytes = rawBytes(folder)
    expect([...needles].filter((needle) => bytes.includes(needle))).toEqual([])
  })

  test('makes the items they wrote about stale, and only those', () => {
    const store = openStore()
    store.write({ reviews: [...bystanders(50), ...theirs] })
    const rows = () =>
      store
        .itemSources(store.staleItems('s'))
        .map(({ key, textVersion }) => ({ key, textVersion, vector: undefined }))
    store.putItemVectors('s', rows())
    store.forgetUser(ID)
    expect(store.itemIds(store.staleItems('s')).sort()).toEqual([
      'item-0',
      'item-1',
      'item-2',
      'item-3',
      'item-4',
    ])
  })

  test('keeps the embeddings of texts that others wrote too', () => {
    const store = openStore()
    const shared = { itemId: 'a', title: 'Good', text: 'Same words' }
    store.write({
      items: [{ id: 'b', title: 'Only a title' }],
      reviews: [
        { ...shared, userId: ID },
        { ...shared, userId: 'other' },
        { userId: ID, itemId: 'a', time: T, text: 'Only a title' },
        { userId: ID, itemId: 'a', time: T + 1, text: 'Only mine' },
      ],
    })
    const texts = ['Good\nSame words', 'Only a title', 'Only mine']
    store.putEmbeddings('e', texts.map(textHash), { data: new Float32Array(3), rows: 3, dim: 1 })
    expect(store.forgetUser(ID).embeddings).toBe(1)
    expect(store.embeddings('e', texts.map(textHash)).map((vector) => vector !== undefined)).toEqual([
      true,
      true,
      false,
    ])
  })

  test('asks textsOf what was embedded for a review', () => {
    const store = openStore()
    store.write({ reviews: [{ userId: ID, itemId: 'a', text: 'x' }] })
    store.putEmbeddings('e', [textHash('query: x')], { data: new Float32Array(1), rows: 1, dim: 1 })
    expect(store.forgetUser(ID, { textsOf: ({ text }) => [`query: ${text}`] }).embeddings).toBe(1)
  })

  test('an unknown person is nobody', () => {
    const store = openStore()
    store.write({ reviews: bystanders(10) })
    expect(store.forgetUser('nobody')).toEqual({
      users: 0,
      reviews: 0,
      interactions: 0,
      embeddings: 0,
      plannedBatches: 0,
      items: 0,
    })
    expect(store.counts().reviews).toBe(10)
  })

  test('a reader elsewhere that holds the log is named, and a second call finishes', async () => {
    const folder = temporaryFolder()
    const store = openStore(folder, { create: true, busyTimeout: 200 })
    store.write({ reviews: [...bystanders(50), ...theirs] })
    const child = startChild(
      folder,
      `const { createRequire } = await import('node:module')
       const Sqlite = createRequire(${JSON.stringify(import.meta.url)})('better-sqlite3')
       const db = new Sqlite(folder + '/catalog.db'); db.exec('BEGIN'); db.prepare('SELECT * FROM user').all()
       // Whatever refers to it no more is closed by the garbage collector.
       console.log('reading'); setInterval(() => db.open, 1000)`,
    )
    while (child.lines.length === 0) await new Promise((resolve) => setTimeout(resolve, 20))
    expect(() => store.forgetUser(ID)).toThrow(/another process is reading/)
    expect(store.userKey(ID)).toBeUndefined()
    child.kill()
    await child.ended
    store.forgetUser(ID)
    for (const needle of [ID, ...WORDS]) expect(found(folder, needle)).toBe(false)
  })
})
