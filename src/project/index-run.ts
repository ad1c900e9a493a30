import { randomUUID } from 'node:crypto'
import type { Encoder } from '../encode/index.js'
import { isTextrecError, throwIfAborted } from '../errors.js'
import { matrix } from '../math/matrix.js'
import type { Store } from '../store/index.js'
import { acquireLock } from '../store/lock.js'
import { buildIndex, type IndexManifest, publishIndex, verifyIndex } from '../vector-index/index.js'
import type { IndexOptions, LongOptions } from './defaults.js'
import { textSpace, updateItemVectors, updateServedVectors, type VectorReport } from './item-vectors.js'
import { removeUnused } from './leftovers.js'
import { indexFolder, type LiveState, liveState, setLiveState } from './live-index.js'
import { adaptedSpace, type LiveModel, openServingModel, servedSpaceOf } from './serving-model.js'
import { dropSuperseded } from './superseded.js'

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
    const target = targetOf(store, encoder)
    const encoded = performance.now()
    const index = await bringIndexUpToDate(store, encoder, target, options)
    if (options.rebuild) dropSuperseded(store)
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

/** What is to be served: an adapter trained on these text vectors stays, one that was trained on others goes. */
function targetOf(store: Store, encoder: Encoder): LiveModel | undefined {
  const model = liveState(store)?.model
  return model?.textSpace === textSpace(encoder) ? model : undefined
}

async function bringIndexUpToDate(
  store: Store,
  encoder: Encoder,
  model: LiveModel | undefined,
  options: IndexOptions,
): Promise<IndexReport['index']> {
  const live = liveState(store)
  const space = spaceOf(encoder, model)
  // The same vectors under another name, of a folder that was moved: the new one is published with a new index.
  const named = live?.encoder.name === encoder.name
  if (live !== undefined && live.space === space && named && !options.rebuild) {
    await updateServed(store, encoder, model, options)
    const current = await soundManifest(store, live)
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
  return publishServed(store, encoder, model, options)
}

/** What the live index says of itself; undefined where questions would refuse it, so that it is built again. */
async function soundManifest(store: Store, live: LiveState): Promise<IndexManifest | undefined> {
  const { indexId: name, space: fingerprint, dim } = live
  try {
    return await verifyIndex(indexFolder(store.directory, name), { name, fingerprint, dim })
  } catch (error) {
    if (isTextrecError(error)) return undefined
    throw error
  }
}

/** The space in which a model serves: that of its adapter, or of the text itself. */
function spaceOf(encoder: Encoder, model: LiveModel | undefined): string {
  const text = textSpace(encoder)
  return model?.adapter === undefined ? text : adaptedSpace(text, model.adapter)
}

/** @returns numbers per vector of the space that is served */
async function updateServed(
  store: Store,
  encoder: Encoder,
  model: LiveModel | undefined,
  options: LongOptions,
): Promise<number> {
  if (model?.adapter === undefined) return encoder.dim
  const opened = await openServingModel(store.directory, model)
  try {
    const served = servedSpaceOf(spaceOf(encoder, model), opened)
    if (served === undefined) return encoder.dim
    await updateServedVectors(store, encoder, served, options)
    const probe = await opened.space.fromText(matrix(1, encoder.dim), [undefined])
    return probe.dim
  } finally {
    await opened.close()
  }
}

/**
 * Builds the index of what `model` makes of the text vectors, publishes it, and switches index and model in one
 * commit. Call with the 'index' lock held and the text vectors up to date.
 */
export async function publishServed(
  store: Store,
  encoder: Encoder,
  model: LiveModel | undefined,
  options: LongOptions & Partial<Pick<IndexOptions, 'kind'>>,
): Promise<IndexReport['index']> {
  const space = spaceOf(encoder, model)
  const dim = await updateServed(store, encoder, model, options)
  const { keys, vectors: stored, sequence } = store.itemVectors(space)
  // An empty catalogue has no vectors to tell the dimension from.
  const vectors = stored.rows === 0 ? matrix(0, dim) : stored
  throwIfAborted(options.signal, 'Indexing')
  const built = await buildIndex({
    keys,
    vectors,
    kind: options.kind ?? 'auto',
    signal: options.signal,
    onProgress: options.onProgress,
  })
  const id = randomUUID()
  try {
    await publishIndex(indexFolder(store.directory, id), built, { fingerprint: space, sequence })
  } finally {
    await built.close()
  }
  const next: LiveState = {
    indexId: id,
    space,
    encoder: { name: encoder.name, dtype: encoder.dtype, fingerprint: encoder.fingerprint },
    dim,
    ...(model === undefined ? {} : { model }),
  }
  const before = liveState(store)
  while (!switchTo(store, next)) {
    throwIfAborted(options.signal, 'Indexing')
    await updateItemVectors(store, encoder, options)
    await updateServed(store, encoder, model, options)
  }
  // Vectors of an adapter that is no longer served are of no use to anybody; text vectors are its input.
  if (before?.model?.adapter !== undefined && before.space !== space) store.dropSpace(before.space)
  await removeUnused(store)
  return { id, kind: built.kind, size: keys.length, recall: built.recall, built: true }
}

/**
 * Makes `next` live in one transaction, unless items have meanwhile got their vectors in the space that serves and
 * have none in the next one: questions would lose them. Items whose vector is still being made need not be waited
 * for: whoever makes it sees what serves when it is written (see upsertRecords).
 */
function switchTo(store: Store, next: LiveState): boolean {
  return store.atomically(() => {
    const now = liveState(store)
    if (now !== undefined && now.space !== next.space) {
      const unfinished = new Set(store.staleItems(now.space))
      if (store.staleItems(next.space).some((item) => !unfinished.has(item))) return false
    }
    setLiveState(store, next)
    return true
  })
}
