import fc from 'fast-check'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { costOf, PER_CALL, PER_COMMIT, portionsByLength, portionsForTwo } from '#src/encode/batches.js'
import type { Encoded, EncodeRequest } from '#src/encode/engine.js'
import { type Lane, Lanes } from '#src/encode/lanes.js'
import { codeOf } from './support.js'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** A lane whose calls end when the test says so; answers with the number of its texts as `tokens`. */
class HandLane implements Lane {
  readonly calls: { readonly texts: number; readonly end: (error?: Error) => void }[] = []
  closed = 0

  encode({ texts }: EncodeRequest): Promise<Encoded> {
    return new Promise((resolve, reject) => {
      this.calls.push({
        texts: texts.length,
        end: (error) =>
          error === undefined
            ? resolve({ vectors: new Float32Array(), tokens: texts.length, split: 0, sampled: 0 })
            : reject(error),
      })
    })
  }

  async close() {
    this.closed++
  }
}

const textsOf = (count: number): EncodeRequest => ({
  texts: Array(count).fill('some forty characters, a title at the most'),
  kind: 'passage',
})
const settled = () => vi.advanceTimersByTimeAsync(0)

function two() {
  const opened = [new HandLane(), new HandLane()]
  let others = 0
  const lanes = new Lanes(opened[0], async () => opened[++others], 2)
  return { lanes, opened, others: () => others }
}

test('much work opens a second lane, and both compute; a long rest ends it again', async () => {
  const { lanes, opened, others } = two()
  const ends = Array.from({ length: 6 }, () => lanes.encode(textsOf(100), {}))
  await settled()
  expect(others()).toBe(1)
  // Two calls each, one to compute and one that waits there; the rest is not given out yet.
  expect(opened.map(({ calls }) => calls.length)).toEqual([2, 2])
  for (let round = 0; round < 3; round++) {
    for (const lane of opened) lane.calls.at(round)?.end()
    await settled()
  }
  expect((await Promise.all(ends)).map(({ tokens }) => tokens)).toEqual(Array(6).fill(100))
  expect(opened.map(({ calls }) => calls.length)).toEqual([3, 3])
  await vi.advanceTimersByTimeAsync(120_000)
  expect(opened.map(({ closed }) => closed)).toEqual([0, 1])
  await lanes.close()
  expect(opened.map(({ closed }) => closed)).toEqual([1, 1])
})

test('of portions that get shorter, each lane is given about the same work', async () => {
  const { lanes, opened } = two()
  const warm = Array.from({ length: 3 }, () => lanes.encode(textsOf(100), {}))
  await settled()
  for (const { calls } of opened) for (const { end } of calls) end()
  await settled()
  for (const { calls } of opened) for (const { end } of calls) end()
  await Promise.all(warm)
  const given = opened.map(({ calls }) => calls.length)
  for (const texts of [90, 60, 50, 20]) void lanes.encode(textsOf(texts), {})
  const work = opened.map(({ calls }, i) => calls.slice(given[i]).reduce((sum, { texts }) => sum + texts, 0))
  expect(work).toEqual([110, 110])
})

test('a few questions share the first lane', async () => {
  const { lanes, opened, others } = two()
  for (let i = 0; i < 5; i++) void lanes.encode(textsOf(1), {})
  await settled()
  expect(others()).toBe(0)
  expect(opened[0].calls).toHaveLength(2)
})

test('a question goes before the documents that wait', async () => {
  const lane = new HandLane()
  const lanes = new Lanes(lane, () => Promise.reject(new Error('one is all')), 1)
  for (let i = 0; i < 5; i++) void lanes.encode(textsOf(100), {})
  const answer = lanes.encode({ texts: ['what?'], kind: 'query' }, {})
  lane.calls[0].end()
  await settled()
  expect(lane.calls.map(({ texts }) => texts)).toEqual([100, 100, 1])
  lane.calls[2].end()
  expect((await answer).tokens).toBe(1)
})

