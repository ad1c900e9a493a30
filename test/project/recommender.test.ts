import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Recommender } from 'textrec'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { acquireLock } from '#src/store/lock.js'
import { groupOf, ITEMS, REVIEWS, temporaryFolder } from './shelf.js'

const code = (value: string) => expect.objectContaining({ name: 'TextrecError', code: value })

describe('a project without an index', () => {
  test('is not made by open({ create: false })', async () => {
    const folder = join(temporaryFolder(), 'none')
    await expect(Recommender.open(folder, { create: false })).rejects.toThrow(code('PROJECT_MISSING'))
    expect(() => readdirSync(folder)).toThrow(/ENOENT/)
  })

  test('says so when asked', async () => {
    const shop = await Recommender.open(temporaryFolder())
    await shop.upsert({ items: ITEMS })
    await expect(shop.similarItems('guitar-1')).rejects.toThrow(code('NOTHING_INDEXED'))
    await expect(shop.search('guitar')).rejects.toThrow(code('NOTHING_INDEXED'))
    expect(await shop.stats()).toMatchObject({ items: 12, itemsStale: 12, itemsWithVector: 0 })
    await shop.close()
  })

  test('refuses options that do not exist, by name', async () => {
    await expect(Recommender.open(temporaryFolder(), { enocder: 'x' } as object)).rejects.toThrow(
      /no option 'enocder'. Did you mean 'encoder'/,
    )
    const shop = await Recommender.open(temporaryFolder())
    await expect(shop.similarItems('a', { K: 3 } as object)).rejects.toThrow(code('OPTION_UNKNOWN'))
    await expect(shop.similarItems('a', { k: 0 })).rejects.toThrow(code('OPTION_INVALID'))
    await shop.close()
    await shop.close()
    await expect(shop.stats()).rejects.toThrow(code('PROJECT_CLOSED'))
  })

  test('an empty catalogue can be indexed and asked', async () => {
    const shop = await Recommender.open(temporaryFolder())
    const report = await shop.index()
    expect(report.vectors.items).toBe(0)
    expect((await shop.search('anything')).items).toEqual([])
    await expect(shop.similarItems('x')).rejects.toThrow(code('NOT_FOUND'))
    await shop.close()
  })
})

