import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EaseScorer } from '#src/collaborative/index.js'
import { matrix, normalize, row } from '#src/math/matrix.js'
import { random } from '#src/math/random.js'
import { Crowd } from '#src/recommend/crowd.js'
import { textScore } from '#src/recommend/pool.js'
import { type Question, recommendFor, type Shelf } from '#src/recommend/recommend.js'
import { sampleOf } from '#src/recommend/scale.js'
import { SERVING_DEFAULTS, type ServingSettings } from '#src/recommend/serving.js'
import { FROZEN_TEXT } from '#src/recommend/space.js'
import { scoreOf, type Taste, tasteOf } from '#src/recommend/taste.js'
import { KeySet, Store } from '#src/store/index.js'
import { ExactIndex } from '#src/vector-index/index.js'

const ITEMS = 600
const DIM = 16
const draw = random(11)
const folder = mkdtempSync(join(tmpdir(), 'textrec-recommend-'))
let shelf: Shelf
let keys: Int32Array

/** Every item has a vector but each tenth; every third is warm, with random item-item scores. */
beforeAll(async () => {
  const store = Store.open(join(folder, 'p'), { create: true })
  store.write({
    items: Array.from({ length: ITEMS }, (_, i) => ({ id: `i${i}`, attributes: { brand: `b${i % 40}` } })),
  })
  keys = store.filterItems({})
  const described = keys.filter((_, i) => i % 10 !== 0)
  const vectors = matrix(described.length, DIM)
  for (let i = 0; i < vectors.rows; i++) for (let j = 0; j < DIM; j++) row(vectors, i)[j] = draw.normal()
  for (let i = 0; i < vectors.rows; i++) normalize(row(vectors, i))
  const warm = keys.filter((_, i) => i % 3 === 0)
  const weights = Float32Array.from({ length: warm.length ** 2 }, () => (draw.next() < 0.2 ? draw.next() : 0))
  const positions = Int32Array.from(warm.keys())
  const parameters = { kind: 'ease' as const, lambda: 1, recency: 1 }
  const crowd = new Crowd({
    keys: warm,
    counts: warm.map(() => 1 + draw.integer(50)),
    scorer: new EaseScorer(positions, warm.length, weights, parameters),
    range: undefined,
    likedFrom: undefined,
  })
  shelf = { store, crowd, index: await ExactIndex.create(described, vectors) }
})
afterAll(async () => {
  await shelf.index.close()
  shelf.store.close()
  rmSync(folder, { recursive: true })
})

const plain: Question = {
  k: 10,
  allowed: undefined,
  blocked: new Set(),
  excludeSeen: true,
  diversity: 0,
  atMostPer: [],
  boosts: [],
  pins: [],
  minScore: undefined,
  novelty: 0,
}

async function somebody(events: number): Promise<Taste> {
  return whoTook(Int32Array.from({ length: events }, () => keys[draw.integer(ITEMS)]))
}

function whoTook(items: Int32Array, settings: ServingSettings = SERVING_DEFAULTS): Promise<Taste> {
  const { index, crowd } = shelf
  const source = { index, crowd, space: FROZEN_TEXT, settings, sample: sampleOf(index, keys) }
  return tasteOf(source, { items, values: new Float32Array(items.length).fill(Number.NaN) })
}

/** The slow and obvious way: every item's score, sorted. */
function twin(taste: Taste, question: Question): number[] {
  const { crowd, index } = shelf
  const boost = (key: number) =>
    question.boosts.reduce((sum, { keys: some, by }) => sum + (some.includes(key) ? by : 0), 0)
  return Array.from(question.allowed?.keys ?? keys)
    .filter((key) => !taste.seen.has(key) && !question.blocked.has(key))
    .filter((key) => index.has(key) || crowd.position(key) !== -1)
    .map((key) => {
      const score = scoreOf(taste, key, textScore(index, taste.vector, key))
      return { key, score: score - question.novelty * crowd.popularityOf(key) + boost(key) }
    })
    .filter(({ score }) => question.minScore === undefined || score >= question.minScore)
    .sort((a, b) => b.score - a.score || a.key - b.key)
    .slice(0, question.k)
    .map(({ key }) => key)
}

test('a history fades as fast as training has found', async () => {
  const items = keys.filter((key) => shelf.index.has(key)).slice(0, 3)
  for (const decay of [1, 0.5]) {
    const { signals } = await whoTook(items, { ...SERVING_DEFAULTS, decay })
    expect(signals.map(({ weight }) => weight)).toEqual([decay ** 2, decay, 1])
  }
})

