import { describe, expect, test } from 'vitest'
import { random } from '#src/math/random.js'
import { bootstrapMean, mean, pairedDifference, quantile } from '#src/math/statistics.js'

const normals = (count: number, centre: number, seed: number) => {
  const source = random(seed)
  return Float64Array.from({ length: count }, () => centre + source.normal())
}

describe('bootstrapMean', () => {
  test('the interval of many normals is the mean plus or minus 1.96 standard errors', () => {
    const values = normals(400, 5, 3)
    const { mean: centre, low, high, count } = bootstrapMean(values, { seed: 1, draws: 4000 })
    const variance = values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / values.length
    const error = 1.96 * Math.sqrt(variance / values.length)
    expect(centre).toBe(mean(values))
    expect(count).toBe(400)
    expect(low).toBeCloseTo(centre - error, 1.5)
    expect(high).toBeCloseTo(centre + error, 1.5)
  })

  test('the same seed gives the same interval and another one another', () => {
    const values = normals(50, 0, 1)
    expect(bootstrapMean(values, { seed: 4 })).toEqual(bootstrapMean(values, { seed: 4 }))
    expect(bootstrapMean(values, { seed: 4 })).not.toEqual(bootstrapMean(values, { seed: 5 }))
  })

  test('covers the true mean about 95 times in 100', () => {
    let covered = 0
    for (let i = 0; i < 200; i++) {
      const { low, high } = bootstrapMean(normals(40, 0, 100 + i), { seed: i, draws: 200 })
      if (low <= 0 && high >= 0) covered++
    }
    expect(covered).toBeGreaterThan(176) // 190 expected, 3 standard deviations are 9
  })

  test('weights of events give the mean over events, and equal weights change nothing', () => {
    // Persons with 1, 3 and 2 events: the mean over all six events is (4 + 3 * 1 + 2 * 2) / 6.
    const { mean: centre, low, high } = bootstrapMean([4, 1, 2], { weights: [1, 3, 2], draws: 500 })
    expect(centre).toBeCloseTo(11 / 6, 12)
    expect(low).toBeGreaterThanOrEqual(1)
    expect(high).toBe(4)
    const values = normals(50, 1, 9)
    const plain = bootstrapMean(values)
    const equal = bootstrapMean(values, { weights: values.map(() => 7) })
    for (const key of ['mean', 'low', 'high'] as const) expect(equal[key]).toBeCloseTo(plain[key], 10)
  })

  test('a person with many events is drawn whole, so the interval is that of persons', () => {
    // Events of one person all alike: 20 persons of 50 equal events know no more than 20 values.
    const persons = normals(20, 0, 4)
    const wide = bootstrapMean(persons, { weights: persons.map(() => 50), draws: 2000 })
    const narrow = bootstrapMean(
      Float64Array.from({ length: 1000 }, (_, i) => persons[i % 20]),
      { draws: 2000 },
    )
    expect(wide.high - wide.low).toBeGreaterThan(5 * (narrow.high - narrow.low))
  })

  test('one value or none has no spread', () => {
    expect(bootstrapMean([3])).toEqual({ mean: 3, low: 3, high: 3, count: 1 })
    expect(bootstrapMean([])).toEqual({ mean: Number.NaN, low: Number.NaN, high: Number.NaN, count: 0 })
  })
})

describe('pairedDifference', () => {
  test('a constant gain is certain, whatever the spread between people', () => {
    const base = normals(30, 0, 2).map((value) => value * 100)
    const result = pairedDifference(
      base.map((value) => value + 1),
      base,
    )
    expect(result.mean).toBeCloseTo(1, 10)
    expect(result.low).toBeCloseTo(1, 10)
    expect(result.significant).toBe(true)
    expect(result.p).toBeLessThan(0.01)
  })

  test('no difference at all has p = 1', () => {
    const same = normals(20, 0, 1)
    expect(pairedDifference(same, same)).toMatchObject({ mean: 0, low: 0, high: 0, p: 1, significant: false })
  })

  test('swapping the two sides changes the sign only', () => {
    const a = normals(60, 0.2, 1)
    const b = normals(60, 0, 2)
    const one = pairedDifference(a, b)
    const other = pairedDifference(b, a)
    expect(other.mean).toBeCloseTo(-one.mean, 12)
    expect(other.p).toBe(one.p)
  })

  test('noise is called significant about 5 times in 100', () => {
    let alarms = 0
    for (let i = 0; i < 200; i++) {
      const result = pairedDifference(normals(40, 0, 500 + i), normals(40, 0, 900 + i), {
        seed: i,
        draws: 200,
      })
      if (result.p <= 0.05) alarms++
    }
    expect(alarms).toBeLessThan(24)
  })

  test('weights decide which side is better where few people have most of the events', () => {
    const a = [1, 0, 0, 0]
    const b = [0, 0.4, 0.4, 0.4]
    expect(pairedDifference(a, b).mean).toBeCloseTo(-0.05, 12)
    expect(pairedDifference(a, b, { weights: [9, 1, 1, 1] }).mean).toBeCloseTo((9 - 1.2) / 12, 12)
  })

  test('refuses sides of different length', () => {
    expect(() => pairedDifference([1], [1, 2])).toThrow(/one value per person/)
  })
})

test('quantile interpolates', () => {
  expect(quantile([0, 10], 0.25)).toBe(2.5)
  expect(quantile([0, 10, 20], 1)).toBe(20)
  expect(quantile([7], 0.5)).toBe(7)
})
