import { describe, expect, test } from 'vitest'
import { type FamilyTrial, familyRecipe } from '#src/families/index.js'
import { matrix } from '#src/math/matrix.js'
import type { FitContext } from '../../src/ranking.js'
import type { Progress } from '../../src/types.js'
import { parityVectors } from '../conformance/parity.js'
import { checkerboard, tableOf } from '../support/tables.js'

const board = checkerboard(8)
/** Each person is asked for the withheld item of the checkerboard. */
const validation = Array.from({ length: 8 }, (_, user) => ({
  user,
  person: { user, items: board.items.filter((_, row) => board.users[row] === user) },
  targets: Int32Array.of(user),
}))
const context: FitContext = { training: board, fitting: board, validation, seed: 1 }
const quick = { threads: 1, epochs: 30, patience: 2 }

describe('a family as a ranker', () => {
  test('tries its settings, stops early, and reports losses and NDCG of every epoch', async () => {
    let trials: readonly FamilyTrial[] = []
    const seen: Progress[] = []
    const recipe = familyRecipe('lightgcn', {
      options: quick,
      onTrials: (all) => {
        trials = all
      },
    })
    const ranker = await recipe.fit({ ...context, onProgress: (progress) => seen.push(progress) })
    const rankings = await ranker.rank(
      validation.map(({ person }) => person),
      { k: 1 },
    )
    expect(rankings.map(({ items }) => items[0])).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    await ranker.close?.()
    expect(trials.map(({ settings }) => settings)).toEqual([
      { regularization: 1e-3 },
      { regularization: 1e-2 },
    ])
    for (const { curve, epochs, ndcg } of trials) {
      expect(curve.map(({ epoch }) => epoch)).toEqual(curve.map((_, i) => i + 1))
      expect(curve).toHaveLength(Math.min(30, epochs + 2))
      expect(ndcg).toBe(Math.max(...curve.map(({ validation }) => validation!)))
      expect(curve[epochs - 1].validation).toBe(ndcg)
      expect(curve[curve.length - 1].loss).toBeLessThan(curve[0].loss)
      for (const { validationLoss } of curve) expect(validationLoss).toBeGreaterThan(0)
    }
    expect(seen[0]).toMatchObject({ stage: 'setting 1 of at most 2', done: 1, total: 30, unit: 'epochs' })
    expect(Object.keys(seen[0].figures!)).toEqual(['loss', 'validationLoss', 'validation'])
    expect(seen.at(-1)).toMatchObject({ stage: 'training on everything' })
  })

  test.each(['mf-warp', 'mf-softmax', 'lightgcn-flow', 'neumf', 'recommendernet'] as const)(
    '%s is judged on validation, and a setting that is given is not tried otherwise',
    async (family) => {
      let trials: readonly FamilyTrial[] = []
      const recipe = familyRecipe(family, {
        options: { ...quick, epochs: 1, regularization: 0.5 },
        vectors: () => ({ vectors: parityVectors(8) }),
        onTrials: (all) => {
          trials = all
        },
      })
      await (await recipe.fit(context)).close?.()
      expect(trials.map(({ settings }) => settings)).toEqual([{}])
      expect(trials[0].curve).toHaveLength(1)
      expect(trials[0].curve[0].validationLoss).toBeGreaterThan(0)
    },
  )

  test('stops between two steps when it is told to', async () => {
    const controller = new AbortController()
    const recipe = familyRecipe('neumf', { options: { threads: 1, epochs: 10_000, patience: 10_000 } })
    const fit = recipe.fit({
      ...context,
      signal: controller.signal,
      onProgress: () => controller.abort(),
    })
    await expect(fit).rejects.toMatchObject({ code: 'ABORTED' })
  })

  test('the seed decides', async () => {
    const scores = async (seed: number) => {
      const ranker = await familyRecipe('neumf', { options: { threads: 1, blindEpochs: 2 } }).fit({
        ...context,
        validation: [],
        seed,
      })
      const [ranking] = await ranker.rank([validation[0].person], { k: 8 })
      await ranker.close?.()
      return ranking
    }
    const first = await scores(3)
    expect(await scores(3)).toEqual(first)
    expect(await scores(4)).not.toEqual(first)
  })

  test('a catalogue beyond the full softmax is learned from the items of each step', async () => {
    const recipe = familyRecipe('mf-softmax', { options: { threads: 1, fullSoftmaxItems: 0 } })
    const ranker = await recipe.fit({ ...context, validation: [] })
    const rankings = await ranker.rank(
      validation.map(({ person }) => person),
      { k: 1 },
    )
    expect(rankings.map(({ items }) => items[0])).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    await ranker.close?.()
  })

  test('text alone ranks an item that nobody has taken by its text', async () => {
    // Even people take even items; items 8 and 9 are new.
    const rows = Array.from({ length: 8 }, (_, user) =>
      [0, 1, 2, 3, 4, 5, 6, 7]
        .filter((item) => item % 2 === user % 2)
        .map((item): [number, number] => [user, item]),
    ).flat()
    const table = tableOf(rows, { users: 8, items: 10 })
    const recipe = familyRecipe('lightgcn-flow', {
      options: { threads: 1, blindEpochs: 20 },
      vectors: () => ({ vectors: parityVectors(10) }),
    })
    const ranker = await recipe.fit({ training: table, fitting: table, validation: [], seed: 1 })
    const people = [0, 1].map((user) => ({ user, items: Int32Array.of(user, user + 2, user + 4, user + 6) }))
    const rankings = await ranker.rank(people, { k: 1 })
    expect(rankings.map(({ items }) => items[0])).toEqual([8, 9])
    await ranker.close?.()
  })

  test('refuses what it cannot do', async () => {
    const wrong = { epoch: 3 } as object
    expect(() => familyRecipe('neumf', { options: wrong })).toThrow(/Did you mean 'epochs'/)
    expect(() => familyRecipe('neumf', { options: { factors: 0 } })).toThrow(/'factors' is 0/)
    expect(() => familyRecipe('lightgcn-text')).toThrow(/needs vectors/)
    const recipe = familyRecipe('recommendernet', {
      options: quick,
      vectors: () => ({ vectors: matrix(3, 2) }),
    })
    await expect(recipe.fit(context)).rejects.toMatchObject({ code: 'DIMENSION_MISMATCH' })
  })
})
