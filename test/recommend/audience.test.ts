import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { matrix, normalize, row } from '#src/math/matrix.js'
import { random } from '#src/math/random.js'
import { ChangeLog } from '#src/project/change-log.js'
import { Everyone } from '#src/recommend/audience.js'
import { Crowd } from '#src/recommend/crowd.js'
import { withMoments } from '#src/recommend/moments.js'
import { sampleOf, textScale } from '#src/recommend/scale.js'
import { SERVING_DEFAULTS } from '#src/recommend/serving.js'
import { FROZEN_TEXT } from '#src/recommend/space.js'
import { PEOPLE_AT_ONCE, TextScales } from '#src/recommend/text-scales.js'
import { Store } from '#src/store/index.js'
import { ExactIndex } from '#src/vector-index/index.js'

const ITEMS = 50
const PEOPLE = PEOPLE_AT_ONCE + 76
const DIM = 8
const draw = random(3)
const unit = () => normalize(Float32Array.from({ length: DIM }, () => draw.normal()))
const folder = mkdtempSync(join(tmpdir(), 'textrec-audience-'))
const store = Store.open(join(folder, 'p'), { create: true })
afterAll(() => {
  store.close()
  rmSync(folder, { recursive: true })
})

test('only those are made anew whose history or whose items have changed', async () => {
  store.write({ items: Array.from({ length: ITEMS }, (_, i) => ({ id: `i${i}` })) })
  const interactions = Array.from({ length: PEOPLE }, (_, p) => [0, 1].map((i) => ({ p, i }))).flat()
  store.write({
    interactions: interactions.map(({ p, i }) => ({ userId: `p${p}`, itemId: `i${(p + i) % ITEMS}` })),
  })
  const keys = store.filterItems({})
  const vectors = matrix(ITEMS, DIM)
  for (let i = 0; i < ITEMS; i++) row(vectors, i).set(unit())
  const index = await ExactIndex.create(keys, vectors)
  let made = 0
  const space: typeof FROZEN_TEXT = {
    ...FROZEN_TEXT,
    people: (all) => {
      made += all.length
      return FROZEN_TEXT.people(all)
    },
  }
  const sample = sampleOf(index, keys)
  const source = { index, space, crowd: Crowd.empty, settings: SERVING_DEFAULTS, sample }
  const changes = new ChangeLog(0)
  const everyone = new Everyone(store)
  const madeBy = async () => {
    const before = made
    const members = await everyone.upToDate(source, changes)
    return { made: made - before, members }
  }
  const first = await madeBy()
  expect(first).toMatchObject({ made: PEOPLE })
  expect(first.members).toHaveLength(PEOPLE)
  for (const { taken, text, vector } of first.members.filter((_, i) => i % 100 === 0)) {
    const one = textScale(sample, vector as Float32Array, new Set(taken.items))
    expect(text.mean).toBeCloseTo(one.mean, 5)
    expect(text.deviation).toBeCloseTo(one.deviation, 5)
  }
  expect((await madeBy()).made).toBe(0)
  store.write({ interactions: [{ userId: 'p7', itemId: 'i3' }] })
  expect((await madeBy()).made).toBe(1)
  const owners = Array.from({ length: PEOPLE }, (_, p) => p).filter((p) => [4, 5].includes(p % ITEMS)).length
  index.upsert(keys[5], unit())
  changes.note(1, [keys[5]])
  store.write({ items: [{ id: 'another' }] })
  expect((await madeBy()).made).toBe(owners)
  // A question may read the catalogue when it is a change ahead of the index: the change still counts later.
  store.write({ items: [{ id: 'yet another' }] })
  expect((await madeBy()).made).toBe(0)
  index.upsert(keys[5], unit())
  changes.note(2, [keys[5]])
  expect((await madeBy()).made).toBe(owners)
  await index.close()
})

test('a scale from moments is that of a plain loop, whatever the person has', async () => {
  const vectors = matrix(40, DIM)
  for (let i = 0; i < 40; i++) row(vectors, i).set(unit())
  const keys = Int32Array.from({ length: 40 }, (_, i) => 10 + i)
  const sample = { keys, vectors }
  const quick = await withMoments(sample)
  expect(quick.moments).toBeDefined()
  for (const size of [0, 1, 9, 10, 11, 39, 40]) {
    const person = unit()
    const seen = new Set([...keys.slice(0, size), 5, 900])
    const one = textScale(sample, person, seen)
    const other = textScale(quick, person, seen)
    expect(other.mean).toBeCloseTo(one.mean, 5)
    expect(other.deviation).toBeCloseTo(one.deviation, 5)
  }
  expect(
    (await withMoments({ keys: keys.slice(0, 3), vectors: { ...vectors, rows: 3 } })).moments,
  ).toBeUndefined()
})

test('the scales of many people are those of each', async () => {
  const vectors = matrix(30, DIM)
  for (let i = 0; i < 30; i++) row(vectors, i).set(unit())
  const keys = Int32Array.from({ length: 30 }, (_, i) => 10 + i)
  const sample = { keys, vectors }
  const scales = await TextScales.create(sample)
  const people = Array.from({ length: 5 }, unit)
  const seen = people.map((_, i) => new Set(keys.slice(0, [0, 1, 29, 30, 4][i])))
  const all = Float32Array.from(people.flatMap((one) => [...one]))
  for (const [i, { mean, deviation }] of (await scales.of(all, seen)).entries()) {
    const one = textScale(sample, people[i], seen[i])
    expect(mean).toBeCloseTo(one.mean, 5)
    expect(deviation).toBeCloseTo(one.deviation, 4)
  }
  await scales.close()
})
