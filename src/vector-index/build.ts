import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { aborted, throwIfAborted } from '../errors.js'
import { row } from '../math/matrix.js'
import { anything, choice, integer, number, type OptionTable, resolveOptions } from '../options.js'
import type { Matrix, OnProgress } from '../types.js'
import { checkEntries } from './checks.js'
import { LOOSE_ROWS } from './exact-index.js'
import { HnswProcess } from './hnsw-client.js'
import { GRAPH, KEYS, VECTORS } from './manifest.js'
import { quantizeRows } from './quantize.js'
import { writeQuantized } from './quantized-files.js'
import { RECALL_BAR, type Tuned } from './tune.js'
import type { IndexKind } from './types.js'

/**
 * From so many vectors on, 'auto' builds a graph. On 100,000 vectors (real ones repeated with noise, 384 numbers,
 * 70 neighbours of a person, one thread with VNNI, CPU time on a busy machine) a graph of 24 neighbours a node,
 * which takes 150 s to build, needs half of exact search's time at ef 200 and three quarters at ef 300, and finds
 * 0.90 and 0.93 of the true ten: at a recall of 0.99 exact search is the faster one. Its time grows with the
 * rows, that of a graph hardly does. The crossover itself is not measured: here exact search should take 6 ms.
 */
export const HNSW_FROM = 300_000
/** Tried in turn until one reaches the bar. */
const SHAPES = [
  { m: 24, efConstruction: 200 },
  { m: 48, efConstruction: 400 },
] as const
/** Rows in one message to the building process: 6 MB. */
const ROWS_PER_MESSAGE = 4096

export interface BuildOptions {
  readonly kind: 'auto' | IndexKind
  /** Of levels and tuning queries; the same seed and vectors give the same index. Default 1. */
  readonly seed: number
  /** recall@10 that a graph must reach on its own vectors; otherwise the index is exact. Default 0.99. */
  readonly minRecall: number
  readonly signal: AbortSignal | undefined
  readonly onProgress: OnProgress | undefined
}

const OPTIONS: OptionTable<BuildOptions> = {
  kind: choice<'auto' | IndexKind>('auto', ['auto', 'exact', 'hnsw']),
  seed: integer(1, 0, 2 ** 32 - 1),
  minRecall: number(RECALL_BAR, 0, 1),
  signal: anything<AbortSignal | undefined>(undefined, 'an AbortSignal'),
  onProgress: anything<OnProgress | undefined>(undefined, 'a function'),
}

/** An index that has been built and waits for `publishIndex`. It does not change any more. */
export interface BuiltIndex {
  readonly kind: IndexKind
  readonly size: number
  readonly dim: number
  /** recall@10 against exact search on seeded queries: 1 for exact. */
  readonly recall: number
  /** How the graph was built and is searched; absent for exact. */
  readonly graph?: { readonly m: number; readonly efConstruction: number; readonly ef: number }
  /** Why it is exact although a graph was asked for. */
  readonly note?: string
  /** Writes the files of the index into an empty folder. */
  save(folder: string): Promise<void>
  /** Frees what is held for `save`. Safe to call twice. */
  close(): Promise<void>
}

/**
 * Builds an index over unit vectors, in a process of its own where it takes long; the event loop stays free.
 * The matrix is used, not copied: do not change it before `publishIndex` is done.
 * @throws VECTOR_INVALID, DIMENSION_MISMATCH, OPTION_INVALID; ABORTED.
 */
export async function buildIndex(
  given: { readonly keys: Int32Array; readonly vectors: Matrix } & Partial<BuildOptions>,
): Promise<BuiltIndex> {
  const { keys, vectors, ...rest } = given
  const options = resolveOptions('buildIndex', OPTIONS, rest)
  throwIfAborted(options.signal, 'Building the index')
  checkEntries(keys, vectors)
  const wanted = options.kind === 'auto' ? (keys.length >= HNSW_FROM ? 'hnsw' : 'exact') : options.kind
  if (wanted === 'hnsw') {
    const built = await buildGraph(keys, vectors, options)
    if ('save' in built) return built
    return exactIndex(
      keys,
      vectors,
      `A graph reached a recall@10 of only ${built.recall.toFixed(4)} at ef ${built.ef} on these vectors.`,
    )
  }
  options.onProgress?.({ stage: 'index', done: keys.length, total: keys.length, unit: 'items' })
  return exactIndex(keys, vectors)
}

function exactIndex(keys: Int32Array, vectors: Matrix, note?: string): BuiltIndex {
  return {
    kind: 'exact',
    size: keys.length,
    dim: vectors.dim,
    recall: 1,
    note,
    save: async (folder) => {
      await saveVectors(folder, keys, vectors)
      if (keys.length > LOOSE_ROWS)
        await writeQuantized(
          folder,
          quantizeRows(keys.length, vectors.dim, (one) => row(vectors, one)),
        )
    },
    close: async () => undefined,
  }
}

/** The graph in its process, or the recall that was not enough. */
async function buildGraph(
  keys: Int32Array,
  vectors: Matrix,
  { seed, minRecall, signal, onProgress }: BuildOptions,
): Promise<BuiltIndex | Tuned> {
  const builder = new HnswProcess()
  const stop = () => void builder.kill()
  signal?.addEventListener('abort', stop, { once: true })
  const total = keys.length
  builder.onProgress = (done) => onProgress?.({ stage: 'index', done, total, unit: 'items' })
  try {
    await sendVectors(builder, vectors)
    let tuned: Tuned = { ef: 0, recall: 0 }
    for (const shape of SHAPES) {
      await builder.call('build', { ...shape, seed })
      builder.onProgress(total)
      tuned = await builder.call('tune', { seed, bar: minRecall })
      if (tuned.recall < minRecall) continue
      return {
        kind: 'hnsw',
        size: total,
        dim: vectors.dim,
        recall: tuned.recall,
        graph: { ...shape, ef: tuned.ef },
        save: async (folder) => {
          await saveVectors(folder, keys, vectors)
          await builder.call('save', { path: join(folder, GRAPH) })
        },
        close: () => builder.kill(),
      }
    }
    await builder.kill()
    return tuned
  } catch (error) {
    await builder.kill()
    throw signal?.aborted ? aborted('Building the index') : error
  } finally {
    signal?.removeEventListener('abort', stop)
  }
}

async function sendVectors(builder: HnswProcess, { data, rows, dim }: Matrix): Promise<void> {
  await builder.call('begin', { rows, dim })
  for (let first = 0; first < rows; first += ROWS_PER_MESSAGE) {
    const last = Math.min(rows, first + ROWS_PER_MESSAGE)
    await builder.call('rows', { first, values: data.slice(first * dim, last * dim) })
  }
}

async function saveVectors(folder: string, keys: Int32Array, { data }: Matrix): Promise<void> {
  await writeNumbers(join(folder, KEYS), keys)
  await writeNumbers(join(folder, VECTORS), data)
}

/** Raw numbers, in steps: one write must stay below 2 GiB. */
async function writeNumbers(path: string, numbers: Int32Array | Float32Array): Promise<void> {
  const bytes = new Uint8Array(numbers.buffer as ArrayBuffer, numbers.byteOffset, numbers.byteLength)
  const steps = function* () {
    for (let at = 0; at < bytes.length; at += 2 ** 22) yield bytes.subarray(at, at + 2 ** 22)
  }
  await pipeline(Readable.from(steps(), { objectMode: true }), createWriteStream(path, { flags: 'wx' }))
}
