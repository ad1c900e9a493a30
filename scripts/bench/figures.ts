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

/** How fast something grows: 1 is linear, 2 quadratic, 0 not at all; with its 95 % interval. */
export interface Growth {
  readonly exponent: number
  readonly low: number
  readonly high: number
}

/** 97.5 % points of Student's t for 1, 2, ... degrees of freedom; from 8 on the last serves, which is a little wide. */
const STUDENT = [12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306]

/**
 * p of value = c * size^p, by least squares over logarithms, with the interval that the residuals give it. Measure
 * sizes more than once: with three points in all the interval says next to nothing.
 * @throws RangeError for fewer than two sizes or three values, or for values that are not positive
 */
export function fittedGrowth(sizes: readonly number[], values: readonly number[]): Growth {
  if (sizes.length !== values.length || sizes.length < 3 || new Set(sizes).size < 2) {
    throw new RangeError('growth needs three values at two sizes')
  }
  if ([...sizes, ...values].some((value) => !(value > 0)))
    throw new RangeError('growth needs positive numbers')
  const x = sizes.map(Math.log)
  const y = values.map(Math.log)
  const mean = (of: readonly number[]) => of.reduce((sum, value) => sum + value, 0) / of.length
  const [meanX, meanY] = [mean(x), mean(y)]
  const covariance = x.reduce((sum, value, i) => sum + (value - meanX) * (y[i] - meanY), 0)
  const variance = x.reduce((sum, value) => sum + (value - meanX) ** 2, 0)
  const exponent = covariance / variance
  const residuals = x.map((value, i) => y[i] - meanY - exponent * (value - meanX))
  const freedom = x.length - 2
  const squares = residuals.reduce((sum, residual) => sum + residual ** 2, 0)
  const student = STUDENT[Math.min(freedom, STUDENT.length) - 1]
  const half = student * Math.sqrt(squares / freedom / variance)
  return { exponent, low: exponent - half, high: exponent + half }
}

/** An exponent for people: `1.04 (0.98 to 1.10)`. */
export function growthText({ exponent, low, high }: Growth): string {
  return `${exponent.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`
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