test('a second lane that cannot be opened costs nothing but its speed', async () => {
  const first = new HandLane()
  let tries = 0
  const lanes = new Lanes(
    first,
    async () => {
      tries++
      throw new Error('no memory')
    },
    2,
  )
  const ends = Array.from({ length: 4 }, () => lanes.encode(textsOf(100), {}))
  for (let round = 0; round < 4; round++) {
    await settled()
    first.calls[round].end()
  }
  expect(await Promise.all(ends)).toHaveLength(4)
  expect(tries).toBe(1)
  await lanes.close()
})

test('closing answers what was asked, and refuses what comes after; one failure fails one call', async () => {
  const { lanes, opened } = two()
  const ends = Array.from({ length: 5 }, () => lanes.encode(textsOf(100), {}))
  const failure = expect(ends[0]).rejects.toThrow('broken')
  const closing = lanes.close()
  expect(await codeOf(() => lanes.encode(textsOf(1), {}))).toBe('PROJECT_CLOSED')
  opened[0].calls[0].end(new Error('broken'))
  for (let round = 0; round < 5; round++) {
    await settled()
    for (const { calls } of opened) for (const { end } of calls) end()
  }
  await closing
  await failure
  expect(await Promise.all(ends.slice(1))).toHaveLength(4)
  expect(opened.map(({ closed }) => closed)).toEqual([1, 1])
})

const text = fc.integer({ min: 0, max: 30_000 }).map((length) => 'x'.repeat(length))

test('what a commit stores holds every text once, bounded and of falling length; a portion stays one', () => {
  const limit = fc.constantFrom(PER_COMMIT, { texts: 32, characters: 8192 })
  fc.assert(
    fc.property(fc.array(text, { maxLength: 300 }), limit, (texts, limit) => {
      const portions = portionsByLength(texts, limit)
      expect(portions.flat().sort((a, b) => a - b)).toEqual(texts.map((_, i) => i))
      for (const portion of portions) {
        const own = portion.map((i) => texts[i])
        expect(own.length).toBeLessThanOrEqual(limit.texts)
        const characters = own.reduce((sum, { length }) => sum + length, 0)
        expect(own.length === 1 || characters <= limit.characters).toBe(true)
        expect(portionsByLength(own, limit)).toEqual([own.map((_, i) => i)])
      }
      const lengths = portions.flat().map((i) => texts[i].length)
      expect(lengths).toEqual([...lengths].sort((a, b) => b - a))
    }),
    { seed: 3, numRuns: 30 },
  )
})

test('portions for two threads hold every text once, bounded and of falling length', () => {
  const few = fc.array(text, { maxLength: 60 })
  const many = fc.array(
    fc.nat(300).map((length) => 'x'.repeat(length)),
    { maxLength: 400 },
  )
  fc.assert(
    fc.property(fc.oneof(few, many), (texts) => {
      const portions = portionsForTwo(texts)
      expect(portions.flat().sort((a, b) => a - b)).toEqual(texts.map((_, i) => i))
      const lengths = portions.flat().map((i) => texts[i].length)
      expect(lengths).toEqual([...lengths].sort((a, b) => b - a))
      for (const portion of portions) {
        const costs = portion.map((i) => costOf(texts[i]))
        const longest = Math.max(...costs)
        expect(costs.reduce((sum, cost) => sum + cost, 0)).toBeLessThanOrEqual(PER_CALL + longest)
      }
    }),
    { seed: 4, numRuns: 40 },
  )
})

test('two threads get the same number of titles each, and of many texts the smallest portions last', () => {
  const titles = Array.from(
    { length: 128 },
    () => 'a title of some sixty characters, such as shops give an item',
  )
  expect(portionsForTwo(titles).map(({ length }) => length)).toEqual([64, 64])
  expect(portionsForTwo(titles.slice(0, 20))).toHaveLength(1)
  const pages = Array.from({ length: 64 }, () => 'x'.repeat(1014))
  expect(portionsForTwo(pages).map(({ length }) => length)).toEqual([
    8, 8, 8, 8, 8, 8, 2, 2, 2, 2, 2, 2, 2, 2,
  ])
  expect(portionsForTwo([])).toEqual([])
})
