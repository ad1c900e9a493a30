import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Adapter } from '#src/adapter/index.js'
import { addScaled, matrix, row } from '#src/math/matrix.js'
import { adapterSpace } from '#src/project/serving-model.js'

const DIM = 3

/** Sums where a real one computes: what goes together, and what to whom, is all that is looked at here. */
let runs = 0
const summing = {
  parts: { fitted: { shape: { idCount: 0 } } },
  personVectors: async (items, histories) => {
    runs++
    const people = matrix(histories.length, DIM)
    for (const [p, history] of histories.entries())
      for (const item of history) addScaled(row(people, p), row(items, item), 1)
    return people
  },
  meanVector: (vectors, weights) => {
    const sum = new Float32Array(DIM)
    for (let i = 0; i < vectors.rows; i++) addScaled(sum, row(vectors, i), weights[i])
    return sum
  },
} as Pick<Adapter, 'personVectors' | 'meanVector'> as Adapter

test('people together get the vectors that each gets alone, events of all of them in one run', async () => {
  const number = fc.integer({ min: -3, max: 3 })
  const signal = fc.record({
    event: fc.boolean(),
    weight: fc.integer({ min: -2, max: 2 }),
    vector: fc.tuple(number, number, number).map((values) => Float32Array.from(values)),
  })
  const events = fc.array(
    signal.map((one) => ({ ...one, event: true })),
    { maxLength: 5 },
  )
  const { people, person } = adapterSpace(summing)
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(events, fc.array(signal, { maxLength: 5 }))), async (all) => {
      const alone = []
      for (const signals of all) alone.push(await person(signals))
      expect(await people(all)).toEqual(alone)
    }),
    { numRuns: 200, seed: 3 },
  )
  runs = 0
  const one = [{ event: true, weight: 1, vector: Float32Array.of(1, 0, 0) }]
  await people([one, [], one, one])
  expect(runs).toBe(1)
})
