import { addScaled, dot, matrix, normalize, row } from '../math/matrix.js'
import { type Random, random, shuffle } from '../math/random.js'
import { Graph } from '../onnx/graph.js'
import { serializeModel } from '../onnx/protobuf.js'
import { Session, tensor } from '../onnx/session.js'
import type { Matrix } from '../types.js'

export interface KMeansOptions {
  /** Decides where the centres start, and which rows of a large catalogue they are fitted on. Default 1. */
  readonly seed?: number
  /** Rounds at most; most catalogues settle sooner. Default 50. */
  readonly rounds?: number
  /** Starts, of which the best counts. Default 3. */
  readonly starts?: number
  /** Asked before every round; may throw to stop. */
  readonly onRound?: (round: number) => void
}

export interface Clustering {
  /** [clusters, dim] unit rows; clusters that nobody is in are left out. */
  readonly centres: Matrix
  /** [rows] the nearest centre. */
  readonly of: Int32Array
  /** Mean cosine of a row with its centre. */
  readonly cosine: number
}

/** Centres are fitted on this many rows at most; all rows then get the nearest. */
const MOST_ROWS = 20_000
/** Rows compared with all centres at once. */
const BATCH = 1024

/**
 * Spherical k-means (Dhillon & Modha 2001) with k-means++ starts (Arthur & Vassilvitskii 2007): each row belongs to
 * the centre of largest cosine, each centre is the mean of its rows, of unit length. A centre that loses all its rows
 * starts again at the row that is served worst. Equal cosines go to the earlier centre.
 * @param rows [n, dim] unit rows @param k from 1 to n
 */
export async function kMeans(rows: Matrix, k: number, options: KMeansOptions = {}): Promise<Clustering> {
  const { seed = 1, rounds = 50, starts = 3, onRound = () => undefined } = options
  const nearest = await Nearest.open(rows.dim)
  try {
    const source = random(seed)
    const sample = sampled(rows, source)
    let best: { readonly centres: Matrix; readonly cosine: number } | undefined
    for (let start = 0; start < starts; start++) {
      const centres = firstCentres(sample, Math.min(k, sample.rows), source)
      let cosine = Number.NEGATIVE_INFINITY
      for (let round = 0; round < rounds; round++) {
        onRound(start * rounds + round)
        const found = await nearest.to(sample, centres)
        if (found.cosine <= cosine + 1e-7) break
        cosine = found.cosine
        moveCentres(sample, centres, found)
      }
      const { cosine: reached } = await nearest.to(sample, centres)
      if (best === undefined || reached > best.cosine) best = { centres, cosine: reached }
    }
    const { centres } = best as { readonly centres: Matrix }
    const found = await nearest.to(rows, centres)
    return withoutEmpty(centres, found)
  } finally {
    await nearest.close()
  }
}

/** Which centre is nearest to each row: [rows] places of `centres`. */
export async function nearestCentres(rows: Matrix, centres: Matrix): Promise<Int32Array> {
  if (rows.rows === 0) return new Int32Array(0)
  const nearest = await Nearest.open(rows.dim)
  try {
    return (await nearest.to(rows, centres)).of
  } finally {
    await nearest.close()
  }
}

interface Found {
  readonly of: Int32Array
  /** [rows] with the own centre. */
  readonly cosines: Float32Array
  /** Their mean. */
  readonly cosine: number
}

/** Looks for the nearest centres with one matrix product per batch of rows. */
class Nearest {
  private constructor(private readonly session: Session) {}

  static async open(dim: number): Promise<Nearest> {
    const graph = new Graph('nearest')
    const rows = graph.input('rows', 'float32', ['rows', dim])
    const centres = graph.input('centres', 'float32', ['centres', dim])
    graph.output('cosines', graph.node('Gemm', [rows, centres], { attributes: { transB: 1 } }))
    return new Nearest(await Session.create(serializeModel(graph), { threads: 1 }))
  }

  async to(rows: Matrix, centres: Matrix): Promise<Found> {
    const of = new Int32Array(rows.rows)
    const cosines = new Float32Array(rows.rows)
    const { dim } = rows
    for (let from = 0; from < rows.rows; from += BATCH) {
      const count = Math.min(BATCH, rows.rows - from)
      const part = rows.data.subarray(from * dim, (from + count) * dim)
      const out = await this.session.run({
        rows: tensor('float32', part, [count, dim]),
        centres: tensor('float32', centres.data, [centres.rows, dim]),
      })
      const products = out.cosines.data as Float32Array
      for (let i = 0; i < count; i++) {
        const mine = products.subarray(i * centres.rows, (i + 1) * centres.rows)
        const best = mine.reduce((at, value, c) => (value > mine[at] ? c : at), 0)
        of[from + i] = best
        cosines[from + i] = mine[best]
      }
      await new Promise((resolve) => setImmediate(resolve))
    }
    return { of, cosines, cosine: cosines.reduce((sum, value) => sum + value, 0) / rows.rows }
  }

  close(): Promise<void> {
    return this.session.close()
  }
}

function sampled(rows: Matrix, source: Random): Matrix {
  if (rows.rows <= MOST_ROWS) return rows
  const chosen = shuffle(
    Int32Array.from({ length: rows.rows }, (_, i) => i),
    source,
  ).subarray(0, MOST_ROWS)
  const sample = matrix(MOST_ROWS, rows.dim)
  for (const [i, place] of chosen.entries()) row(sample, i).set(row(rows, place))
  return sample
}

/** k-means++: each further centre is a row, drawn by its squared distance to the nearest one so far. */
function firstCentres(rows: Matrix, k: number, source: Random): Matrix {
  const centres = matrix(k, rows.dim)
  const distance = new Float64Array(rows.rows).fill(1)
  for (let c = 0; c < k; c++) {
    const chosen = row(rows, draw(distance, source))
    row(centres, c).set(chosen)
    for (let i = 0; i < rows.rows; i++) {
      // Of unit vectors: |a - b|^2 = 2 - 2 cos.
      const away = Math.max(0, 2 - 2 * dot(row(rows, i), chosen))
      distance[i] = c === 0 ? away : Math.min(distance[i], away)
    }
  }
  return centres
}

/** A place, by weight; any place where all weights are 0. */
function draw(weights: Float64Array, source: Random): number {
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  let left = source.next() * total
  if (total === 0) return source.integer(weights.length)
  for (let i = 0; i < weights.length; i++) {
    left -= weights[i]
    if (left < 0) return i
  }
  return weights.length - 1
}

function moveCentres(rows: Matrix, centres: Matrix, { of, cosines }: Found): void {
  const sums = matrix(centres.rows, centres.dim)
  const counts = new Int32Array(centres.rows)
  for (let i = 0; i < rows.rows; i++) {
    addScaled(row(sums, of[i]), row(rows, i), 1)
    counts[of[i]]++
  }
  const worst = Array.from(cosines.keys()).sort((a, b) => cosines[a] - cosines[b] || a - b)
  let next = 0
  for (let c = 0; c < centres.rows; c++) {
    const from = counts[c] === 0 ? row(rows, worst[next++]) : normalize(row(sums, c))
    row(centres, c).set(from)
  }
}

function withoutEmpty(centres: Matrix, { of, cosine }: Found): Clustering {
  const used = [...new Set(of)].sort((a, b) => a - b)
  const kept = matrix(used.length, centres.dim)
  for (const [place, c] of used.entries()) row(kept, place).set(row(centres, c))
  const placeOf = new Map(used.map((c, place) => [c, place]))
  return { centres: kept, of: of.map((c) => placeOf.get(c) as number), cosine }
}
