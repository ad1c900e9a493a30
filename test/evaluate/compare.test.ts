import { describe, expect, test } from 'vitest'
import { collaborativeRecipe } from '#src/collaborative/index.js'
import {
  type Comparison,
  compareRankers,
  comparisonPage,
  comparisonTable,
  popularRecipe,
  randomRecipe,
  splitTable,
} from '#src/evaluate/index.js'
import { random, shuffle } from '#src/math/random.js'
import { rankerOf } from '#src/ranking.js'
import type { RankerRecipe } from '../../src/ranking.js'
import { tableOf } from '../support/tables.js'

/** 60 people of two tastes (even and odd items), each with 6 of the 20 items of their taste, small numbers more often, in random order. */
function twoTastes() {
  const source = random(5)
  const rows: [number, number, number][] = []
  for (let u = 0; u < 60; u++) {
    const mine = new Set<number>()
    while (mine.size < 6) mine.add(2 * Math.floor(source.integer(100) ** 2 / 500.1) + (u % 2))
    let time = 0
    for (const item of shuffle([...mine], source)) rows.push([u, item, ++time])
  }
  return tableOf(rows, { items: 40 })
}

const split = splitTable(twoTastes(), { split: 'hold-last' })
const recipes = () => [popularRecipe(), randomRecipe(), collaborativeRecipe('ease', { threads: 1 })]

/** Knows the answers: the ceiling of every metric, and the kind of ranker that the guard exists for. */
const oracle: RankerRecipe = {
  name: 'oracle',
  fit: async () =>
    rankerOf({
      name: 'oracle',
      itemCount: 40,
      scores: async (people) => {
        const data = new Float32Array(40 * people.length)
        people.forEach(({ user }, i) => {
          const one = split.test.find((test) => test.user === user)!
          data[i * 40 + one.targets[0]] = 1
        })
        return { data, rows: people.length, dim: 40 }
      },
    }),
}

describe('compareRankers', () => {
  test('puts each ranker where it belongs: perfect, by taste, popular, random', async () => {
    const { results } = await compareRankers(split, [...recipes(), oracle], { draws: 200 })
    const [popular, chance, ease, perfect] = results.map(({ metrics }) => metrics['ndcg@10'].mean)
    expect(perfect).toBe(1)
    expect(ease).toBeGreaterThan(popular)
    expect(popular).toBeGreaterThan(chance)
    const { difference } = results[2]
    expect(difference!['ndcg@10'].mean).toBeCloseTo(ease - popular, 10)
    expect(results[0].difference).toBeUndefined()
    expect(results[3].difference!['ndcg@10'].significant).toBe(true)
  })

  test('the same seed gives the same figures', async () => {
    const figures = ({ results }: Comparison) =>
      results.map(({ metrics, difference }) => [metrics, difference])
    const once = await compareRankers(split, recipes(), { seed: 3, draws: 100 })
    const again = await compareRankers(split, recipes(), { seed: 3, draws: 100 })
    expect(figures(again)).toEqual(figures(once))
  })

  test('slices cover the cases, and the interval holds the mean', async () => {
    const { results } = await compareRankers(split, [popularRecipe()], { draws: 100 })
    const { slices, metrics } = results[0]
    const of = (by: string) =>
      slices.filter((slice) => slice.by === by).reduce((sum, { cases }) => sum + cases, 0)
    expect(of('target')).toBe(split.test.length)
    expect(of('history')).toBe(split.test.length)
    for (const { mean, low, high } of Object.values(metrics)) {
      expect(low).toBeLessThanOrEqual(mean)
      expect(high).toBeGreaterThanOrEqual(mean)
    }
  })

  test('several cases of one person count as one person', async () => {
    const turns = splitTable(twoTastes(), { split: 'last-five' })
    const { split: about, results } = await compareRankers(turns, [popularRecipe()], { draws: 100 })
    expect(about.cases).toBe(240)
    expect(about.people).toBe(60)
    expect(results[0].metrics['ndcg@10'].count).toBe(60)
  })

  test('a cold item that the person also has in hiding is not in the way', async () => {
    const cold = splitTable(twoTastes(), { split: 'cold-items=30%', seed: 2 })
    const { results } = await compareRankers(cold, [randomRecipe()], { k: 40, cutoffs: [], draws: 100 })
    expect(results[0].metrics['recall@40'].mean).toBe(1)
  })

  test('a planted leak stops it before anything is fitted', async () => {
    let fitted = false
    const curious: RankerRecipe = {
      name: 'curious',
      fit: (context) => {
        fitted = true
        return popularRecipe().fit(context)
      },
    }
    await expect(compareRankers({ ...split, training: split.table }, [curious])).rejects.toMatchObject({
      code: 'LEAK_FOUND',
    })
    expect(fitted).toBe(false)
  })

  test('recipes are given nothing of the test', async () => {
    const spy: RankerRecipe = {
      name: 'spy',
      fit: (context) => {
        for (const { user, targets } of split.test) {
          const mine = context.training.items.filter((_, row) => context.training.users[row] === user)
          expect(mine.includes(targets[0])).toBe(false)
        }
        expect(Object.keys(context)).not.toContain('test')
        return popularRecipe().fit(context)
      },
    }
    await compareRankers(split, [spy], { draws: 100 })
  })

  test('an unknown baseline and a fired signal are typed errors', async () => {
    await expect(compareRankers(split, recipes(), { baseline: 'glove' })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    })
    await expect(compareRankers(split, recipes(), { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'ABORTED',
    })
  })
})

describe('reports', () => {
  test('the table names every ranker and the split', async () => {
    const comparison = await compareRankers(split, recipes(), { draws: 100 })
    const text = comparisonTable(comparison)
    for (const word of ['popular', 'random', 'ease', 'NDCG@10', 'hold-last: 60 rankings of 60 people']) {
      expect(text).toContain(word)
    }
  })

  test('the comparison is plain JSON', async () => {
    const comparison = await compareRankers(split, recipes(), { draws: 100 })
    expect(JSON.parse(JSON.stringify(comparison))).toEqual(comparison)
  })

  test('the page holds its plots, escapes names and asks for nothing from outside', async () => {
    const named = { ...popularRecipe(), name: '<b>popular</b> & co' }
    const page = await comparisonPage(await compareRankers(split, [named, randomRecipe()], { draws: 100 }))
    expect(page.match(/<svg/g)!.length).toBeGreaterThanOrEqual(3)
    expect(page).not.toContain('<b>popular</b>')
    expect(page).toContain('&lt;b&gt;popular&lt;/b&gt; &amp; co')
    expect(page).not.toMatch(/<script|<link|<img|@import|url\(/)
    expect(page.replaceAll(/xmlns(:\w+)?="[^"]*"/g, '')).not.toMatch(/https?:\/\//)
  })

  test('one ranker alone has a page too', async () => {
    expect(await comparisonPage(await compareRankers(split, [randomRecipe()], { draws: 100 }))).toContain(
      'nothing to compare',
    )
  })
})
