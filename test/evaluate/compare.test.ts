import { describe, expect, test } from 'vitest'
import { collaborativeRecipe } from '#src/collaborative/index.js'
import {
  type Comparison,
  compareOverSeeds,
  compareRankers,
  comparisonPage,
  comparisonTable,
  popularRecipe,
  randomRecipe,
  splitTable,
} from '#src/evaluate/index.js'
import { random, shuffle } from '#src/math/random.js'
import { mean, pairedDifference } from '#src/math/statistics.js'
import { rankCases, rankerOf } from '#src/ranking.js'
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

  test('lifting hidden items as a class gains among all items and nothing among the hidden ones', async () => {
    const cold = splitTable(twoTastes(), { split: 'cold-items=30%', seed: 2 })
    const recipe = (name: string, lift: number): RankerRecipe => ({
      name,
      fit: async ({ training }) => {
        const itemCount = training.itemIds.length
        const noise = Float32Array.from({ length: itemCount }, (_, item) => (item * 37) % 101)
        for (let item = 0; item < itemCount; item++) if (cold.hidden![item] === 1) noise[item] += lift
        const scores = async (people: readonly unknown[]) => ({
          rows: people.length,
          dim: itemCount,
          data: Float32Array.from({ length: people.length * itemCount }, (_, at) => noise[at % itemCount]),
        })
        return rankerOf({ name, itemCount, scores })
      },
    })
    const recipes = [recipe('plain', 0), recipe('lifting', 1000)]
    const { results } = await compareRankers(cold, recipes, { draws: 100, metric: 'recall' })
    const [plain, lifting] = results.map(({ metrics }) => metrics)
    expect(lifting['recall@10'].mean).toBeGreaterThan(2 * plain['recall@10'].mean)
    expect(lifting['recall@10']).toEqual(lifting['recallAmongHidden@10'])
    expect(lifting['recallAmongHidden@10']).toEqual(plain['recallAmongHidden@10'])
    expect(comparisonTable(await compareRankers(cold, recipes, { draws: 100 }))).toContain(
      'among hidden alone',
    )
    const warm = await compareRankers(split, [popularRecipe()], { draws: 100 })
    expect(Object.keys(warm.results[0].metrics).filter((name) => name.includes('Hidden'))).toEqual([])
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

describe('several seeds', () => {
  const table = twoTastes()
  /** Five draws of hidden items, with a ranker that the seed decides and two that it does not. */
  const cold = (seen: string[] = []) => ({
    names: ['popular', 'random', 'item-knn'],
    make: async (seed: number) => ({
      split: splitTable(table, { split: 'cold-items=20%', seed }),
      recipes: [popularRecipe(), randomRecipe(), collaborativeRecipe('neighbours')].map((recipe) => ({
        ...recipe,
        fit: (context: Parameters<RankerRecipe['fit']>[0]) => {
          seen.push(`${recipe.name} ${context.seed}`)
          return recipe.fit(context)
        },
      })),
    }),
    done: async (seed: number) => {
      seen.push(`done ${seed}`)
    },
  })

  test('hide other items each time, and a person is the mean of theirs over the draws that tested them', async () => {
    const seeds = [1, 2, 3, 4]
    const { results, runs, split: about } = await compareOverSeeds(seeds, cold(), { draws: 100 })
    expect(new Set(runs.map(({ notes, cases }) => `${cases}: ${notes.join()}`)).size).toBe(4)
    expect(about.cases).toBe(runs.reduce((sum, { cases }) => sum + cases, 0))

    // The slow twin: every draw by itself, its figures of people put together by hand.
    const people = new Map<number, { popular: number[]; random: number[] }>()
    const cases: { popular: number[]; random: number[] } = { popular: [], random: [] }
    for (const seed of seeds) {
      const { split, recipes } = await cold().make(seed)
      const ofDraw = new Map<number, { popular: number[]; random: number[] }>()
      for (const [i, name] of (['popular', 'random'] as const).entries()) {
        const { training, fitting, validation } = split
        const ranker = await recipes[i].fit({ training, fitting, validation, seed })
        const rankings = await rankCases(ranker, split.test, 10)
        for (const [at, { user, targets }] of split.test.entries()) {
          const value = rankings[at].items.includes(targets[0]) ? 1 : 0
          const mine = ofDraw.get(user) ?? { popular: [], random: [] }
          mine[name].push(value)
          cases[name].push(value)
          ofDraw.set(user, mine)
        }
      }
      for (const [user, values] of ofDraw) {
        const mine = people.get(user) ?? { popular: [], random: [] }
        for (const name of ['popular', 'random'] as const) mine[name].push(mean(values[name]))
        people.set(user, mine)
      }
    }
    expect(about.people).toBe(people.size)
    const averages = [...people.values()].map(({ popular, random }) => [mean(popular), mean(random)])
    const [popular, chance] = results
    expect(popular.metrics['recall@10'].mean).toBeCloseTo(mean(averages.map(([one]) => one)), 12)
    expect(chance.metrics['recall@10'].mean).toBeCloseTo(mean(averages.map(([, one]) => one)), 12)
    expect(chance.byCase['recall@10'].mean).toBeCloseTo(mean(cases.random), 12)
    const difference = pairedDifference(
      averages.map(([, one]) => one),
      averages.map(([one]) => one),
      { seed: 1, draws: 100 },
    )
    expect(chance.difference!['recall@10'].mean).toBeCloseTo(difference.mean, 12)
    expect(chance.difference!['recall@10'].low).toBeCloseTo(difference.low, 12)
    expect(chance.difference!['recall@10'].count).toBe(people.size)
    expect(chance.differenceByCase!['recall@10'].mean).toBeCloseTo(
      mean(cases.random) - mean(cases.popular),
      12,
    )
  })

  test('on one split, what has no seed is fitted once, and each seed is cleared away', async () => {
    const seen: string[] = []
    const draws = cold(seen)
    const one = await draws.make(1)
    const { results, runs } = await compareOverSeeds([1, 2, 3], { ...draws, make: async () => one })
    expect(seen).toEqual([
      ...['popular 1', 'random 1', 'item-knn 1', 'done 1'],
      ...['random 2', 'done 2', 'random 3', 'done 3'],
    ])
    for (const at of [0, 2]) {
      const [first, second] = runs.map((run) => run.results[at].metrics['ndcg@10'].mean)
      expect(second).toBe(first)
      expect(results[at].metrics['ndcg@10'].mean).toBeCloseTo(first, 12)
    }
    expect(runs[1].results[1].metrics).not.toEqual(runs[0].results[1].metrics)
  })

  test('one seed is what a comparison without seeds is, and progress names the seed', async () => {
    const { make } = cold()
    const { split: divided, recipes } = await make(2)
    const options = { draws: 100, metric: 'recall' } as const
    const figures = ({ results, runs }: Comparison) =>
      [...results, ...runs[0].results].map(({ fitSeconds, rankSeconds, ...rest }) => rest)
    const alone = await compareRankers(divided, recipes, { ...options, seed: 2 })
    expect(figures(await compareOverSeeds([2], cold(), options))).toEqual(figures(alone))
    const stages = new Set<string>()
    const onProgress = ({ stage, total }: { stage: string; total?: number }) =>
      stages.add(`${stage}/${total}`)
    await compareOverSeeds([2, 5], cold(), { ...options, onProgress })
    expect(stages).toContain('seed 5 (2 of 2): random/6')
  })

  test('a signal ends it between two rankers, and the seed is cleared away', async () => {
    const seen: string[] = []
    const controller = new AbortController()
    const onProgress = ({ stage }: { stage: string }) => {
      if (stage === 'seed 2 (2 of 2): random') controller.abort()
    }
    const run = compareOverSeeds([1, 2], cold(seen), { signal: controller.signal, onProgress, draws: 100 })
    await expect(run).rejects.toMatchObject({ code: 'ABORTED' })
    expect(seen.at(-1)).toBe('done 2')
    expect(seen).not.toContain('item-knn 2')
  })

  test('both reports show each seed, and figures by case where they differ', async () => {
    const comparison = await compareOverSeeds([1, 2], cold(), { draws: 100, metric: 'recall' })
    const text = comparisonTable(comparison)
    expect(text).toMatch(/Seed 2: \d+ of \d+ items are hidden, at random with seed 2/)
    expect(text).toContain('Recall@10 by case')
    expect(text.match(/│ random +│ +[12] │/g)).toHaveLength(2)
    const page = await comparisonPage(comparison)
    expect(page).toContain('Each seed by itself')
    expect(page).toContain('By case')
    expect(JSON.parse(JSON.stringify(comparison))).toEqual(comparison)
    // Hold-last has one case per person: nothing to tell apart.
    expect(comparisonTable(await compareRankers(split, recipes(), { draws: 100 }))).not.toContain('by case')
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
