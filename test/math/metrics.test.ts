import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { matrix } from '#src/math/matrix.js'
import {
  averagePrecision,
  catalogueCoverage,
  exposure,
  gini,
  hitRate,
  intraListDiversity,
  ndcg,
  novelty,
  recall,
  reciprocalRank,
} from '#src/math/metrics.js'

const ranked = [7, 3, 9, 1, 5]
const relevant = new Set([3, 5, 8])

describe('metrics of one list', () => {
  test('recall counts what was found among what was to be found', () => {
    expect(recall(ranked, relevant, 1)).toBe(0 / 3)
    expect(recall(ranked, relevant, 2)).toBe(1 / 3)
    expect(recall(ranked, relevant, 5)).toBe(2 / 3)
    expect(recall(ranked, relevant, 100)).toBe(2 / 3)
  })

  test('recall divides by all relevant items even where k is smaller', () => {
    expect(recall([1], new Set([1, 2, 3, 4]), 1)).toBe(1 / 4)
  })

  test('hit rate is one as soon as anything is found', () => {
    expect(hitRate(ranked, relevant, 1)).toBe(0)
    expect(hitRate(ranked, relevant, 2)).toBe(1)
  })

  test('NDCG discounts by the logarithm of rank + 1 and divides by the best list possible', () => {
    const gain = 1 / Math.log2(2 + 1) + 1 / Math.log2(5 + 1)
    expect(ndcg(ranked, relevant, 5)).toBeCloseTo(gain / (1 + 1 / Math.log2(3) + 1 / Math.log2(4)), 12)
    expect(ndcg(ranked, relevant, 2)).toBeCloseTo(1 / Math.log2(3) / (1 + 1 / Math.log2(3)), 12)
    expect(ndcg([3, 5, 8], relevant, 10)).toBe(1)
  })

  test('reciprocal rank looks at the first find only', () => {
    expect(reciprocalRank(ranked, relevant, 5)).toBe(1 / 2)
    expect(reciprocalRank(ranked, relevant, 1)).toBe(0)
  })

  test('average precision averages the precision at each find', () => {
    expect(averagePrecision(ranked, relevant, 5)).toBeCloseTo((1 / 2 + 2 / 5) / 3, 12)
    expect(averagePrecision(ranked, relevant, 2)).toBeCloseTo(1 / 2 / 2, 12)
  })

  test('an empty list scores zero everywhere', () => {
    for (const metric of [recall, hitRate, ndcg, reciprocalRank, averagePrecision]) {
      expect(metric([], relevant, 10)).toBe(0)
    }
  })

  test('all metrics agree with their definitions written out over a cut list', () => {
    const cut = fc.record({
      list: fc.uniqueArray(fc.integer({ min: 0, max: 30 }), { maxLength: 20 }),
      wanted: fc.uniqueArray(fc.integer({ min: 0, max: 30 }), { minLength: 1, maxLength: 10 }),
      k: fc.integer({ min: 1, max: 25 }),
    })
    fc.assert(
      fc.property(cut, ({ list, wanted, k }) => {
        const top = list.slice(0, k)
        const gains = top.map((item): number => (wanted.includes(item) ? 1 : 0))
        const total = gains.reduce((a, b) => a + b, 0)
        const set = new Set(wanted)
        expect(recall(list, set, k)).toBeCloseTo(total / wanted.length, 12)
        expect(hitRate(list, set, k)).toBe(Math.min(1, total))
        const dcg = (values: number[]) => values.reduce((sum, gain, i) => sum + gain / Math.log2(i + 2), 0)
        const best = wanted.slice(0, k).map(() => 1)
        expect(ndcg(list, set, k)).toBeCloseTo(dcg(gains) / dcg(best), 12)
        const first = gains.indexOf(1)
        expect(reciprocalRank(list, set, k)).toBe(first < 0 ? 0 : 1 / (first + 1))
        const precisions = gains.map(
          (gain, i) => gain * (gains.slice(0, i + 1).reduce((a, b) => a + b, 0) / (i + 1)),
        )
        const sum = precisions.reduce((a, b) => a + b, 0)
        expect(averagePrecision(list, set, k)).toBeCloseTo(sum / Math.min(k, wanted.length), 12)
      }),
    )
  })
})

describe('figures about many lists', () => {
  test('coverage is the share of the catalogue that anyone is shown', () => {
    expect(
      catalogueCoverage(
        [
          [0, 1, 2],
          [1, 3],
        ],
        10,
        2,
      ),
    ).toBe(3 / 10)
    expect(catalogueCoverage([], 10, 2)).toBe(0)
    expect(catalogueCoverage([], 0, 2)).toBe(0)
  })

  test('exposure counts lists per item, down to k', () => {
    expect([
      ...exposure(
        [
          [0, 1, 2],
          [1, 3],
        ],
        5,
        2,
      ),
    ]).toEqual([1, 2, 0, 1, 0])
  })

  test('Gini is 0 for equal counts and (n - 1) / n for a monopoly', () => {
    expect(gini(Float64Array.of(3, 3, 3, 3))).toBe(0)
    expect(gini(Float64Array.of(0, 8, 0, 0))).toBe(3 / 4)
    expect(gini(Float64Array.of(1, 2, 3))).toBeCloseTo((-2 * 1 + 0 * 2 + 2 * 3) / (3 * 6), 12)
    expect(gini(Float64Array.of(0, 0))).toBe(0)
  })

  test('Gini is half the mean absolute difference over the mean', () => {
    const counts = fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 1, maxLength: 12 })
    fc.assert(
      fc.property(counts, (values) => {
        const sum = values.reduce((a, b) => a + b, 0)
        fc.pre(sum > 0)
        let differences = 0
        for (const a of values) for (const b of values) differences += Math.abs(a - b)
        expect(gini(Float64Array.from(values))).toBeCloseTo(differences / (2 * values.length * sum), 10)
      }),
    )
  })

  test('novelty is the mean surprise in bits', () => {
    const holders = [8, 2, 0]
    expect(novelty([0, 1], holders, 8, 2)).toBe((-Math.log2(8 / 8) - Math.log2(2 / 8)) / 2)
    expect(novelty([2], holders, 8, 1)).toBe(3) // nobody has it: as surprising as one in eight
    expect(novelty([], holders, 8, 1)).toBe(0)
  })

  test('diversity is the mean of 1 - cosine over pairs', () => {
    const half = Math.SQRT1_2
    const vectors = matrix(3, 2, Float32Array.of(1, 0, 0, 1, half, half))
    expect(intraListDiversity([0, 1], vectors, 10)).toBeCloseTo(1, 6)
    expect(intraListDiversity([0, 1, 2], vectors, 10)).toBeCloseTo((1 + (1 - half) + (1 - half)) / 3, 6)
    expect(intraListDiversity([0, 0], vectors, 10)).toBeCloseTo(0, 6)
    expect(intraListDiversity([0], vectors, 10)).toBe(0)
    expect(intraListDiversity([0, 1, 2], vectors, 1)).toBe(0)
  })
})
