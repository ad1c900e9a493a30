import { describe, expect, test } from 'vitest'
import { atLeast, barsTable, below } from '../../../dist/scripts/bench/bars.js'
import {
  crossover,
  fittedGrowth,
  growthText,
  median,
  pairedRatio,
  percentile,
  ratioText,
} from '../../../dist/scripts/bench/figures.js'
import { figure, printed } from '../../../dist/scripts/bench/print.js'

describe('percentile', () => {
  test('lies between the two nearest values, whatever their order', () => {
    expect(percentile([4, 1, 3, 2], 0)).toBe(1)
    expect(percentile([4, 1, 3, 2], 1)).toBe(4)
    expect(median([4, 1, 3, 2])).toBe(2.5)
    expect(percentile([10, 20, 30, 40, 50], 0.99)).toBeCloseTo(49.6, 12)
  })

  test('of nothing is refused', () => {
    expect(() => percentile([], 0.5)).toThrow(RangeError)
  })
})

describe('paired ratio', () => {
  test('is the geometric mean of the pairs', () => {
    expect(pairedRatio([2, 8], [1, 1]).ratio).toBeCloseTo(4, 12)
    expect(pairedRatio([2, 8], [4, 16]).ratio).toBeCloseTo(0.5, 12)
  })

  test('cancels what slowed both of a pair down', () => {
    const disturbance = [1, 7, 2, 30, 5]
    const a = disturbance.map((factor) => 6 * factor)
    const b = disturbance.map((factor) => 2 * factor)
    const { ratio, low, high } = pairedRatio(a, b)
    for (const each of [ratio, low, high]) expect(each).toBeCloseTo(3, 12)
  })

  test('has an interval around it that the pairs decide', () => {
    const { ratio, low, high } = pairedRatio([1, 2, 4, 2], [1, 1, 1, 1])
    expect(low).toBeLessThan(ratio)
    expect(high).toBeGreaterThan(ratio)
    expect(low).toBeGreaterThanOrEqual(1)
    expect(high).toBeLessThanOrEqual(4)
  })

  test('refuses what are no pairs of positive numbers', () => {
    expect(() => pairedRatio([1, 2], [1])).toThrow(RangeError)
    expect(() => pairedRatio([1, 0], [1, 1])).toThrow(RangeError)
    expect(() => pairedRatio([], [])).toThrow(RangeError)
  })

  test('reads as a figure with its interval', () => {
    expect(ratioText({ ratio: 4.205, low: 4, high: 4.4 })).toBe('4.21 [4.00, 4.40]')
  })
})

describe('fitted growth', () => {
  const sizes = [1000, 10_000, 100_000, 1000, 10_000, 100_000]

  test.each([0, 0.5, 1, 2])('finds size^%d again, with no doubt about it', (power) => {
    const { exponent, low, high } = fittedGrowth(
      sizes,
      sizes.map((size) => 3 * size ** power),
    )
    for (const each of [exponent, low, high]) expect(each).toBeCloseTo(power, 8)
  })

  test('n log n is a little more than linear', () => {
    const { exponent } = fittedGrowth(
      sizes,
      sizes.map((size) => size * Math.log(size)),
    )
    expect(exponent).toBeGreaterThan(1)
    expect(exponent).toBeLessThan(1.2)
  })

  test('the interval is that of a straight line through points that scatter', () => {
    // Least squares by hand: x = -1, 0, 1 and y = 0, 0, 3: slope 3/2, residuals 1/2, -1, 1/2, one degree of freedom.
    const e = Math.E
    const { exponent, low, high } = fittedGrowth([1 / e, 1, e], [1, 1, e ** 3])
    expect(exponent).toBeCloseTo(1.5, 12)
    const half = 12.71 * Math.sqrt(1.5 / 2)
    expect(low).toBeCloseTo(1.5 - half, 10)
    expect(high).toBeCloseTo(1.5 + half, 10)
    expect(growthText({ exponent: 1, low: 0.5, high: 1.5 })).toBe('1.00 (0.50 to 1.50)')
  })

  test('refuses one size only, two values, and times of zero', () => {
    expect(() => fittedGrowth([10, 10, 10], [1, 2, 3])).toThrow(RangeError)
    expect(() => fittedGrowth([10, 20], [1, 2])).toThrow(RangeError)
    expect(() => fittedGrowth([10, 20, 30], [0, 2, 3])).toThrow(RangeError)
  })
})

describe('bars', () => {
  test('are met by the figure itself, whichever way they point', () => {
    expect(atLeast('a', 4, 4.2, ' x')).toEqual({ name: 'a', wanted: '>= 4 x', measured: '4.2 x', met: true })
    expect(atLeast('a', 4, { ratio: 3.9, low: 3, high: 5 })).toMatchObject({
      measured: '3.9 (3 to 5)',
      met: false,
    })
    expect(below('a', 2, 2)).toMatchObject({ wanted: '< 2', met: false })
    expect(below('a', 2, Number.NaN).met).toBe(false)
    const { rows } = barsTable('t', [atLeast('a', 1, 2), atLeast('b', 1, 0)])
    expect(rows.map((row) => row.at(-1))).toEqual(['met', 'NOT MET'])
  })
})

describe('crossover', () => {
  const sizes = [1000, 100_000]

  test('is where two powers of the size meet', () => {
    const linear = sizes.map((size) => size / 1000)
    const root = sizes.map((size) => Math.sqrt(size) / 10)
    expect(crossover(sizes, linear, root)).toBeCloseTo(10_000, 6)
  })

  test('is nowhere where one leads all along, or falls behind', () => {
    expect(crossover(sizes, [1, 2], [2, 3])).toBeUndefined()
    expect(crossover(sizes, [2, 3], [1, 2])).toBeUndefined()
    expect(crossover(sizes, [2, 1], [1, 2])).toBeUndefined()
  })
})

describe('printing', () => {
  test('keeps the digits that mean something', () => {
    expect([0.01234, 1.2345, 12.345, 123.45, 1234.5, 7].map(figure)).toEqual([
      '0.0123',
      '1.23',
      '12.3',
      '123.5',
      '1,235',
      '7',
    ])
  })

  test('leaves a cell empty that does not apply', () => {
    const text = printed({
      title: 'Title',
      columns: [{ name: 'what' }, { name: 'time', unit: 'ms' }, { name: 'share' }],
      rows: [
        ['one', 1.5, undefined],
        ['two', 12, 0.25],
      ],
      notes: ['a note'],
    })
    expect(text.split('\n')).toEqual([
      'Title',
      '',
      'what  time, ms  share',
      'one        1.5',
      'two         12   0.25',
      '  a note',
    ])
  })
})
