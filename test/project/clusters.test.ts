import { join } from 'node:path'
import { Recommender } from 'textrec'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { PLAIN_WORDS, toWords } from '#src/evaluate/index.js'
import { writeTinyModel } from '../../dist/scripts/toys/tiny-folder.js'
import { ITEMS, REVIEWS, temporaryFolder } from './shelf.js'

const code = (value: string) => expect.objectContaining({ name: 'TextrecError', code: value })

let shop: Recommender
beforeAll(async () => {
  shop = await Recommender.open(temporaryFolder(), { threads: 1 })
  await shop.upsert({ items: ITEMS, reviews: REVIEWS })
}, 60_000)
afterAll(() => shop.close())

const idsIn = async (cluster: string) =>
  (await shop.search('guitar kitchen garden', { mode: 'vector', k: 20, filter: { cluster } })).items
    .map(({ itemId }) => itemId)
    .sort()

test('a project without an index has nothing to put into clusters', async () => {
  await expect(shop.clusters()).rejects.toEqual(code('NOTHING_INDEXED'))
  await shop.index()
  expect(await shop.stats()).not.toHaveProperty('clusters')
})

test('alike items share a cluster, which filters and caps can use', async () => {
  const report = await shop.clusters({ k: 3 })
  expect(report).toMatchObject({ attribute: 'cluster', items: 13, withoutText: 0 })
  expect(report.clusters).toHaveLength(3)
  const all = new Map<string, string>()
  for (const { name, size, examples } of report.clusters) {
    const ids = await idsIn(name)
    expect(ids).toHaveLength(size)
    for (const id of ids) all.set(id, name)
    for (const { itemId } of examples) expect(ids).toContain(itemId)
  }
  expect(all.size).toBe(13)
  for (const id of ['guitar-2', 'guitar-3', 'guitar-4']) expect(all.get(id)).toBe(all.get('guitar-1'))
  expect(all.get('kitchen-1')).not.toBe(all.get('guitar-1'))
  const told = report.clusters.flatMap(({ name, words }) => [...name.split(' '), ...words])
  const speaking = toWords({ ...PLAIN_WORDS, stopWords: true })
  expect(told.filter((word) => speaking(word).length === 0)).toEqual([])
  // The banjo of a single review: its words are in no name.
  expect(JSON.stringify(report)).not.toContain('banjo')
  const { items } = await shop.recommend({
    likes: ['guitar-1'],
    k: 3,
    atMostPer: { attribute: 'cluster', n: 1 },
  })
  expect(new Set(items.map(({ itemId }) => all.get(itemId))).size).toBe(3)
  expect(await shop.stats()).toMatchObject({ clusters: { attribute: 'cluster', count: 3, stale: false } })
  expect((await shop.doctor()).healthy).toBe(true)
  // The same seed and data: the same clusters under the same names.
  expect(await shop.clusters({ k: 3 })).toEqual(report)
})

test('new and changed items get the nearest cluster, removed ones are gone', async () => {
  const { clusters } = await shop.clusters({ k: 3 })
  const nameOf = async (id: string) => {
    for (const { name } of clusters) if ((await idsIn(name)).includes(id)) return name
    return undefined
  }
  const [pan, guitar] = [await nameOf('kitchen-1'), await nameOf('guitar-1')]
  const item = { id: 'new', title: 'Acoustic guitar', description: 'With nylon strings, for beginners.' }
  await shop.upsert({ items: [item] })
  expect(await nameOf('new')).toBe(guitar)
  await shop.upsert({ items: [{ ...item, title: 'Skillet', description: 'An iron pan for frying steaks.' }] })
  expect(await nameOf('new')).toBe(pan)
  await shop.remove({ items: ['new'] })
  expect(await nameOf('new')).toBeUndefined()
})

test('what cannot be is refused', async () => {
  await expect(shop.clusters({ k: 1000 })).rejects.toEqual(code('OPTION_INVALID'))
  await shop.upsert({ items: [{ ...ITEMS[0], attributes: { kind: 'string' } }] })
  await expect(shop.clusters({ attribute: 'kind' })).rejects.toEqual(code('OPTION_INVALID'))
  await expect(shop.clusters({ attribute: 'title' })).rejects.toEqual(code('OPTION_INVALID'))
})

test('another name takes the place of the one before', async () => {
  await shop.clusters({ k: 2, attribute: 'shelf' })
  expect(await shop.stats()).toMatchObject({ clusters: { attribute: 'shelf', count: 2 } })
  const found = await shop.search('guitar', { filter: { cluster: { $exists: true } } })
  expect(found.items).toEqual([])
})

test('clusters of another encoder say so, and wait to be made again', async () => {
  const [folder, models] = [temporaryFolder(), temporaryFolder()]
  const [first, second] = [join(models, 'first'), join(models, 'second')]
  for (const [i, model] of [first, second].entries()) writeTinyModel(model, i + 1)
  const before = await Recommender.open(folder, { threads: 1, encoder: first })
  await before.upsert({ items: ITEMS })
  await before.index()
  await before.clusters({ k: 2 })
  await before.close()
  const after = await Recommender.open(folder, { threads: 1, encoder: second })
  await after.index()
  expect(await after.stats()).toMatchObject({ clusters: { stale: true } })
  await after.upsert({ items: [{ id: 'late', title: 'Late' }] })
  const filter = { id: 'late', cluster: { $exists: true } }
  const found = async () => (await after.search('late', { filter })).items.length
  expect(await found()).toBe(0)
  await after.clusters({ k: 2 })
  expect(await after.stats()).toMatchObject({ clusters: { stale: false } })
  expect(await found()).toBe(1)
  await after.close()
})