describe('an indexed project', () => {
  const folder = temporaryFolder()
  let shop: Recommender
  beforeAll(async () => {
    shop = await Recommender.open(folder)
    await shop.upsert({ items: ITEMS, reviews: REVIEWS })
    const report = await shop.index()
    expect(report.index).toMatchObject({ built: true, recall: 1, size: 13 })
    expect(report.vectors).toMatchObject({ items: 13, withoutText: 0 })
  })
  afterAll(() => shop.close())

  test.each(ITEMS.map(({ id }) => id))('the nearest thing to %s is of its own group', async (id) => {
    const { basis, items } = await shop.similarItems(id, { k: 11 })
    expect(basis).toBe('frozen text')
    expect(items).toHaveLength(11)
    expect(items.map(({ rank }) => rank)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    expect(items.map(({ itemId }) => itemId)).not.toContain(id)
    expect([...items].sort((a, b) => b.score - a.score)).toEqual(items)
    expect(groupOf(items[0].itemId)).toBe(groupOf(id))
  })

  test('an item known by a review alone has neighbours', async () => {
    const { items } = await shop.similarItems('mystery', { k: 3 })
    expect(items.map(({ itemId }) => groupOf(itemId))).toEqual(['guitar', 'guitar', 'guitar'])
  })

  test('an item that is not stored has neighbours, and is not stored afterwards', async () => {
    const before = await shop.stats()
    const { items } = await shop.similarToItem({
      title: 'Ukulele',
      reviews: [{ text: 'Four strings and much fun', rating: 5 }],
    })
    expect(groupOf(items[0].itemId)).toBe('guitar')
    expect(await shop.stats()).toEqual(before)
    await expect(shop.similarToItem({})).rejects.toThrow(code('NOT_ENOUGH_DATA'))
  })

  test.each(['hybrid', 'vector', 'text'] as const)(
    'search by %s finds what the text is about',
    async (mode) => {
      const { items } = await shop.search('watering flowers', { k: 2, mode })
      expect(items.map(({ itemId }) => itemId).sort()).toEqual(['garden-1', 'garden-4'])
      expect((await shop.search('  ', { mode })).items).toEqual([])
    },
  )

  test('the same question has the same answer', async () => {
    const ask = () => shop.search('something to cook with', { k: 5 })
    expect(await ask()).toEqual(await ask())
  })

  test('a filter is kept, and k beyond what matches gives what there is', async () => {
    await shop.upsert({ items: [{ ...ITEMS[4], attributes: { price: 20 } }] })
    const { items } = await shop.search('guitar', { filter: { price: { $lt: 30 } } })
    expect(items.map(({ itemId }) => itemId)).toEqual(['kitchen-1'])
  })

  test('upserts, corrections and removals count from the next call on, here and in another open project', async () => {
    const other = await Recommender.open(folder)
    expect((await other.search('telescope')).items[0].itemId).not.toBe('sky')
    await shop.upsert({
      items: [{ id: 'sky', title: 'Telescope', description: 'For watching planets and stars.' }],
    })
    for (const project of [shop, other]) {
      expect((await project.search('telescope for planets')).items[0].itemId).toBe('sky')
    }
    await shop.upsert({ items: [{ id: 'sky', title: 'Trumpet', description: 'A brass trumpet.' }] })
    for (const project of [shop, other]) {
      const { items } = await project.search('brass instrument', { mode: 'vector', k: 1 })
      expect(items[0]).toMatchObject({ itemId: 'sky', title: 'Trumpet' })
    }
    expect(await shop.remove({ items: ['sky', 'never-there'] })).toEqual({ items: 1 })
    for (const project of [shop, other]) {
      const { items } = await project.search('brass trumpet', { k: 100 })
      expect(items.map(({ itemId }) => itemId)).not.toContain('sky')
    }
    await other.close()
  })

  test('a bad record is refused and nothing of its call is stored', async () => {
    const before = await shop.stats()
    const records = {
      items: [
        { id: 'good', title: 'Good' },
        { id: '', title: 'Bad' },
      ],
    }
    await expect(shop.upsert(records)).rejects.toThrow(code('RECORD_INVALID'))
    const wrong = [{ id: 'good' }, { id: 'bad', title: 5 }] as never
    await expect(shop.upsert({ items: wrong })).rejects.toThrow("'title' of items[1] is 5. Expected: a text.")
    expect(await shop.stats()).toEqual(before)
  })

  test.each<[string, (shop: Recommender) => Promise<unknown>, string]>([
    ['an id that is no text', (shop) => shop.similarItems(['guitar-1'] as never), 'OPTION_INVALID'],
    ['a query that is no text', (shop) => shop.search(5 as never), 'OPTION_INVALID'],
    ['ids that are no list', (shop) => shop.remove({ items: 'guitar-1' as never }), 'OPTION_INVALID'],
    ['records of no known kind', (shop) => shop.upsert({ itmes: [] } as never), 'OPTION_UNKNOWN'],
    ['a misspelt field', (shop) => shop.similarToItem({ titel: 'Harp' } as never), 'OPTION_UNKNOWN'],
    ['a title that is no text', (shop) => shop.similarToItem({ title: { a: 1 } } as never), 'RECORD_INVALID'],
    ['a number for a title', (shop) => shop.similarToItem({ title: 5 } as never), 'RECORD_INVALID'],
    ['the same of an audience', (shop) => shop.audience({ title: 5 } as never), 'RECORD_INVALID'],
    [
      'a rating in text',
      (shop) => shop.upsert({ reviews: [{ userId: 'u', itemId: 'guitar-1', rating: '5' }] } as never),
      'RECORD_INVALID',
    ],
    [
      'reviews that are no list',
      (shop) => shop.similarToItem({ reviews: 'great' } as never),
      'RECORD_INVALID',
    ],
    [
      'a review that is no record',
      (shop) => shop.audience({ reviews: ['great'] } as never),
      'OPTION_INVALID',
    ],
  ])('%s is refused by name', async (_, ask, expected) => {
    await expect(ask(shop)).rejects.toThrow(code(expected))
  })

  test('opened with another encoder or number format it answers nothing', async () => {
    for (const options of [{ dtype: 'fp32' }, { encoder: 'e5-small-v2' }] as const) {
      const other = await Recommender.open(folder, options)
      const { live } = await other.stats()
      if (live?.dtype !== ('dtype' in options ? options.dtype : undefined)) {
        await expect(other.similarItems('guitar-1')).rejects.toThrow(code('FINGERPRINT_MISMATCH'))
        await expect(other.search('guitar')).rejects.toThrow(code('FINGERPRINT_MISMATCH'))
      }
      await other.close()
    }
  })

  test('index() again has nothing to do', async () => {
    const again = await shop.index()
    expect(again.vectors).toMatchObject({ items: 0, encoded: 0 })
    expect(again.index.built).toBe(false)
  })

  test('closing waits for the calls that are running, and refuses later ones', async () => {
    const other = await Recommender.open(folder)
    const calls = [
      other.recommend({ text: 'something to play music on' }),
      other.recommend({ user: 'ann', reasons: true }),
      other.search('guitar'),
      other.upsert({ items: [{ id: 'late', title: 'Double bass', description: 'A big wooden bass.' }] }),
      other.doctor(),
    ]
    const closing = other.close()
    await expect(other.stats()).rejects.toThrow(code('PROJECT_CLOSED'))
    await Promise.all(calls)
    await closing
    expect((await shop.search('a big wooden bass', { mode: 'vector' })).items[0].itemId).toBe('late')
    expect(await shop.remove({ items: ['late'] })).toEqual({ items: 1 })
  })

  test('an item that only an interaction names leaves nothing to be done', async () => {
    await shop.upsert({ interactions: [{ userId: 'ann', itemId: 'no-words', time: Date.UTC(2024, 0, 9) }] })
    expect(await shop.stats()).toMatchObject({ itemsStale: 0 })
    expect((await shop.doctor()).healthy).toBe(true)
    expect(await shop.remove({ items: ['no-words'] })).toEqual({ items: 1 })
  })

  test('only one process indexes at a time', async () => {
    const elsewhere = acquireLock(folder, 'index')
    await expect(shop.index({ rebuild: true })).rejects.toThrow(code('PROJECT_LOCKED'))
    elsewhere.release()
    expect((await shop.index({ rebuild: true })).index.built).toBe(true)
  })

  test('an abort stops index() with a typed error, and what was live stays live', async () => {
    const answer = await shop.similarItems('guitar-1')
    await expect(shop.index({ rebuild: true, signal: AbortSignal.abort() })).rejects.toThrow(code('ABORTED'))
    expect(await shop.similarItems('guitar-1')).toEqual(answer)
  })

  test("another project's index, copied over this one, is refused and named by doctor", async () => {
    const foreign = await Recommender.open(temporaryFolder())
    await foreign.upsert({ items: [...ITEMS].reverse() })
    await foreign.index()
    const victim = temporaryFolder()
    const own = await Recommender.open(victim)
    await own.upsert({ items: ITEMS, reviews: REVIEWS })
    await own.index()
    await own.close()
    const folderOf = (directory: string) =>
      join(
        directory,
        'indexes',
        readdirSync(join(directory, 'indexes')).filter((name) => !name.startsWith('.'))[0],
      )
    cpSync(folderOf(foreign.directory), folderOf(victim), { recursive: true })
    await foreign.close()

    const fooled = await Recommender.open(victim)
    await expect(fooled.similarItems('guitar-1')).rejects.toThrow(code('INDEX_STALE'))
    expect((await fooled.doctor()).healthy).toBe(false)
    expect((await fooled.doctor({ repair: true })).healthy).toBe(true)
    expect(groupOf((await fooled.similarItems('guitar-1')).items[0].itemId)).toBe('guitar')
    await fooled.close()
  })

  test('a damaged index is refused, named by doctor, and repaired on request', async () => {
    const answer = await shop.similarItems('guitar-1')
    expect((await shop.doctor()).healthy).toBe(true)
    const [id] = readdirSync(join(folder, 'indexes')).filter((name) => !name.startsWith('.'))
    const payloads = readdirSync(join(folder, 'indexes', id)).filter((name) => name !== 'manifest.json')
    const payload = join(folder, 'indexes', id, payloads[0])
    const bytes = readFileSync(payload)
    bytes[bytes.length >> 1] ^= 0x40
    writeFileSync(payload, bytes)

    const fresh = await Recommender.open(folder)
    await expect(fresh.similarItems('guitar-1')).rejects.toThrow(code('INDEX_DAMAGED'))
    const sick = await fresh.doctor()
    expect(sick.healthy).toBe(false)
    expect(sick.checks.find(({ name }) => name === 'index')).toMatchObject({ ok: false })
    const mended = await fresh.doctor({ repair: true })
    expect(mended.healthy).toBe(true)
    expect(mended.checks.find(({ name }) => name === 'index')).toMatchObject({ repaired: true })
    expect(await fresh.similarItems('guitar-1')).toEqual(answer)
    expect(await shop.similarItems('guitar-1')).toEqual(answer)
    await fresh.close()
  })

  test('index() builds an index anew that questions would refuse, and leaves a sound one', async () => {
    const answer = await shop.similarItems('guitar-1')
    expect((await shop.index()).index.built).toBe(false)
    const [id] = readdirSync(join(folder, 'indexes')).filter((name) => !name.startsWith('.'))
    const payload = join(folder, 'indexes', id, 'vectors.f32')
    const bytes = readFileSync(payload)
    bytes[bytes.length >> 1] ^= 0x40
    writeFileSync(payload, bytes)
    expect((await shop.index()).index).toMatchObject({ built: true, size: 13 })

    const renamed = (await shop.index()).index.id
    const manifest = join(folder, 'indexes', renamed, 'manifest.json')
    writeFileSync(manifest, readFileSync(manifest, 'utf8').replaceAll(renamed, id))
    expect((await shop.index()).index.built).toBe(true)

    const fresh = await Recommender.open(folder)
    expect((await fresh.doctor()).healthy).toBe(true)
    expect(await fresh.similarItems('guitar-1')).toEqual(answer)
    await fresh.close()
  })
})
