import { addScaled, normalize } from '../math/matrix.js'

/** One thing that says something about a person's taste. */
export interface Signal {
  /** [dim] unit vector of the item or text. */
  readonly vector: Float32Array
  /** How much it counts; below zero it pushes away. */
  readonly weight: number
  /** An event of the person's history: these have an order, oldest first; what people say has none. */
  readonly event?: boolean
  /** When an event was, as the store knows it: milliseconds, or a position. */
  readonly time?: number
}

export const TASTE = {
  /**
   * An event counts this much of the next newer one. On validation, NDCG@10 of frozen text with .6 against .93: .076
   * and .064 on a shop, .029 and .026 on one known by its reviews, .019 and .005 on films; beside item-item scores
   * .097 and .091, .068 and .066, .058 and .053. Faster still was no better, or little.
   */
  decay: 0.6,
  /** A dislike counts this much of a like, the other way round. */
  dislike: 0.5,
  /** What the person says in words counts as much as this many likes. */
  text: 2,
} as const

/** What is left of the oldest events: no sum notices it, and who reads the order of events still gets them all. */
const LEAST_RECENCY = 1e-6

/**
 * Weight of each event of a history, oldest first: `decay` times that of the next newer one, times the square of how
 * well it was rated on the catalogue's own scale (the worst rating counts nothing, one in the middle a quarter, no
 * rating full).
 * @param values [events] ratings; NaN where there is none
 * @param range lowest and highest rating in the catalogue; undefined where nobody rates
 */
export function historyWeights(
  values: Float32Array,
  range: { readonly lowest: number; readonly highest: number } | undefined,
  decay: number = TASTE.decay,
): Float32Array {
  return values.map((value, i) => {
    const recency = Math.max(decay ** (values.length - 1 - i), LEAST_RECENCY)
    if (Number.isNaN(value) || range === undefined || range.highest <= range.lowest) return recency
    return recency * ((value - range.lowest) / (range.highest - range.lowest)) ** 2
  })
}

/** The unit vector of a person: the weighted sum of their signals. Undefined when they cancel or there are none. */
export function personVector(signals: readonly Signal[]): Float32Array | undefined {
  if (signals.length === 0) return undefined
  const sum = new Float32Array(signals[0].vector.length)
  for (const { vector, weight } of signals) addScaled(sum, vector, weight)
  normalize(sum)
  return sum.some((value) => value !== 0) ? sum : undefined
}
