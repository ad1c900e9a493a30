import { expect, test } from 'vitest'
import { historyWeights, personVector } from '#src/recommend/person.js'

test('recent events count more, badly rated ones less', () => {
  const none = Number.NaN
  expect([...historyWeights(Float32Array.of(none, none), undefined, 0.5)]).toEqual([0.5, 1])
  const range = { lowest: 1, highest: 5 }
  expect([...historyWeights(Float32Array.of(5, 1, 3, none), range, 1)]).toEqual([1, 0, 0.25, 1])
})

test('nothing of a long history is lost, however fast it fades', () => {
  const weights = historyWeights(new Float32Array(5000).fill(Number.NaN), undefined, 0.4)
  expect(weights.every((weight) => weight > 0)).toBe(true)
  expect(weights.at(-1)).toBe(1)
  expect(weights.subarray(0, -20).reduce((sum, weight) => sum + weight, 0)).toBeLessThan(0.01)
})

test('a person is the weighted sum of their signals', () => {
  const x = Float32Array.of(1, 0)
  const y = Float32Array.of(0, 1)
  expect([
    ...personVector([
      { vector: x, weight: 3 },
      { vector: y, weight: 4 },
    ])!,
  ]).toEqual([Math.fround(0.6), Math.fround(0.8)])
  expect(
    [
      ...personVector([
        { vector: x, weight: 1 },
        { vector: y, weight: -1 },
      ])!,
    ][1],
  ).toBeLessThan(0)
})

test('no signal, or signals that cancel, make no vector', () => {
  expect(personVector([])).toBeUndefined()
  const x = Float32Array.of(1, 0)
  expect(
    personVector([
      { vector: x, weight: 1 },
      { vector: x, weight: -1 },
    ]),
  ).toBeUndefined()
})
