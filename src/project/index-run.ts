import { randomUUID } from 'node:crypto'
import type { Encoder } from '../encode/index.js'
import { throwIfAborted } from '../errors.js'
import { matrix } from '../math/matrix.js'
import type { Store } from '../store/index.js'
import { acquireLock } from '../store/lock.js'
import { buildIndex, publishIndex, readIndexManifest } from '../vector-index/index.js'
import type { IndexOptions } from './defaults.js'
import { textSpace, updateItemVectors, type VectorReport } from './item-vectors.js'
import { removeUnused } from './leftovers.js'
import { indexFolder, liveState, setLiveState } from './live-index.js'

export interface IndexReport {
  readonly encoder: {
    readonly name: string
    readonly device: string
    readonly dtype: string
    readonly why: string
  }
  readonly vectors: VectorReport
  readonly index: {
    readonly id: string
    readonly kind: 'exact' | 'hnsw'
    readonly size: number
    /** recall@10 against exact search, measured on the vectors themselves when the index was built. */
    readonly recall: number
    /** False when the live index was up to date and stayed. */
    readonly built: boolean
  }
  readonly seconds: { readonly encode: number; readonly build: number }
}

/** Above this share of changed items a new index is built; below it the live one just takes the changes. */
const REBUILD_SHARE = 0.2

/**
 * Encodes what changed and publishes an index of it. One process at a time; killed at any moment it goes on
 * from where it was, and what was live stays live until one commit switches to the new.
 * @throws PROJECT_LOCKED if another process is indexing.
 */
export async function runIndex(store: Store, encoder: Encoder, options: IndexOptions): Promise<IndexReport> {
  const lock = acquireLock(store.directory, 'index')
  try {
    const started = performance.now()
    const vectors = await updateItemVectors(store, encoder, options)
    const encoded = performance.now()
    const index = await bringIndexUpToDate(store, encoder, options)
    return {
      encoder: {
        name: encoder.name,
        device: encoder.device,
        dtype: encoder.dtype,
        why: `${encoder.deviceReason}; ${encoder.dtypeReason}`,
      },
      vectors,
      index,
      seconds: { encode: (encoded - started) / 1000, build: (performance.now() - encoded) / 1000 },
    }
  } finally {
    lock.release()
  }
}

async function bringIndexUpToDate(
  store: Store,
  encoder: Encoder,
  options: IndexOptions,
): Promise<IndexReport['index']> {
  const space = textSpace(encoder)
  const live = liveState(store)
  if (live !== undefined && live.space === space && !options.rebuild) {
    const current = await readIndexManifest(indexFolder(store.directory, live.indexId)).catch(() => undefined)
    const wanted = options.kind === 'auto' || options.kind === current?.kind
    if (current !== undefined && wanted) {
      const changed = store.vectorChanges(space, current.sequence)
      const share = (changed.upserts.keys.length + changed.removed.length) / Math.max(1, current.size)
      if (share <= REBUILD_SHARE) {
        const { kind, size, recall } = current
        return { id: live.indexId, kind, size, recall, built: false }
      }
    }
  }
  const { keys, vectors: stored, sequence } = store.itemVectors(space)
  // An empty catalogue has no vectors to tell the dimension from.
  const vectors = stored.rows === 0 ? matrix(0, encoder.dim) : stored
  throwIfAborted(options.signal, 'Indexing')
  const built = await buildIndex({
    keys,
    vectors,
    kind: options.kind,
    signal: options.signal,
    onProgress: options.onProgress,
  })
  const id = randomUUID()
  try {
    await publishIndex(indexFolder(store.directory, id), built, { fingerprint: space, sequence })
  } finally {
    await built.close()
  }
  setLiveState(store, {
    indexId: id,
    space,
    encoder: { name: encoder.name, dtype: encoder.dtype, fingerprint: encoder.fingerprint },
    dim: encoder.dim,
  })
  await removeUnused(store)
  return { id, kind: built.kind, size: keys.length, recall: built.recall, built: true }
}
