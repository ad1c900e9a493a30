import { expect, test } from 'vitest'
import { familyRecipe } from '#src/families/index.js'
import { averagedWith, startingFrom } from '#src/families/pretrained.js'
import { Training } from '#src/onnx/optimizer-session.js'
import type { TrainingModel } from '../../src/onnx/optimizer.js'
import type { FitContext } from '../../src/ranking.js'
import { parityVectors } from '../conformance/parity.js'
import { checkerboard } from '../support/tables.js'

const model: TrainingModel = {
  name: 'toy',
  loss: ({ ops, parameter }) =>
    ops.reduceSum(ops.mul(parameter('a', [2], { fill: 1 }), parameter('b', [2], { fill: 2 })), [0]),
}

test('a parameter that was learned elsewhere starts from there, others as ever', async () => {
  const training = await Training.create(
    startingFrom(model, { a: Float32Array.of(3, 4), other: new Float32Array(9) }),
  )
  expect(await training.weights()).toEqual({ a: Float32Array.of(3, 4), b: Float32Array.of(2, 2) })
  await training.close()
})

test('one of another size is refused by name', () => {
  const create = Training.create(startingFrom(model, { b: new Float32Array(3) }))
  return expect(create).rejects.toMatchObject({
    code: 'DIMENSION_MISMATCH',
    fact: expect.stringContaining("'b' has 2 numbers here and 3"),
  })
})

test('averages lie between what was learned and what it started from', () => {
  const weights = { a: Float32Array.of(0, 4), own: Float32Array.of(7) }
  const start = { a: Float32Array.of(2, 0), gone: Float32Array.of(1) }
  expect(averagedWith(weights, start, 0)).toBe(weights)
  expect(averagedWith(weights, start, 0.25)).toEqual({ a: Float32Array.of(0.5, 3), own: Float32Array.of(7) })
  expect(averagedWith(weights, start, 1)).toEqual({ a: start.a, own: weights.own })
})

test('a recipe hands the start to its training, and keeps as much of it as it is told to', async () => {
  const board = checkerboard(8)
  const context: FitContext = { training: board, fitting: board, validation: [], seed: 1 }
  const people = Array.from({ length: 8 }, (_, user) => ({
    user,
    items: board.items.filter((_, row) => board.users[row] === user),
  }))
  const scoresOf = async (epochs: number, pretrained?: { readonly [name: string]: Float32Array }) => {
    const ranker = await familyRecipe('maml', {
      options: { threads: 1, epochs, factors: 4, keep: pretrained === undefined ? 0 : 1 },
      vectors: () => ({ vectors: parityVectors(8) }),
      pretrained,
    }).fit(context)
    const rankings = await ranker.rank(people, { k: 8 })
    await ranker.close?.()
    return rankings.map(({ scores }) => [...scores])
  }
  const start = {
    bias: Float32Array.from({ length: 8 }, (_, item) => item),
    person: Float32Array.of(9, 9, 9, 9),
    logRate: Float32Array.of(-9),
  }
  const short = await scoresOf(1, start)
  // The items' own table is no part of this start.
  expect(short).not.toEqual(await scoresOf(1))
  expect(short[0][0]).toBeGreaterThan(6)
})
