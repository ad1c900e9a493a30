import { mkdtemp, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { easeWeights } from '#src/collaborative/ease.js'
import {
  type CollaborativeParameters,
  collaborativeRecipe,
  fitCollaborative,
  fitScorer,
  fuseScores,
  readScorer,
  writeScorer,
} from '#src/collaborative/index.js'
import { distinctPairs } from '#src/collaborative/pairs.js'
import { plainProduct } from '#src/math/linear-algebra.js'
import { random } from '#src/math/random.js'
import type { FitContext } from '../../src/ranking.js'
import { tableOf } from '../support/tables.js'

const EASE: CollaborativeParameters = { kind: 'ease', lambda: 2, recency: 1 }
const NEIGHBOURS: CollaborativeParameters = { kind: 'neighbours', count: 3, shrinkage: 1, recency: 1 }
const KINDS = [EASE, NEIGHBOURS]

/** Items 0 and 3 are cold. */
const table = tableOf(
  [
    [0, 1],
    [0, 2],
    [1, 1],
    [1, 2],
    [1, 4],
    [2, 4],
    [2, 5],
    [3, 5],
    [3, 2],
  ].map(([u, i], t) => [u, i, t]),
  { items: 6 },
)

describe.each(KINDS)('a scorer of kind $kind', (parameters) => {
  test('has no opinion about items without interactions, and says so', async () => {
    const scorer = await fitScorer(table, parameters, { threads: 1 })
    expect([...scorer.known]).toEqual([0, 1, 1, 0, 1, 1])
    const scores = scorer.scoresOf({ items: Int32Array.of(0, 1) })
    expect(scores[0]).toBe(0)
    expect(scores[3]).toBe(0)
    expect(scores[2]).toBeGreaterThan(0)
    expect([...scorer.scoresOf({ items: Int32Array.of(0, 3) })]).toEqual([0, 0, 0, 0, 0, 0])
  })

  test('a history is the sum of its items, repeats counting once', async () => {
    const scorer = await fitScorer(table, parameters, { threads: 1 })
    const one = scorer.scoresOf({ items: Int32Array.of(1) })
    const other = scorer.scoresOf({ items: Int32Array.of(5) })
    const both = scorer.scoresOf({ items: Int32Array.of(5, 1, 5) })
    for (let i = 0; i < 6; i++) expect(both[i]).toBeCloseTo(one[i] + other[i], 6)
  })

  test('recency lets newer items count more', async () => {
    const scorer = (await fitScorer(table, parameters, { threads: 1 })).withRecency(0.5)
    const one = scorer.scoresOf({ items: Int32Array.of(1) })
    const other = scorer.scoresOf({ items: Int32Array.of(5) })
    const both = scorer.scoresOf({ items: Int32Array.of(5, 1) })
    const level = scorer.scoresOf({ items: Int32Array.of(5, 1) }, undefined, 1)
    for (let i = 0; i < 6; i++) {
      expect(both[i]).toBeCloseTo(one[i] + 0.5 * other[i], 6)
      expect(level[i]).toBeCloseTo(one[i] + other[i], 6)
    }
  })

  test('one item asked about by its column has the score that a whole row gives it', async () => {
    const scorer = (await fitScorer(table, parameters, { threads: 1 })).withRecency(0.7)
    for (const items of [[1], [5, 1], [2, 0, 4, 2], [3]].map((some) => Int32Array.from(some))) {
      const row = scorer.scoresOf({ items })
      for (let item = 0; item < 6; item++) {
        expect(scorer.scoreBy(scorer.column(item), { items })).toBeCloseTo(row[item], 6)
      }
    }
  })

  test('does not write to what it is given, and fills what it is told to', async () => {
    const scorer = await fitScorer(table, parameters, { threads: 1 })
    const items = Int32Array.of(1, 2)
    const into = new Float32Array(6).fill(9)
    expect(scorer.scoresOf({ items }, into)).toBe(into)
    expect([...into]).toEqual([...scorer.scoresOf({ items })])
    expect([...items]).toEqual([1, 2])
  })

  describe('on disk', () => {
    let folder: string
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'textrec-scorer-'))
      await writeScorer(folder, await fitScorer(table, parameters, { threads: 1 }), table.itemIds)
    })
    afterAll(() => rm(folder, { recursive: true }))

    test('comes back as it was', async () => {
      const before = await fitScorer(table, parameters, { threads: 1 })
      const after = await readScorer(folder, table.itemIds)
      expect(after.parameters).toEqual(parameters)
      const person = { items: Int32Array.of(2, 5) }
      expect([...after.scoresOf(person)]).toEqual([...before.scoresOf(person)])
    })

    test('follows items that come, go and change places', async () => {
      const before = await fitScorer(table, parameters, { threads: 1 })
      const now = ['new', 'i5', 'i4', 'i2'] // i1 is gone
      const after = await readScorer(folder, now)
      expect([...after.known]).toEqual([0, 1, 1, 1])
      const old = before.scoresOf({ items: Int32Array.of(4) })
      const scores = after.scoresOf({ items: Int32Array.of(2) })
      expect([...scores]).toEqual([0, old[5], old[4], old[2]])
    })

    test('refuses a file of the wrong size', async () => {
      const damaged = await mkdtemp(join(tmpdir(), 'textrec-scorer-'))
      await writeScorer(damaged, await fitScorer(table, parameters, { threads: 1 }), table.itemIds)
      await truncate(join(damaged, parameters.kind === 'ease' ? 'weights.f32' : 'similarities.f32'), 6)
      await expect(readScorer(damaged, table.itemIds)).rejects.toMatchObject({ code: 'INDEX_DAMAGED' })
      await rm(damaged, { recursive: true })
    })
  })
})

