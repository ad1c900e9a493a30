import { randomUUID } from 'node:crypto'
import { type ErrorCode, isTextrecError } from '../errors.js'
import { matrix } from '../math/matrix.js'
import type { Store } from '../store/index.js'
import { acquireLock } from '../store/lock.js'
import { buildIndex, publishIndex, type VectorIndex } from '../vector-index/index.js'
import { removeUnused } from './leftovers.js'
import { indexFolder, type Live, liveState, setLiveState } from './live-index.js'

/** From this share of dead or loose vectors on, a search does half as much again for nothing: time to rebuild. */
const REBUILD_SHARE = 0.3
/** A small index is searched whole anyway. */
const WORTH_IT_FROM = 1000

/** Why a rebuild in the background has failed, in the words of a TextrecError. */
export interface RebuildFailure {
  readonly code: ErrorCode
  readonly fact: string
}

/** Keeps the live index lean, in the background, one rebuild at a time. */
export class Compactor {
  private running: Promise<void> | undefined
  private failed: { readonly indexId: string; readonly failure: RebuildFailure } | undefined
  private readonly tried = new Set<string>()
  private readonly stop = new AbortController()

  constructor(private readonly store: Store) {}

  /** Why the rebuild of this index failed; undefined if it did not, or `close` ended it. */
  failureOf(indexId: string): RebuildFailure | undefined {
    return this.failed?.indexId === indexId ? this.failed.failure : undefined
  }

  /** Starts a rebuild if the index has become loose or dead enough. Never fails and takes no time itself. */
  consider({ index, state }: Pick<Live, 'index' | 'state'>): void {
    if (this.store.readonly) return
    if (this.running !== undefined || this.tried.has(state.indexId) || !needsCompaction(index)) return
    this.running = compact(this.store, index.kind, this.stop.signal)
      // What is live goes on serving; the same index is not tried twice, index() is there for that.
      .then(
        (done) => {
          if (!done) this.tried.delete(state.indexId)
        },
        (error: Error) => {
          if (!this.stop.signal.aborted) this.failed = { indexId: state.indexId, failure: failureOf(error) }
        },
      )
      .finally(() => {
        this.running = undefined
      })
    this.tried.add(state.indexId)
  }

  /** Resolves when no rebuild runs. */
  async settled(): Promise<void> {
    await this.running
  }

  async close(): Promise<void> {
    this.stop.abort()
    await this.running
  }
}

const failureOf = (error: Error): RebuildFailure =>
  isTextrecError(error)
    ? { code: error.code, fact: error.fact }
    : { code: 'INTERNAL', fact: `${error.message}.` }

export function needsCompaction({ deadFraction, looseFraction, size }: VectorIndex): boolean {
  return size >= WORTH_IT_FROM && Math.max(deadFraction, looseFraction) > REBUILD_SHARE
}

/**
 * Builds an index of the same kind from the vectors as they are now, and publishes it. What is live answers
 * meanwhile; questions that have begun finish on it. @returns false if another process is indexing: it will do.
 */
export async function compact(
  store: Store,
  kind: VectorIndex['kind'],
  signal?: AbortSignal,
): Promise<boolean> {
  const lock = tryLock(store)
  if (lock === undefined) return false
  try {
    const live = liveState(store)
    if (live === undefined) return false
    const { keys, vectors, sequence } = store.itemVectors(live.space)
    const built = await buildIndex({
      keys,
      vectors: vectors.rows === 0 ? matrix(0, live.dim) : vectors,
      kind,
      signal,
    })
    const indexId = randomUUID()
    try {
      await publishIndex(indexFolder(store.directory, indexId), built, { fingerprint: live.space, sequence })
    } finally {
      await built.close()
    }
    setLiveState(store, { ...live, indexId })
    await removeUnused(store)
    return true
  } finally {
    lock.release()
  }
}

function tryLock(store: Store) {
  try {
    return acquireLock(store.directory, 'index')
  } catch (error) {
    if (isTextrecError(error) && error.code === 'PROJECT_LOCKED') return undefined
    throw error
  }
}
