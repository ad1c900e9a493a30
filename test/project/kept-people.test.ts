import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type DoctorReport, Recommender, type RecommendOptions } from 'textrec'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { normalize } from '#src/math/matrix.js'
import { random } from '#src/math/random.js'
import { requireLiveState } from '#src/project/live-index.js'
import { KEEP_FROM } from '#src/project/people-keeper.js'
import { PeopleFile, peopleFolder } from '#src/recommend/people-files.js'
import { Store } from '#src/store/index.js'
import { ExactIndex } from '#src/vector-index/index.js'
import { writeTinyModel } from '../../dist/scripts/toys/tiny-folder.js'
import { temporaryFolder } from './shelf.js'

const ITEMS = KEEP_FROM + 200
const PEOPLE = 120
const folder = temporaryFolder()
const project = join(folder, 'project')
const records = join(peopleFolder(project), 'records.bin')
const model = join(folder, 'model')
const options = {
  encoder: model,
  device: 'cpu',
  dtype: 'fp32',
  threads: 1,
  cacheDirectory: join(folder, 'cache'),
} as const

/** A catalogue so large that people are kept; the vectors are made up, so that it takes seconds. */
beforeAll(async () => {
  writeTinyModel(model)
  const shop = await Recommender.open(project, options)
  await shop.upsert({ items: [{ id: 'first', title: 'whale storm' }] })
  await shop.index()
  const store = Store.open(project, {})
  const draw = random(4)
  const { dim, space } = requireLiveState(store)
  const ids = Array.from({ length: ITEMS }, (_, i) => `item-${i}`)
  store.write({
    items: ids.map((id, i) => ({ id, title: `Item ${i}`, attributes: { price: draw.next() * 100 } })),
  })
  const keys = store.itemKeys(ids).filter((key) => key !== undefined)
  const vectorOf = () => normalize(Float32Array.from({ length: dim }, () => draw.normal()))
  store.putItemVectors(
    space,
    store.itemSources(keys).map(({ key, textVersion }) => ({ key, textVersion, vector: vectorOf() })),
  )
  const interactions = Array.from({ length: PEOPLE * 8 }, (_, i) => ({
    userId: `person-${i % PEOPLE}`,
    itemId: ids[draw.integer(i % 3 === 0 ? 50 : ITEMS)],
    time: i,
  }))
  store.write({ interactions })
  store.close()
  await shop.index()
  await shop.close()
}, 120_000)

afterAll(() => {
  vi.restoreAllMocks()
})

const users = Array.from({ length: PEOPLE }, (_, i) => `person-${i}`)
const asked: readonly Partial<RecommendOptions & { users: undefined }>[] = [
  {},
  { k: 30 },
  { k: 200 },
  { filter: { price: { $lt: 10 } } },
  { filter: { price: { $lt: 0.2 } }, excludeSeen: false },
  { diversity: 0.4, novelty: 0.2 },
]

async function answers(shop: Recommender, who: readonly string[] = users) {
  const all: unknown[] = []
  for (const user of who) for (const question of asked) all.push(await shop.recommend({ ...question, user }))
  return all
}

/** Answers of the project as it is now, from what is kept and without it, each opened for the purpose. */
async function bothWays(who?: readonly string[]) {
  const kept = await Recommender.open(project, options)
  const withRecords = await answers(kept, who)
  await kept.close()
  vi.spyOn(PeopleFile.prototype, 'of').mockReturnValue(undefined)
  const look = vi.spyOn(ExactIndex.prototype, 'surveyMany')
  const plain = await Recommender.open(project, options)
  const without = await answers(plain, who)
  await plain.close()
  expect(look.mock.calls.length).toBeGreaterThanOrEqual((who ?? users).length)
  vi.restoreAllMocks()
  return { withRecords, without }
}

test('a first question is answered from what is kept, without a look at the index, and as with one', async () => {
  const shop = await Recommender.open(project, options)
  await shop.recommend({ user: 'person-0', filter: { price: { $lt: 50 } } })
  const look = vi.spyOn(ExactIndex.prototype, 'surveyMany')
  const search = vi.spyOn(ExactIndex.prototype, 'searchMany')
  for (const user of users.slice(1)) await shop.recommend({ user, k: 30 })
  for (const user of users.slice(1)) await shop.recommend({ user, filter: { price: { $lt: 10 } } })
  expect([look.mock.calls.length, search.mock.calls.length]).toEqual([0, 0])
  vi.restoreAllMocks()
  await shop.close()
  const { withRecords, without } = await bothWays()
  expect(withRecords).toEqual(without)
})