describe('recommendFor, against scoring everything', () => {
  const few = () => keys.filter(() => draw.next() < 0.1)
  const variants: {
    readonly name: string
    readonly make: () => Partial<Question>
    readonly least: number
  }[] = [
    { name: 'without rules', make: () => ({}), least: 1 },
    { name: 'with a tenth allowed', make: () => ({ allowed: KeySet.of(few()) }), least: 1 },
    { name: 'with a boost', make: () => ({ boosts: [{ keys: few(), by: 2 }] }), least: 0.98 },
    { name: 'with some blocked', make: () => ({ blocked: new Set(few()) }), least: 1 },
    { name: 'with a minimum', make: () => ({ minScore: 0.8, k: 100 }), least: 0.98 },
    { name: 'with novelty', make: () => ({ novelty: 0.3 }), least: 0.95 },
    { name: 'when everything is asked for', make: () => ({ k: ITEMS, allowed: KeySet.of(few()) }), least: 1 },
  ]
  test.each(variants)('$name it finds the same items', async ({ make, least }) => {
    let found = 0
    let wanted = 0
    for (let person = 0; person < 40; person++) {
      const taste = await somebody(1 + draw.integer(20))
      // What is popular is spread out, not ranked by score alone.
      if (taste.basis === 'popular') continue
      const question = { ...plain, ...make() }
      const [{ picks }] = await recommendFor(shelf, [taste], question)
      const right = twin(taste, question)
      const got = new Set(picks.map(({ key }) => key))
      found += right.filter((key) => got.has(key)).length
      wanted += right.length
    }
    expect(found / wanted).toBeGreaterThanOrEqual(least)
  })

  test('many people at once get what each would get alone', async () => {
    const tastes = await Promise.all(Array.from({ length: 20 }, () => somebody(1 + draw.integer(30))))
    const together = await recommendFor(shelf, tastes, plain)
    for (const [i, taste] of tastes.entries()) {
      expect(together[i]).toEqual((await recommendFor(shelf, [taste], plain))[0])
    }
  })

  test('a cap that passes over most candidates still fills the list', async () => {
    const taste = await somebody(5)
    const allBrands = { ...plain, k: 40, atMostPer: [{ attribute: 'brand', n: 1 }] }
    const [{ picks }] = await recommendFor(shelf, [taste], allBrands)
    expect(picks).toHaveLength(40)
    const [{ picks: none }] = await recommendFor(shelf, [taste], { ...allBrands, k: 41 })
    expect(none).toHaveLength(40)
  })
})

test('an item that goes while it is pinned is left out', async () => {
  const { store } = shelf
  store.write({ items: [{ id: 'short-lived' }] })
  const pin = store.itemKey('short-lived') as number
  store.removeItems(['short-lived'])
  let looks = 0
  const has = (key: number) => {
    if (looks++ > 1000 * ITEMS) throw new Error('asks for ever')
    return shelf.index.has(key)
  }
  const index = Object.create(shelf.index, { has: { value: has } })
  const question = { ...plain, pins: [pin, keys[0]] }
  const [{ picks }] = await recommendFor({ ...shelf, index }, [await somebody(3)], question)
  expect(picks).toHaveLength(10)
  expect(picks.map(({ key }) => key)).not.toContain(pin)
  expect(picks[0]).toMatchObject({ key: keys[0], pinned: true })
})

test('an attribute that is called as what every object inherits caps only the items that have it', async () => {
  const question = { ...plain, atMostPer: [{ attribute: 'constructor', n: 1 }] }
  const [{ picks }] = await recommendFor(shelf, [await somebody(3)], question)
  expect(picks).toHaveLength(10)
})

test('what is popular: items that somebody took come before items that nobody took, however few', async () => {
  const { store, index } = shelf
  const nobody = { ...(await whoTook(new Int32Array(0))), basis: 'popular' as const }
  const [a, b, c] = [keys[7], keys[50], keys[311]]
  for (const counts of [
    [1, 1, 1],
    [3, 2, 1],
  ]) {
    const some = { keys: Int32Array.of(a, b, c), counts: Int32Array.from(counts) }
    const crowd = new Crowd({ ...Crowd.empty, ...some, scorer: undefined })
    const taste: Taste = { ...nobody, opinions: crowd.popularity }
    const [{ picks }] = await recommendFor({ store, index, crowd }, [taste], { ...plain, k: 6 })
    expect(picks.slice(0, 3).map(({ key }) => key)).toEqual([a, b, c])
    expect(picks[3].score).toBeLessThan(picks[2].score)
    expect(picks[3].score).toBe(scoreOf(taste, picks[3].key, undefined))
    // A boost that is smaller than the difference does not make up for it.
    const boosts = [{ keys: Int32Array.of(keys[0]), by: 0.1 }]
    const [boosted] = await recommendFor({ store, index, crowd }, [taste], { ...plain, k: 4, boosts })
    expect(boosted.picks.map(({ key }) => key)).toEqual([a, b, c, keys[0]])
  }
})
