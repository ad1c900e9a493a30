import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Recommender, sampleFiles } from 'textrec'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type HeldOut, splitTable } from '#src/evaluate/index.js'
import { matrix, row } from '#src/math/matrix.js'
import { KnownTexts } from '#src/project/known-texts.js'
import { liveState } from '#src/project/live-index.js'
import { textsWithoutOwn } from '#src/project/own-reviews.js'
import { Store } from '#src/store/index.js'
import type { Item, Review } from '../../src/index.js'
import type { Matrix } from '../../src/types.js'
import { ITEMS, temporaryFolder } from './shelf.js'

const code = (value: string) => expect.objectContaining({ name: 'TextrecError', code: value })
const TINY = { dim: 16, hidden: 16, textDim: 32, length: 8, epochs: 2, ids: 'off' } as const

describe('evaluating the sample', () => {
  const folder = temporaryFolder()
  let shop: Recommender
  beforeAll(async () => {
    shop = await Recommender.open(folder, { threads: 1 })
    await shop.import(sampleFiles())
    await shop.index()
  }, 120_000)
  afterAll(() => shop.close())

  test('compares models with intervals and paired differences, the same each time', async () => {
    const options = { models: ['popular', 'ease', 'bm25', 'frozen', 'adapter', 'fused'], training: TINY }
    const stages = new Set<string>()
    const onProgress = ({ stage }: { stage: string }) => stages.add(stage)
    const first = await shop.evaluate({ ...options, onProgress })
    expect(first.split).toMatchObject({ name: 'time=80%', items: 288 })
    expect(first.results.map(({ name }) => name)).toEqual(options.models)
    expect(first.baseline).toBe('popular')
    const figures = Object.fromEntries(
      first.results.map(({ name, metrics }) => [name, metrics['ndcg@10'].mean]),
    )
    expect(figures.frozen).toBeGreaterThan(figures.popular)
    expect(figures.fused).toBeGreaterThan(figures.popular)
    expect(first.results[1].difference?.['ndcg@10'].mean).toBeCloseTo(figures.ease - figures.popular, 9)
    expect([...stages]).toEqual(expect.arrayContaining(['popular', 'adapter: text']))
    const again = await shop.evaluate(options)
    expect(again.ndcgByPerson).toEqual(first.ndcgByPerson)
  }, 120_000)

  test('hidden items are found by their text, and not by interactions', async () => {
    const models = ['ease', 'whitened', 'frozen-knn']
    const { results, split } = await shop.evaluate({ coldItems: '20%', models, seed: 3 })
    expect(split.name).toBe('cold-items=20%')
    const recall = results.map(({ metrics }) => metrics['recall@10'].mean)
    expect(recall[0]).toBe(0)
    expect(recall[1]).toBeGreaterThan(0.05)
  })

  test('several seeds are several draws of hidden items, and several trainings where nothing is drawn', async () => {
    const models = ['popular', 'whitened']
    const cold = await shop.evaluate({ coldItems: '20%', models, seeds: [1, 2] })
    expect(cold).toMatchObject({ metric: 'recall', seeds: [1, 2] })
    const [one] = (await shop.evaluate({ coldItems: '20%', models, seed: 2 })).runs
    expect(cold.runs[1].results[1].metrics).toEqual(one.results[1].metrics)
    expect(cold.runs[0].notes).not.toEqual(cold.runs[1].notes)
    const trained = { models: ['frozen', 'adapter'], training: TINY, seeds: [1, 2] }
    const { runs } = await shop.evaluate({ ...trained, split: 'hold-last' })
    const means = runs.map(({ results }) => results.map(({ metrics }) => metrics['ndcg@10'].mean))
    expect(means[0][0]).toBe(means[1][0])
    expect(means[0][1]).not.toBe(means[1][1])
  }, 120_000)

  test('writes a page that needs no network', async () => {
    const report = join(folder, 'report.html')
    await shop.evaluate({ split: 'hold-last', models: ['random', 'frozen'], baseline: 'random', report })
    const page = readFileSync(report, 'utf8')
    expect(page).toContain('<svg')
    expect(page).not.toMatch(/<script|<link|src=|@import/)
  })

  test('refuses what it cannot do, by name', async () => {
    await expect(shop.evaluate({ models: ['popular', 'frozn'] })).rejects.toThrow(
      /no model 'frozn'. Did you mean 'frozen'\? Models are random, popular, .*fused/,
    )
    await expect(shop.evaluate({ split: 'hold-last', coldItems: '10%' })).rejects.toThrow(
      code('OPTION_INVALID'),
    )
    await expect(shop.evaluate({ split: 'by-magic' })).rejects.toThrow(code('OPTION_INVALID'))
    await expect(shop.evaluate({ models: ['popular'], baseline: 'ease' })).rejects.toThrow(
      code('OPTION_INVALID'),
    )
    await expect(shop.evaluate({ seed: 1, seeds: [1, 2] })).rejects.toThrow(code('OPTION_INVALID'))
    await expect(shop.evaluate({ seeds: [1, 1] })).rejects.toThrow(/1 to 100 different whole numbers/)
    await expect(shop.evaluate({ signal: AbortSignal.abort() })).rejects.toThrow(code('ABORTED'))
  })
})