test('changes of items and of histories since are in the first answer', async () => {
  const shop = await Recommender.open(project, options)
  await shop.upsert({
    items: Array.from({ length: 40 }, (_, i) => ({ id: `item-${i * 11}`, title: `storm whale ${i}` })),
    interactions: users.slice(0, 20).map((userId, i) => ({ userId, itemId: `item-${i + 7}`, time: 5000 })),
  })
  await shop.remove({ items: ['item-3', 'item-60', 'item-901'] })
  await shop.close()
  const { withRecords, without } = await bothWays(users.slice(0, 40))
  expect(withRecords).toEqual(without)
})

test('index() keeps what still serves, and makes anew what does not', async () => {
  const shop = await Recommender.open(project, options)
  const before = readFileSync(records)
  const store = Store.open(project, {})
  const told = store.meta('people')
  // As if whoever published them had been killed before it told anybody.
  store.setMeta('people', undefined)
  await shop.index()
  expect(readFileSync(records).equals(before)).toBe(true)
  expect([told, store.meta('people')]).toEqual([expect.any(String), told])
  store.close()
  await shop.upsert({
    items: Array.from({ length: 300 }, (_, i) => ({ id: `item-${1000 + i}`, title: `castle ${i}` })),
  })
  const stages = new Set<string>()
  await shop.index({ onProgress: ({ stage }) => stages.add(stage) })
  expect(stages).toContain('people')
  expect(readFileSync(records).equals(before)).toBe(false)
  await shop.close()
  const { withRecords, without } = await bothWays(users.slice(0, 40))
  expect(withRecords).toEqual(without)
})

test('a damaged record counts as none, a damaged folder too, and index() makes it anew', async () => {
  const bytes = readFileSync(records)
  for (let at = 0; at < bytes.length; at += 400) bytes[at] ^= 255
  writeFileSync(records, bytes)
  const damaged = await bothWays(users.slice(0, 10))
  expect(damaged.withRecords).toEqual(damaged.without)
  await mended()
  writeFileSync(records, bytes.subarray(0, 100))
  const cut = await bothWays(users.slice(0, 10))
  expect(cut.withRecords).toEqual(cut.without)
  await mended()
})

/** The doctor sees it and takes it away; index() makes it anew. */
async function mended() {
  const shop = await Recommender.open(project, options)
  const people = ({ checks }: DoctorReport) => checks.find(({ name }) => name === 'people')
  expect(people(await shop.doctor())).toMatchObject({ ok: false })
  expect(people(await shop.doctor({ repair: true }))).toMatchObject({ ok: true, repaired: true })
  expect(existsSync(records)).toBe(false)
  await shop.index()
  expect(people(await shop.doctor())).toMatchObject({ ok: true })
  await shop.close()
  expect((await PeopleFile.verify(project)).size).toBe(PEOPLE)
}

test('a run that is stopped leaves what was there', async () => {
  const before = readFileSync(records)
  const shop = await Recommender.open(project, options)
  await shop.upsert({
    items: Array.from({ length: 300 }, (_, i) => ({ id: `item-${2000 + i}`, title: `moon ${i}` })),
  })
  const stop = new AbortController()
  const run = shop.index({
    signal: stop.signal,
    onProgress: ({ done, stage }) => {
      if (stage === 'people' && done > 0) stop.abort()
    },
  })
  await expect(run).rejects.toMatchObject({ code: 'ABORTED' })
  expect(readFileSync(records).equals(before)).toBe(true)
  await shop.close()
  const { withRecords, without } = await bothWays(users.slice(0, 10))
  expect(withRecords).toEqual(without)
})

test('forgetting somebody leaves nothing of what was kept of them, in any open process', async () => {
  const [shop, other] = [await Recommender.open(project, options), await Recommender.open(project, options)]
  await other.recommend({ user: 'person-5' })
  await shop.forget({ user: 'person-5' })
  const store = Store.open(project, {})
  expect(store.userKey('person-5')).toBeUndefined()
  store.close()
  const { size } = await PeopleFile.open(project)
  expect(size).toBe(PEOPLE - 1)
  await expect(other.recommend({ user: 'person-5' })).rejects.toMatchObject({ code: 'NOT_FOUND' })
  await shop.close()
  await other.close()
  rmSync(peopleFolder(project), { recursive: true })
  expect(existsSync(records)).toBe(false)
  const { withRecords, without } = await bothWays(users.slice(6, 16))
  expect(withRecords).toEqual(without)
})