describe('fitting', () => {
  /** 400 people with 3 to 12 of 300 items each. */
  const rows: [number, number, number][] = []
  const source = random(1)
  for (let u = 0; u < 400; u++) {
    for (let i = 0; i < 3 + (u % 10); i++) rows.push([u, source.integer(30) * source.integer(10), i])
  }
  const big = tableOf(rows, { items: 300 })

  test('the worker and its products agree with plain TypeScript', async () => {
    const scorer = await fitScorer(big, { kind: 'ease', lambda: 10, recency: 1 }, { threads: 2 })
    const pairs = distinctPairs(big)
    const expected = await easeWeights(pairs, pairs.warm.length, 10, plainProduct)
    const { weights } = scorer as unknown as { weights: Float32Array }
    expect(weights).toHaveLength(expected.length)
    let worst = 0
    for (let i = 0; i < expected.length; i++) worst = Math.max(worst, Math.abs(weights[i] - expected[i]))
    expect(worst).toBeLessThan(1e-6)
  })

  test('the event loop turns while EASE is computed', async () => {
    let turns = 0
    const timer = setInterval(() => turns++, 1)
    await fitScorer(big, { kind: 'ease', lambda: 10, recency: 1 }, { threads: 1 })
    clearInterval(timer)
    expect(turns).toBeGreaterThan(3)
  })

  test('stops when told to', async () => {
    for (const parameters of KINDS) {
      await expect(fitScorer(big, parameters, { signal: AbortSignal.abort() })).rejects.toMatchObject({
        code: 'ABORTED',
      })
    }
    const controller = new AbortController()
    const run = fitScorer(big, EASE, { signal: controller.signal, onProgress: () => controller.abort() })
    await expect(run).rejects.toMatchObject({ code: 'ABORTED' })
  })

  test('nothing to learn from is an error, not an empty scorer', async () => {
    const nothing = tableOf([], { users: 2, items: 3 })
    for (const parameters of KINDS) {
      await expect(fitScorer(nothing, parameters)).rejects.toMatchObject({ code: 'NOT_ENOUGH_DATA' })
    }
  })

  test('validation chooses, all trials are told, and the winner is fitted on all of training', async () => {
    const validation = Array.from({ length: 50 }, (_, user) => {
      const mine = big.items.filter((_, row) => big.users[row] === user)
      return { user, person: { user, items: mine.slice(0, -1) }, targets: mine.slice(-1) }
    })
    const context: FitContext = { training: big, fitting: big, validation, seed: 1 }
    const { scorer, trials } = await fitCollaborative(context, 'auto', { threads: 1 })
    const best = Math.max(...trials.map(({ ndcg }) => ndcg))
    expect(trials.find(({ ndcg }) => ndcg === best)!.parameters).toEqual(scorer.parameters)
    expect(new Set(trials.map(({ parameters }) => parameters.kind))).toEqual(new Set(['ease', 'neighbours']))
    expect(trials.some(({ parameters }) => parameters.recency < 1)).toBe(true)
  })

  test('the named kinds are as published: no recency', async () => {
    const validation = [{ user: 0, person: { items: Int32Array.of(1) }, targets: Int32Array.of(2) }]
    const context: FitContext = { training: big, fitting: big, validation, seed: 1 }
    const { trials } = await fitCollaborative(context, 'neighbours')
    expect(
      trials.every(({ parameters }) => parameters.kind === 'neighbours' && parameters.recency === 1),
    ).toBe(true)
  })

  test('told to, a named kind weighs newer items more where validation wants it, and says so by its name', async () => {
    // 0 goes with 1 more often than 2 with 3, and who took 0 and then 2 takes 3 next.
    const pairs = [0, 0, 0, 0, 0, 0, 2, 2, 2]
    const rows = pairs.flatMap((item, user): [number, number][] => [
      [user, item],
      [user, item + 1],
    ])
    const table = tableOf(rows, { items: 4 })
    const validation = [
      { user: 0, person: { user: 0, items: Int32Array.of(0, 2) }, targets: Int32Array.of(3) },
    ]
    const context: FitContext = { training: table, fitting: table, validation, seed: 1 }
    const { scorer, trials } = await fitCollaborative(context, 'ease', { threads: 1, recency: true })
    expect(scorer.parameters.kind).toBe('ease')
    expect(scorer.parameters.recency).toBeLessThan(1)
    expect(new Set(trials.map(({ parameters }) => parameters.kind))).toEqual(new Set(['ease']))
    expect(collaborativeRecipe('ease', { recency: true }).name).toBe('ease-recent')
    expect(collaborativeRecipe('ease').name).toBe('ease')
  })
})

