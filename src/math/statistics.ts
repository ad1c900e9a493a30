import { TextrecError } from '../errors.js'
import { random } from './random.js'

/** The arithmetic mean; NaN for no values. */
export function mean(values: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i]
  return sum / values.length
}

/** A mean with its 95 % interval. `count` says over how many values. */
export interface Estimate {
  readonly mean: number
  readonly low: number
  readonly high: number
  readonly count: number
}

export interface ResampleOptions {
  readonly seed?: number
  /** How often the values are drawn anew. Default 1000. */
  readonly draws?: number
  /**
   * How much each value counts in the mean; all alike when absent. With a person's mean as the value and their
   * number of events as the weight, the mean is that over all events, and persons stay the units that are drawn.
   */
  readonly weights?: ArrayLike<number>
}

/**
 * The mean with its 95 % percentile-bootstrap interval (Efron & Tibshirani 1993, chapter 13). One value must be
 * one independent unit: give per-person figures, not one per event. Deterministic for a seed.
 */
export function bootstrapMean(values: ArrayLike<number>, options: ResampleOptions = {}): Estimate {
  const { seed = 1, draws = 1000, weights } = options
  const n = values.length
  const centre = weights === undefined ? mean(values) : weightedMean(values, weights)
  if (n < 2) return { mean: centre, low: centre, high: centre, count: n }
  const source = random(seed)
  const means = new Float64Array(draws)
  for (let draw = 0; draw < draws; draw++) {
    let sum = 0
    let weight = 0
    for (let i = 0; i < n; i++) {
      const at = source.integer(n)
      const one = weights === undefined ? 1 : weights[at]
      sum += one * values[at]
      weight += one
    }
    means[draw] = sum / weight
  }
  means.sort()
  return { mean: centre, low: quantile(means, 0.025), high: quantile(means, 0.975), count: n }
}

/** The difference a - b of two systems on the same people. */
export interface PairedDifference extends Estimate {
  /** Two-sided: how often chance alone would give a difference at least this large. */
  readonly p: number
  /** The 95 % interval leaves out zero. */
  readonly significant: boolean
}

/**
 * Mean of a[i] - b[i] with its bootstrap interval, and the p-value of a paired randomization test, which flips
 * the sign of each difference at random (Smucker, Allan & Carterette 2007).
 * @throws DIMENSION_MISMATCH if a and b are not about the same people.
 */
export function pairedDifference(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  options: ResampleOptions = {},
): PairedDifference {
  if (a.length !== b.length) {
    throw new TextrecError(
      'DIMENSION_MISMATCH',
      `A paired comparison got ${a.length} values and ${b.length}.`,
      'Both must hold one value per person, in the same order.',
    )
  }
  const { seed = 1, draws = 1000, weights } = options
  const differences = Float64Array.from(a, (value, i) => value - b[i])
  const estimate = bootstrapMean(differences, { seed, draws, weights })
  // People without a difference change no sum: only the others need a coin.
  const moved = differences
    .map((difference, i) => difference * (weights?.[i] ?? 1))
    .filter((difference) => difference !== 0)
  const observed = Math.abs(moved.reduce((sum, value) => sum + value, 0))
  const source = random(seed + 1)
  let atLeast = 0
  for (let draw = 0; draw < draws; draw++) {
    let sum = 0
    for (const difference of moved) sum += source.next() < 0.5 ? difference : -difference
    if (Math.abs(sum) >= observed - 1e-12) atLeast++
  }
  return {
    ...estimate,
    p: (atLeast + 1) / (draws + 1),
    significant: estimate.low > 0 || estimate.high < 0,
  }
}

function weightedMean(values: ArrayLike<number>, weights: ArrayLike<number>): number {
  let sum = 0
  let weight = 0
  for (let i = 0; i < values.length; i++) {
    sum += weights[i] * values[i]
    weight += weights[i]
  }
  return sum / weight
}

/** Linear interpolation between the two nearest of `sorted` (ascending). */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  const at = share * (sorted.length - 1)
  const below = Math.floor(at)
  const above = Math.min(below + 1, sorted.length - 1)
  return sorted[below] + (at - below) * (sorted[above] - sorted[below])
}
