import fc from 'fast-check'
import { expect, test } from 'vitest'
import { matrix, normalize } from '#src/math/matrix.js'
import { random } from '#src/math/random.js'
import { ChangeLog } from '#src/project/change-log.js'
import { Memory } from '#src/recommend/memory.js'
import { KeySet } from '#src/store/index.js'
import { ExactIndex } from '#src/vector-index/index.js'

const DIM = 4
const draw = random(7)
const unit = () => normalize(Float32Array.from({ length: DIM }, () => draw.normal()))

/** An index that counts how often it is searched. */
async function counted() {
  const index = await ExactIndex.create(new Int32Array(0), matrix(0, DIM))
  let searches = 0
  const search = index.search.bind(index)
  index.search = (...question) => {
    searches++
    return search(...question)
  }
  const survey = index.survey.bind(index)
  index.survey = async (...question) => {
    const before = searches
    const found = await survey(...question)
    searches = before + 1
    return found
  }
  return { index, searches: () => searches }
}

test('what is remembered is what a search would say, whatever has changed', async () => {
  const change = fc.record({ key: fc.integer({ min: 1, max: 80 }), remove: fc.boolean() })
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 80 }),
      fc.array(fc.array(change, { maxLength: 6 }), { maxLength: 8 }),
      fc.integer({ min: 1, max: 40 }),
      async (size, rounds, wanted) => {
        const { index } = await counted()
        for (let key = 1; key <= size; key++) index.upsert(key, unit())
        const log = new ChangeLog(0)
        const memory = new Memory(log)
        const person = unit()
        for (const [round, changes] of [[], ...rounds].entries()) {
          for (const { key, remove } of changes) remove ? index.remove(key) : index.upsert(key, unit())
          log.note(
            round,
            changes.map(({ key }) => key),
          )
          expect(await memory.nearest(index, person, wanted)).toEqual(await index.search(person, wanted))
        }
        await index.close()
      },
    ),
    { numRuns: 60, seed: 2 },
  )
})

test('under filters it is what a filtered search would say, whatever has changed, and mostly without one', async () => {
  const ITEMS = 6000
  const keys = Int32Array.from({ length: ITEMS }, (_, i) => i + 1)
  const vectors = matrix(ITEMS, DIM)
  for (let i = 0; i < ITEMS; i++) vectors.data.set(unit(), i * DIM)
  const plain = await ExactIndex.create(keys, vectors)
  const index = await ExactIndex.create(keys, vectors)
  let [surveys, searches] = [0, 0]
  const [survey, search] = [index.survey.bind(index), index.search.bind(index)]
  index.survey = (...question) => {
    surveys++
    return survey(...question)
  }
  index.search = (...question) => {
    searches++
    return search(...question)
  }
  const log = new ChangeLog(0)
  const memory = new Memory(log)
  const person = unit()
  const near = await plain.search(person, ITEMS)
  const all = new Uint8Array(ITEMS + 100).fill(1)
  const filters = [1, 0.5, 0.1, 0.02].map(
    (share) => new KeySet(all.map((_, key) => (key > 0 && draw.next() < share ? 1 : 0))),
  )
  // What is nearest does not pass: only a search can tell.
  const far = KeySet.of(near.keys.slice(2500))
  for (let round = 0; round < 12; round++) {
    const changed = Array.from({ length: round === 0 ? 0 : 40 }, () => 1 + draw.integer(ITEMS + 99))
    for (const key of changed) {
      const vector = round % 3 === 0 ? person.map((value, i) => (i === 0 ? -value : value)) : unit()
      for (const one of [index, plain]) round % 4 === 1 ? one.remove(key) : one.upsert(key, vector)
    }
    log.note(round, changed)
    for (const allowed of [...filters, far]) {
      expect(await memory.nearest(index, person, 20, allowed)).toEqual(
        await plain.search(person, 20, { allowed }),
      )
    }
    expect(await memory.nearest(index, person, 30)).toEqual(await plain.search(person, 30))
  }
  expect(surveys).toBeLessThanOrEqual(2)
  // Where only few pass, and where what passes is far away, until enough has come nearer.
  expect(searches).toBeGreaterThanOrEqual(1)
  expect(searches).toBeLessThanOrEqual(24)
  await index.close()
  await plain.close()
})

test('asking again, and after a change elsewhere, costs no search', async () => {
  const { index, searches } = await counted()
  for (let key = 1; key <= 200; key++) index.upsert(key, unit())
  const log = new ChangeLog(0)
  const memory = new Memory(log)
  const person = unit()
  await memory.nearest(index, person, 10)
  await memory.nearest(index, person, 10)
  index.upsert(5, unit())
  log.note(1, [5])
  await memory.nearest(index, person, 10)
  expect(searches()).toBe(1)
})

test('an answer that a change overtakes is not kept', async () => {
  const { index, searches } = await counted()
  for (let key = 1; key <= 50; key++) index.upsert(key, unit())
  const log = new ChangeLog(0)
  const memory = new Memory(log)
  const person = unit()
  const running = memory.nearest(index, person, 5)
  index.upsert(60, person)
  log.note(1, [60])
  await running
  expect((await memory.nearest(index, person, 5)).keys[0]).toBe(60)
  expect(searches()).toBe(2)
})

test('whoever missed more changes than are noted starts afresh', () => {
  const log = new ChangeLog(10)
  expect(log.since(9)).toBeUndefined()
  expect(log.since(10)).toEqual([])
  for (let sequence = 11; sequence <= 5000; sequence++) log.note(sequence, [sequence])
  expect(log.since(11)).toBeUndefined()
  expect(log.since(4998)).toEqual([4999, 5000])
  expect(log.sequence).toBe(5000)
})
