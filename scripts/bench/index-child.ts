import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { matrix, normalize, row } from '../../src/math/matrix.js'
import { random } from '../../src/math/random.js'
import type { Matrix } from '../../src/types.js'
import { buildIndex, openIndex, publishIndex, recallOf, sampleQueries } from '../../src/vector-index/index.js'
import { innerProduct } from '../../src/vector-index/rows.js'
import { NOISE } from './catalogue.js'
import { percentile } from './figures.js'
import { latencies, timed } from './measure.js'

/** What the part `index` runs in processes of their own, so that memory is that of one index. */

export interface IndexJob {
  /** Raw float32 numbers of real vectors. */
  readonly real: string
  readonly dim: number
  readonly items: number
  readonly kind: 'exact' | 'hnsw'
  /** Holds the published index. */
  readonly folder: string
  readonly queries: number
}

export interface Built {
  readonly seconds: number
  readonly recall: number
}

export interface CurvePoint {
  /** Candidates kept while searching; absent for exact. */
  readonly ef?: number
  readonly recall: number
  readonly p50: number
}

export interface Opened {
  readonly loadMilliseconds: number
  readonly memoryBytes: number
  readonly p50: number
  readonly p99: number
  readonly inBatches: number
  readonly curve: readonly CurvePoint[]
}

const K = 10
const LADDER = [16, 32, 64, 128, 256, 512]
const ORIGIN = { fingerprint: 'bench', sequence: 1 }

/** The real vectors, then copies of them with noise on every number. */
function catalogue({ real, dim, items }: IndexJob): Matrix {
  const bytes = readFileSync(real)
  const rows = bytes.byteLength / 4 / dim
  const originals = matrix(rows, dim, new Float32Array(new Uint8Array(bytes).buffer))
  const draw = random(items)
  const all = matrix(items, dim)
  for (let i = 0; i < items; i++) {
    const vector = row(all, i)
    vector.set(row(originals, i % rows))
    if (i < rows) continue
    for (let j = 0; j < dim; j++) vector[j] += NOISE * draw.normal()
    normalize(vector)
  }
  return all
}

export async function build(job: IndexJob): Promise<Built> {
  const vectors = catalogue(job)
  const keys = Int32Array.from({ length: job.items }, (_, i) => i + 1)
  let recall = 0
  const milliseconds = await timed(async () => {
    const built = await buildIndex({ keys, vectors, kind: job.kind })
    await publishIndex(join(job.folder, job.kind), built, ORIGIN)
    recall = built.recall
    await built.close()
  })
  return { seconds: milliseconds / 1000, recall }
}

/** Opens the index and answers so many queries, one after the other. */
export async function ask(job: IndexJob): Promise<number> {
  const { index } = await openIndex(join(job.folder, job.kind), { fingerprint: 'bench', dim: job.dim })
  const queries = sampleQueries(index.entries().vectors, job.queries, 7)
  const times = await latencies(job.queries, (i) => index.search(row(queries, i), K))
  await index.close()
  return percentile(times, 0.5)
}

export async function search(job: IndexJob): Promise<Opened> {
  const before = process.memoryUsage.rss()
  const started = performance.now()
  const { index } = await openIndex(join(job.folder, job.kind), { fingerprint: 'bench', dim: job.dim })
  await index.search(new Float32Array(job.dim).fill(1), K)
  const loadMilliseconds = performance.now() - started
  const memoryBytes = process.memoryUsage.rss() - before
  const { vectors } = index.entries()
  const queries = sampleQueries(vectors, job.queries, 7)
  const query = (i: number) => row(queries, i % queries.rows)
  const times = await latencies(job.queries, (i) => index.search(query(i), K))
  const batches = await timed(() => index.searchMany(queries, K))
  const curve: CurvePoint[] = []
  if (job.kind === 'hnsw') {
    const truth = await exactAnswers(job, queries)
    for (const ef of LADDER) {
      const found = await index.searchMany(queries, K, { ef })
      const efTimes = await latencies(job.queries, (i) => index.search(query(i), K, { ef }))
      curve.push({ ef, recall: recallOf(found, truth), p50: percentile(efTimes, 0.5) })
    }
  }
  await index.close()
  return {
    loadMilliseconds,
    memoryBytes,
    p50: percentile(times, 0.5),
    p99: percentile(times, 0.99),
    inBatches: batches / queries.rows,
    curve,
  }
}

async function exactAnswers(job: IndexJob, queries: Matrix) {
  const expected = { fingerprint: 'bench', dim: job.dim }
  const { index } = await openIndex(join(job.folder, 'exact'), expected)
  const truth = await index.searchMany(queries, K)
  await index.close()
  return truth
}

export type Looped = Pick<Opened, 'loadMilliseconds' | 'memoryBytes' | 'p50' | 'p99'>

/** A plain loop over all fp32 vectors, read from one file, and the best of them: what one writes without an index. */
export async function plain(job: IndexJob): Promise<Looped> {
  const before = process.memoryUsage.rss()
  const started = performance.now()
  const bytes = readFileSync(join(job.folder, 'exact', 'vectors.f32'))
  const data = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)
  const loadMilliseconds = performance.now() - started
  const memoryBytes = process.memoryUsage.rss() - before
  const vectors = matrix(job.items, job.dim, data)
  const queries = sampleQueries(vectors, job.queries, 7)
  const scores = new Float32Array(vectors.rows)
  const times = await latencies(Math.min(job.queries, 30), (i) => {
    const query = row(queries, i)
    for (let r = 0; r < vectors.rows; r++) scores[r] = innerProduct(query, vectors.data, r * vectors.dim)
    return bestOf(scores)
  })
  return { loadMilliseconds, memoryBytes, p50: percentile(times, 0.5), p99: percentile(times, 0.99) }
}

/** Rows of the K best scores, best first. */
function bestOf(scores: Float32Array): number[] {
  const best: number[] = []
  for (let i = 0; i < scores.length; i++) {
    if (best.length === K && scores[i] <= scores[best[K - 1]]) continue
    let at = best.length === K ? K - 1 : best.length
    while (at > 0 && scores[best[at - 1]] < scores[i]) {
      best[at] = best[at - 1]
      at--
    }
    best[at] = i
  }
  return best
}