test('without an index there is nothing to evaluate; times that are only an order have no moment', async () => {
  const shop = await Recommender.open(temporaryFolder(), { threads: 1 })
  const interactions = ['ann', 'bob', 'cem'].flatMap((userId, u) =>
    Array.from({ length: 6 }, (_, i) => ({ userId, itemId: ITEMS[(i + u) % 12].id, time: i + 1 })),
  )
  await shop.upsert({ items: ITEMS, interactions })
  await expect(shop.evaluate()).rejects.toThrow(code('NOTHING_INDEXED'))
  await shop.index()
  const refused = shop.evaluate({ models: ['popular'] })
  await expect(refused).rejects.toThrow(code('SPLIT_REFUSED'))
  await expect(refused).rejects.toThrow(/hold-last/)
  const { split } = await shop.evaluate({ models: ['popular'], split: 'hold-last' })
  expect(split.people).toBe(3)
  await shop.close()
})

describe('what is known at a split', () => {
  const day = (n: number) => Date.UTC(2024, 0, 1 + n)
  const reviewed = ITEMS.slice(0, 6)
  /** Five people review six items in turn; every word of a review is its writer's own. */
  const reviews: Review[] = ['ann', 'bob', 'cem', 'dan', 'eve'].flatMap((userId, u) =>
    reviewed.map(({ id }, i) => ({
      userId,
      itemId: id,
      rating: 5,
      helpful: u,
      text: `Says ${userId}: a thing of ${['joy', 'horror', 'brass', 'velvet', 'smoke', 'gold'][(i + 2 * u) % 6]}.`,
      time: day(200 * i + u),
    })),
  )

  async function project(records: { items: readonly Item[]; reviews: readonly Review[] }): Promise<Store> {
    const folder = temporaryFolder()
    const shop = await Recommender.open(folder, { threads: 1, dtype: 'fp32' })
    await shop.upsert(records)
    await shop.index()
    await shop.close()
    return Store.open(folder)
  }

  function textsOf(store: Store, split: string) {
    const state = liveState(store)!
    const divided = splitTable(store.interactions(), { split })
    const encoder = () => Promise.reject(new Error('every text has a vector'))
    const source = { store, fingerprint: state.encoder.fingerprint, dim: state.dim, encoder }
    return { split: divided, known: new KnownTexts(source, divided.table) }
  }

  /** [items] of the table, as the project's own index() made them. */
  function indexed(store: Store): Matrix {
    const { keys, vectors } = store.itemVectors(liveState(store)!.space)
    const { itemIds } = store.interactions()
    const all = matrix(itemIds.length, vectors.dim)
    for (const [i, id] of store.itemIds(keys).entries()) row(all, itemIds.indexOf(id!)).set(row(vectors, i))
    return all
  }

  const close = (a: Matrix, b: Matrix) => {
    expect([a.rows, a.dim]).toEqual([b.rows, b.dim])
    for (let i = 0; i < a.data.length; i++) expect(a.data[i]).toBeCloseTo(b.data[i], 4)
  }

  test.each(['time=60%', 'hold-last', 'cold-users=20%'])(
    'item vectors are those of a project that never held what %s holds out',
    async (name) => {
      const store = await project({ items: reviewed, reviews })
      const { known, split } = textsOf(store, name)
      const userOf = new Map(split.table.userIds.map((id, u) => [id, u]))
      const itemOf = new Map(split.table.itemIds.map((id, i) => [id, i]))
      for (const heldOut of [split.heldOut, split.heldOutWhileFitting]) {
        const allowed = reviews.filter(({ userId, itemId, time }) =>
          heldOut.allows({ user: userOf.get(userId)!, item: itemOf.get(itemId)!, time }),
        )
        expect(allowed.length).toBeLessThan(reviews.length)
        const twin = await project({ items: reviewed, reviews: allowed })
        // The twin's table may lack items at the end of nobody's history, but never their order.
        close(await known.vectors(heldOut), indexed(twin))
        twin.close()
      }
      store.close()
    },
    60_000,
  )

  test('what training shows to a part of the people holds no review of theirs', async () => {
    const store = await project({ items: reviewed, reviews })
    const { known, split } = textsOf(store, 'hold-last')
    const heldOut = split.heldOutWhileFitting
    const without = (await textsWithoutOwn(known, heldOut, split.table))!
    const { userIds, itemIds } = split.table
    for (const part of [0, 3]) {
      const others = reviews.filter(({ userId, itemId, time }) => {
        const user = userIds.indexOf(userId)
        return user % without.length !== part && heldOut.allows({ user, item: itemIds.indexOf(itemId), time })
      })
      expect(new Set(others.map(({ userId }) => userId)).size).toBe(4)
      const twin = await project({ items: reviewed, reviews: others })
      close(without[part], indexed(twin))
      twin.close()
    }
    store.close()
  }, 60_000)

  test('a planted leak is caught: a review by the person under test, and one from after the split', async () => {
    const store = await project({ items: reviewed, reviews })
    for (const name of ['hold-last', 'time=60%']) {
      const { known, split } = textsOf(store, name)
      const all = (heldOut: HeldOut) => known.vectors(heldOut, () => true)
      await expect(all(split.heldOut)).rejects.toThrow(code('LEAK_FOUND'))
      await expect(all(split.heldOutWhileFitting)).rejects.toThrow(code('LEAK_FOUND'))
      // Honest for the test, but not while validation chooses.
      await expect(
        known.vectors(split.heldOutWhileFitting, (review) => split.heldOut.allows(review)),
      ).rejects.toThrow(code('LEAK_FOUND'))
      const words = known.documents(split.heldOut).documents.join('\n')
      const told = reviews.filter(({ text }) => words.includes(text!))
      expect(told.length).toBeGreaterThan(0)
      expect(told.length).toBeLessThan(reviews.length)
    }
    store.close()
    expect(existsSync(store.directory)).toBe(true)
  })
})
