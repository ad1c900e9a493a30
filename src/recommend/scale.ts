import type { Matrix } from '../types.js'
import type { VectorIndex } from '../vector-index/index.js'
import { innerProduct } from '../vector-index/rows.js'
import type { Moments } from './moments.js'

/** Items that stand for the catalogue when a score is to be standardised; all of them in a small one. */
export const SAMPLE_SIZE = 1024

/** Item vectors spread evenly over the catalogue. */
export interface Sample {
  /** [rows] ascending. */
  readonly keys: Int32Array
  readonly vectors: Matrix
  /** What makes `textScale` quick for many people one after the other; see `withMoments`. */
  readonly moments?: Moments
}

/**
 * Every n-th item that has a vector, in key order, so many that at most SAMPLE_SIZE are taken.
 * @param keys all item keys, ascending
 */
export function sampleOf(index: VectorIndex, keys: Int32Array): Sample {
  const step = Math.max(1, keys.length / SAMPLE_SIZE)
  const taken: number[] = []
  const rows: Float32Array[] = []
  for (let at = 0; at < keys.length; at += step) {
    const key = keys[Math.floor(at)]
    const vector = index.vector(key)
    if (vector === undefined) continue
    taken.push(key)
    rows.push(vector)
  }
  const data = new Float32Array(rows.length * index.dim)
  rows.forEach((vector, i) => {
    data.set(vector, i * index.dim)
  })
  return { keys: Int32Array.from(taken), vectors: { data, rows: rows.length, dim: index.dim } }
}

/** Somebody who has more than one in so many of the sample's items is worked out item by item. */
const LARGE_SHARE = 4
/** Below this, scores do not differ. */
const LEAST_VARIANCE = 1e-10
/** The same for a difference of sums of float32 numbers, which cannot tell a smaller one from none. */
const LEAST_SUMMED_VARIANCE = 1e-7

/**
 * Mean and deviation of a person's text scores over the sample, less what they have: exact in a catalogue of at
 * most SAMPLE_SIZE items, within some 3 % beyond. Deviation 1 where scores do not differ.
 */
export function textScale(sample: Sample, person: Float32Array, seen: ReadonlySet<number>): Scale {
  if (sample.moments !== undefined) {
    const { sum, squares } = sample.moments.of(person)
    const scale = scaleWithout(sample, sample.moments.places, person, seen, sum, squares)
    if (scale !== undefined) return scale
  }
  const { keys, vectors } = sample
  let sum = 0
  let squares = 0
  let count = 0
  for (let i = 0; i < vectors.rows; i++) {
    if (seen.has(keys[i])) continue
    const score = innerProduct(person, vectors.data, i * vectors.dim)
    sum += score
    squares += score * score
    count++
  }
  return scaleOf(sum, squares, count, LEAST_VARIANCE)
}

/**
 * `textScale` from sums over the whole sample.
 * @param places of the sample's keys
 * @param sum of the person's scores, @param squares of their squares
 * @returns undefined where so much would be taken off the sums that their rounding is left
 */
export function scaleWithout(
  { vectors: { data, dim, rows } }: Sample,
  places: ReadonlyMap<number, number>,
  person: Float32Array,
  seen: ReadonlySet<number>,
  sum: number,
  squares: number,
): Scale | undefined {
  let count = rows
  for (const key of seen) {
    const at = places.get(key)
    if (at === undefined) continue
    const score = innerProduct(person, data, at * dim)
    sum -= score
    squares -= score * score
    count--
  }
  return (rows - count) * LARGE_SHARE > rows ? undefined : scaleOf(sum, squares, count, LEAST_SUMMED_VARIANCE)
}

export interface Scale {
  readonly mean: number
  readonly deviation: number
}

function scaleOf(sum: number, squares: number, count: number, least: number): Scale {
  const mean = count === 0 ? 0 : sum / count
  const variance = count === 0 ? 0 : squares / count - mean * mean
  return { mean, deviation: variance > least ? Math.sqrt(variance) : 1 }
}

export function placesOf(keys: Int32Array): ReadonlyMap<number, number> {
  return new Map(Array.from(keys, (key, at) => [key, at]))
}

/** [dim] the mean of the sample's vectors, less what is in `seen`: where the average item lies. */
export function centreOf({ keys, vectors }: Sample, seen: ReadonlySet<number>): Float32Array {
  const centre = new Float64Array(vectors.dim)
  let count = 0
  for (let i = 0; i < vectors.rows; i++) {
    if (seen.has(keys[i])) continue
    for (let j = 0; j < vectors.dim; j++) centre[j] += vectors.data[i * vectors.dim + j]
    count++
  }
  return Float32Array.from(centre, (value) => value / Math.max(1, count))
}
