/** What is opened and asked in the child process of a torture test. Each returns its answers as one text. */
import { createHash } from 'node:crypto'
import { Adapter } from '../../src/adapter/index.js'
import type { Encoded, EncodeRequest, EncoderFacts, OpenRequest } from '../../src/encode/engine.js'
import { cachedGraph } from '../../src/encode/graph-cache.js'
import { readModelFolder } from '../../src/encode/model-folder.js'
import { isTextrecError, Recommender } from '../../src/index.js'
import { matrix, normalize, row } from '../../src/math/matrix.js'
import { random } from '../../src/math/random.js'
import { Session, tensor } from '../../src/onnx/session.js'
import { WorkerClient } from '../../src/onnx/worker-client.js'
import type { Matrix } from '../../src/types.js'
import { openIndex } from '../../src/vector-index/index.js'
import { earlyAnswers, openBase, personalAnswers } from './export-project.js'
import type { ImportProbe } from './records.js'

export type Probe = (argument: never) => Promise<string>

function vectors(rows: number, dim: number): Matrix {
  const source = random(2)
  const made = matrix(rows, dim)
  for (let i = 0; i < rows; i++) {
    for (let d = 0; d < dim; d++) row(made, i)[d] = source.normal()
    normalize(row(made, i))
  }
  return made
}

const hashOf = (...parts: readonly ArrayBufferView[]): string => {
  const hash = createHash('sha256')
  for (const { buffer, byteOffset, byteLength } of parts)
    hash.update(new Uint8Array(buffer, byteOffset, byteLength))
  return hash.digest('hex')
}

export interface IndexCall {
  readonly folder: string
  readonly name: string
}

async function askIndex({ folder, name }: IndexCall): Promise<string> {
  const { index } = await openIndex(folder, { name })
  try {
    const queries = vectors(6, index.dim)
    const answers: unknown[] = []
    for (let i = 0; i < queries.rows; i++) {
      const { keys, scores } = await index.search(row(queries, i), 10)
      answers.push([[...keys], [...scores]])
    }
    return JSON.stringify([index.size, answers])
  } finally {
    await index.close()
  }
}

async function askAdapter(folder: string): Promise<string> {
  const adapter = await Adapter.load(folder, { threads: 1 })
  try {
    const texts = vectors(4, adapter.textDim)
    const items = await adapter.itemVectors(texts)
    const people = await adapter.personVectors(items, [Int32Array.of(0, 1, 2)])
    return `${adapter.fingerprint} ${hashOf(items.data, people.data)}`
  } finally {
    await adapter.close()
  }
}

export interface GraphCall {
  readonly directory: string
  readonly fingerprint: string
  /** The bytes that building would give. */
  readonly source: string
}

/** The graph that an encoder would get, and what it computes; a damaged entry is built anew. */
async function askGraph({ directory, fingerprint, source }: GraphCall): Promise<string> {
  const { readFile } = await import('node:fs/promises')
  let built = 0
  const { bytes } = await cachedGraph(directory, fingerprint, async () => {
    built++
    return readFile(source)
  })
  const session = await Session.create(bytes, { threads: 1, optimization: 'basic' })
  try {
    const dims = [1, 4] as const
    const { vectors: found } = await session.run({
      ids: tensor('int32', Int32Array.of(2, 7, 9, 3), dims),
      mask: tensor('int32', new Int32Array(4).fill(1), dims),
    })
    return `${built === 0 ? 'kept' : 'built'} ${hashOf(bytes, found.data as Float32Array)}`
  } finally {
    await session.close()
  }
}

export interface ModelCall {
  readonly folder: string
  readonly cacheDirectory: string
  readonly sha256?: string
}

/** The encoder of a model folder, in its worker: its fingerprint and a vector. */
async function askModel({ folder, cacheDirectory, sha256 }: ModelCall): Promise<string> {
  const source = { ...(await readModelFolder(folder, folder)), sha256 }
  const request: OpenRequest = { source, device: 'cpu', dtype: 'fp32', threads: 1, cacheDirectory }
  const worker = new WorkerClient(new URL('../../src/encode/worker.js', import.meta.url), 'The encoder')
  try {
    const { fingerprint } = await worker.call<OpenRequest, EncoderFacts, never>('open', request)
    const texts: EncodeRequest = { texts: ['abc hello'], kind: 'passage' }
    const { vectors: found } = await worker.call<EncodeRequest, Encoded, never>('encode', texts)
    return `${fingerprint} ${hashOf(found)}`
  } finally {
    await worker.close()
  }
}

/** Whether the doctor finds fault with the project, and what it answers; an error of either in its place. */
async function askProject(folder: string): Promise<string> {
  const shop = await openBase(folder)
  const said = async (work: () => Promise<string>): Promise<string> => {
    try {
      return await work()
    } catch (error) {
      if (!isTextrecError(error)) throw error
      return `refused ${error.code}`
    }
  }
  try {
    const answers = await said(async () => {
      const found = await shop.search('guitar string', { mode: 'text', k: 8 })
      const { items, users, interactions } = await shop.stats()
      return (
        JSON.stringify([found, items, users, interactions]) +
        (await earlyAnswers(shop, false)) +
        (await personalAnswers(shop))
      )
    })
    const doctor = await said(async () => {
      const { checks } = await shop.doctor()
      const wrong = checks.filter(({ ok }) => !ok)
      return wrong.length === 0 ? 'healthy' : `unhealthy ${wrong.map(({ name }) => name).join(', ')}`
    })
    return JSON.stringify({ doctor, answers })
  } finally {
    await shop.close()
  }
}

/** Repairs, then asks as `askProject` does. */
async function repairProject(folder: string): Promise<string> {
  const shop = await Recommender.open(folder, { device: 'cpu', dtype: 'fp32', threads: 1, create: false })
  try {
    await shop.doctor({ repair: true })
  } finally {
    await shop.close()
  }
  return askProject(folder)
}

/** Imports a file of interactions into a new project, and says what memory that took. */
async function importFile({ folder, path }: { folder: string; path: string }): Promise<string> {
  const shop = await Recommender.open(folder)
  try {
    const { read, accepted, rejected } = await shop.import({ interactions: path })
    const megabytes = process.resourceUsage().maxRSS / 1024
    return JSON.stringify({ read, accepted, rejected, megabytes } satisfies ImportProbe)
  } finally {
    await shop.close()
  }
}

export const PROBES: { readonly [name: string]: Probe } = {
  index: askIndex,
  adapter: askAdapter,
  graph: askGraph,
  model: askModel,
  project: askProject,
  repair: repairProject,
  import: importFile,
}