describe('fusion', () => {
  const text = Float32Array.of(1, 3, 5, 7, 100)
  const collaborative = Float32Array.of(10, 30, 0, 0, 500)
  const known = Uint8Array.of(1, 1, 0, 0, 1)
  const person = { items: Int32Array.of(4) } // what they have counts for neither scale

  test('mixes z-scores, each over the items it can judge', () => {
    const fused = fuseScores(text, collaborative, known, person, 0.25, new Float32Array(5))
    const deviation = Math.sqrt((9 + 1 + 1 + 9) / 4)
    // Collaborative scores of the two known items are one deviation below and above their mean.
    expect(fused[0]).toBeCloseTo(0.75 * (-3 / deviation) + 0.25 * -1, 5)
    expect(fused[1]).toBeCloseTo(0.75 * (-1 / deviation) + 0.25 * 1, 5)
    // Of the others nobody knows anything but their text, which counts in full.
    expect(fused[2]).toBeCloseTo(1 / deviation, 5)
    expect(fused[3]).toBeCloseTo(3 / deviation, 5)
  })

  test('a share of 0 ranks as text does, of 1 as the collaborative scorer does', () => {
    const order = (scores: Float32Array) => [0, 1].sort((a, b) => scores[b] - scores[a])
    expect(order(fuseScores(text, collaborative, known, person, 0, new Float32Array(5)))).toEqual([1, 0])
    const turned = Float32Array.of(30, 10, 0, 0, 500)
    expect(order(fuseScores(text, turned, known, person, 1, new Float32Array(5)))).toEqual([0, 1])
  })

  test('scores that are all alike say nothing, and nothing becomes NaN', () => {
    const flat = new Float32Array(5).fill(2)
    expect([...fuseScores(flat, flat, known, person, 0.5, new Float32Array(5))]).toEqual([0, 0, 0, 0, 0])
    const everything = { items: Int32Array.of(0, 1, 2, 3, 4) }
    expect(
      fuseScores(text, collaborative, known, everything, 0.5, new Float32Array(5)).every(Number.isFinite),
    ).toBe(true)
  })
})
