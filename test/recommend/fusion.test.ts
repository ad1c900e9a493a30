import { expect, test } from 'vitest'
import { reciprocalRankFusion } from '#src/recommend/fusion.js'

const list = (...keys: number[]) => ({
  keys: Int32Array.from(keys),
  scores: Float32Array.from(keys, () => 0),
})

test('an item in both lists passes one that is first in one of them', () => {
  const fused = reciprocalRankFusion(
    [
      { list: list(1, 2, 3), weight: 1 },
      { list: list(4, 2, 5), weight: 1 },
    ],
    3,
  )
  expect([...fused.keys]).toEqual([2, 1, 4])
  expect(fused.scores[0]).toBeCloseTo(2 / 62)
  expect(fused.scores[1]).toBeCloseTo(1 / 61)
})

test('weights count, and k cuts', () => {
  const lists = [
    { list: list(1), weight: 1 },
    { list: list(2), weight: 2 },
  ]
  expect([...reciprocalRankFusion(lists, 1).keys]).toEqual([2])
  expect([...reciprocalRankFusion([], 5).keys]).toEqual([])
})
