import { bootstrapMean, quantile } from '../../src/math/statistics.js'

/** The benchmark's own arithmetic: pure, and tested in test/scripts/bench/. */

/** The value that a share of all are not above, between 0 and 1. @throws RangeError for no values */
export function percentile(values: readonly number[], share: number): number {
  if (values.length === 0) throw new RangeError('a percentile of nothing')
  return quantile(Float64Array.from(values).sort(), share)
}

export const median = (values: readonly number[]): number => percentile(values, 0.5)

/** How many times as large one figure is as another, with its 95 % interval. */
export interface Ratio {
  readonly ratio: number
  readonly low: number
  readonly high: number
}

/**
 * The geometric mean of a[i] / b[i] with its bootstrap interval. Taken from measurements side by side, it
 * cancels what the machine was doing at the time, which a ratio of two medians does not.
 * @throws RangeError if a and b are not pairs of positive numbers
 */
export function pairedRatio(a: readonly number[], b: readonly number[]): Ratio {
  if (a.length !== b.length || a.length === 0) throw new RangeError(`${a.length} against ${b.length} values`)
  if ([...a, ...b].some((value) => !(value > 0))) throw new RangeError('a ratio needs positive numbers')
  const logs = a.map((value, i) => Math.log(value / b[i]))
  const { mean, low, high } = bootstrapMean(logs)
  return { ratio: Math.exp(mean), low: Math.exp(low), high: Math.exp(high) }
}

/** A ratio for people: `4.21 [4.02, 4.40]`. */
export function ratioText({ ratio, low, high }: Ratio): string {
  return `${ratio.toFixed(2)} [${low.toFixed(2)}, ${high.toFixed(2)}]`
}

/**
 * p of value = c * size^p, by least squares over logarithms: 1 is linear growth, 2 quadratic, 0 none.
 * @throws RangeError for fewer than two sizes, or for values that are not positive
 */
export function fittedExponent(sizes: readonly number[], values: readonly number[]): number {
  if (sizes.length !== values.length || new Set(sizes).size < 2)
    throw new RangeError('growth needs two sizes')
  if ([...sizes, ...values].some((value) => !(value > 0)))
    throw new RangeError('growth needs positive numbers')
  const x = sizes.map(Math.log)
  const y = values.map(Math.log)
  const mean = (of: readonly number[]) => of.reduce((sum, value) => sum + value, 0) / of.length
  const [meanX, meanY] = [mean(x), mean(y)]
  const covariance = x.reduce((sum, value, i) => sum + (value - meanX) * (y[i] - meanY), 0)
  const variance = x.reduce((sum, value) => sum + (value - meanX) ** 2, 0)
  return covariance / variance
}

/**
 * The size from which on `second` is the smaller, where both are measured at growing sizes: the logarithm of
 * their ratio is taken as a line between two sizes. Undefined where they do not cross from first to second.
 */
export function crossover(
  sizes: readonly number[],
  first: readonly number[],
  second: readonly number[],
): number | undefined {
  const lead = sizes.map((_, i) => Math.log(second[i] / first[i]))
  for (let i = 1; i < sizes.length; i++) {
    if (lead[i - 1] <= 0 || lead[i] > 0) continue
    const share = lead[i - 1] / (lead[i - 1] - lead[i])
    return Math.exp(Math.log(sizes[i - 1]) + share * Math.log(sizes[i] / sizes[i - 1]))
  }
  return undefined
}
