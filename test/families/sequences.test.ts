import { describe, expect, test } from 'vitest'
import { BUCKETS, bucketsOf } from '#src/adapter/intervals.js'
import { familyRecipe } from '#src/families/index.js'
import { FAMILY_OPTIONS } from '#src/families/options.js'
import { SequenceSampler } from '#src/families/sequence-batches.js'
import { matrix } from '#src/math/matrix.js'
import { random } from '#src/math/random.js'
import { resolveOptions } from '#src/options.js'
import type { FamilyOptions } from '../../src/families/index.js'
import { tableOf } from '../support/tables.js'

const MINUTE = 60_000

// Person u takes the items u, u + 1, ... of a ring of 12, five to nine of them.
const RING = 12
const walks = Array.from({ length: 25 }, (_, u) =>
  Array.from({ length: 5 + (u % 4) }, (_step, i) => (u + i) % RING),
)
const users = Int32Array.from(walks.flatMap((walk, u) => walk.map(() => u)))
const taken = Int32Array.from(walks.flat())
const data = {
  people: walks.length,
  items: RING,
  users,
  taken,
  times: Float64Array.from(walks.flatMap((walk) => walk.map((_, i) => (i + 1) * MINUTE))),
  timeKind: 'date' as const,
}
const LENGTH = 6
const options = (more: Partial<FamilyOptions> = {}) =>
  resolveOptions('test', FAMILY_OPTIONS, { length: LENGTH, batch: 24, inputs: 'ids', ...more })

describe('batches of histories', () => {
  test('every event but the first of a history is asked for once, from the one before', () => {
    const sampler = new SequenceSampler(data, options(), true)
    const asked: string[] = []
    for (const batch of sampler.batches(data, random(1), ['dropout0'])) {
      const fed = batch as { readonly [name: string]: Int32Array }
      expect(fed.segments).toHaveLength(sampler.rows * LENGTH)
      expect(fed.intervals).toHaveLength(sampler.rows * LENGTH * LENGTH)
      expect(fed.dropout0).toHaveLength(1)
      for (const [i, weight] of fed.weights.entries()) {
        expect(weight).toBe(fed.segments[i] < 0 ? 0 : 1)
        // On the ring, what comes next is one further.
        if (weight === 1) expect(fed.targets[i]).toBe((fed.events[i] + 1) % RING)
        if (weight === 1) asked.push(`${fed.events[i]}`)
      }
    }
    expect(asked.sort()).toEqual(walks.flatMap((walk) => walk.slice(0, -1).map(String)).sort())
  })

  test('validation asks for its own pairs only, each from the end of its history', () => {
    const sampler = new SequenceSampler(data, options(), false)
    const pairs = { users: Int32Array.of(0, 3, 3), taken: Int32Array.of(7, 8, 9) }
    const found: string[] = []
    for (const batch of sampler.batches(pairs, random(1), [])) {
      const fed = batch as { readonly [name: string]: Int32Array }
      for (const [i, weight] of fed.weights.entries()) {
        if (weight === 1) found.push(`${fed.events[i]} -> ${fed.targets[i]}`)
      }
    }
    // Person 0 ends at 4, person 3 at 3 + 7 = 10.
    expect(found.sort()).toEqual(['10 -> 8', '10 -> 9', '4 -> 7'])
  })

  test('a step is about one part of the people, and fed the texts without what they wrote', () => {
    const vectorsWithout = [0, 1, 2, 3, 4].map((part) =>
      matrix(RING, 1, new Float32Array(RING).fill(part + 1)),
    )
    const reviewed = { ...data, vectors: vectorsWithout[0], vectorsWithout }
    const sampler = new SequenceSampler(reviewed, options({ inputs: 'both' }), false)
    const counts = new Array<number>(5).fill(0)
    for (const batch of sampler.batches(reviewed, random(1), [])) {
      const fed = batch as { readonly [name: string]: Float32Array }
      const part = fed.texts[0] - 1
      expect(new Set(fed.texts)).toEqual(new Set([part + 1]))
      counts[part] += fed.weights.reduce((sum, weight) => sum + weight, 0)
    }
    const wanted = (part: number) =>
      walks.reduce((sum, walk, u) => sum + (u % 5 === part ? walk.length - 1 : 0), 0)
    expect(counts).toEqual([0, 1, 2, 3, 4].map(wanted))
  })

  test('who took one thing only teaches no order', () => {
    const alone = { people: 2, items: 2, users: Int32Array.of(0, 1), taken: Int32Array.of(0, 1) }
    expect(() => new SequenceSampler(alone, options(), false)).toThrow(/Nobody took two items/)
  })
})

test('intervals fall into powers of two, and different histories have none', () => {
  const times = Float64Array.of(0, MINUTE, 8 * MINUTE, 1e15, 5, 6, 0, 0)
  const segments = Int32Array.of(0, 0, 0, 0, 1, 1, -1, -1)
  const buckets = bucketsOf(times, segments, 4, 'date')
  expect([...buckets.slice(4, 6), ...buckets.slice(8, 11)]).toEqual([1, 0, 3, 3, 0])
  expect(buckets[12]).toBe(BUCKETS - 1)
  expect([...buckets.slice(16)]).toEqual(new Array(16).fill(0))
  // Places in an order count one by one; no time, no interval.
  expect(bucketsOf(Float64Array.of(1, 4), Int32Array.of(0, 0), 2, 'order')[2]).toBe(2)
  expect([...bucketsOf(times, segments, 4, 'none')]).toEqual(new Array(32).fill(0))
})

test.each([
  ['sasrec', { inputs: 'ids' }],
  ['sasrec-long', { inputs: 'ids' }],
  ['gru', { inputs: 'ids' }],
] as const)('%s learns what follows what', async (family, settings) => {
  const table = tableOf(
    walks.flatMap((walk, u) => walk.map((item, i): [number, number, number] => [u, item, i + 1])),
    { timeKind: 'order' },
  )
  const small = { factors: 16, heads: 1, layers: 1, length: 8, batch: 64, dropout: 0, blindEpochs: 25 }
  const recipe = familyRecipe(family, { options: { ...small, ...settings, learningRate: 0.02, threads: 1 } })
  const ranker = await recipe.fit({ training: table, fitting: table, validation: [], seed: 1 })
  const people = Array.from({ length: RING }, (_, i) => ({
    items: Int32Array.of(i, (i + 1) % RING, (i + 2) % RING),
    times: Float64Array.of(1, 2, 3),
  }))
  const rankings = await ranker.rank(people, { k: 1 })
  await ranker.close?.()
  expect(rankings.map(({ items }) => items[0])).toEqual(people.map((_, i) => (i + 3) % RING))
})
