import { type Dirent, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { errorCode } from '../artifact/index.js'
import { version } from '../package.js'
import type { Store } from '../store/index.js'
import type { TimeKind } from '../types.js'
import { readIndexManifest } from '../vector-index/index.js'
import { type ClusterStats, clusterStats } from './clusters.js'
import type { RebuildFailure } from './compact.js'
import { indexFolder, readLive } from './live-index.js'
import { needsRetraining } from './retraining.js'

export interface Stats {
  readonly items: number
  readonly users: number
  readonly reviews: number
  readonly interactions: number
  /** Whether times are dates, positions in a history, or absent. */
  readonly timeKind: TimeKind
  /** What is being served; absent before the first index(). */
  readonly live?: {
    readonly indexId: string
    readonly encoder: string
    readonly dtype: string
    readonly kind: 'exact' | 'hnsw'
    /** Vectors in the index as published; later changes are added as they come. */
    readonly size: number
    readonly dim: number
    /** recall@10 against exact search, measured when it was built. */
    readonly recall: number
    /** ISO 8601. */
    readonly builtAt: string
    /**
     * Why this index could not be made anew in the background after many changes, if that failed since the project was
     * opened here: it goes on answering, with a little more work; `index()` tries again.
     */
    readonly rebuildFailed?: RebuildFailure
  }
  /** What training has published and is served; absent where nothing was. */
  readonly trained?: {
    readonly id: string
    /** False where frozen text did better than an adapter. */
    readonly adapter: boolean
    /** Of the item-item scores in the fused score; from 0 to 1. */
    readonly collaborativeShare: number
    /** Somebody it learnt from has been forgotten since: train again. */
    readonly retrain: boolean
  }
  /** Groups of the catalogue; absent where none were made. */
  readonly clusters?: ClusterStats
  /** Items with a vector now, and items whose text changed since theirs was made. */
  readonly itemsWithVector: number
  readonly itemsStale: number
  readonly databaseBytes: number
  readonly indexBytes: number
  readonly modelBytes: number
  readonly textrec: string
  readonly sqlite: string
}

/**
 * What a project holds and what it serves. Reads manifests only, no vectors.
 * @param failureOf why the rebuild of an index failed in this process
 */
export async function projectStats(
  store: Store,
  failureOf: (indexId: string) => RebuildFailure | undefined,
): Promise<Stats> {
  const { state, manifest } = await readLive(store, async (state) => ({
    state,
    manifest:
      state === undefined ? undefined : await readIndexManifest(indexFolder(store.directory, state.indexId)),
  }))
  const counts = store.counts()
  const clusters = clusterStats(store)
  const rebuildFailed = state === undefined ? undefined : failureOf(state.indexId)
  return {
    items: counts.items,
    users: counts.users,
    reviews: counts.reviews,
    interactions: counts.interactions,
    timeKind: store.timeKind(),
    ...(state === undefined || manifest === undefined
      ? {}
      : {
          live: {
            indexId: state.indexId,
            encoder: state.encoder.name,
            dtype: state.encoder.dtype,
            kind: manifest.kind,
            size: manifest.size,
            dim: manifest.dim,
            recall: manifest.recall,
            builtAt: manifest.builtAt,
            ...(rebuildFailed === undefined ? {} : { rebuildFailed }),
          },
        }),
    ...(state?.model === undefined
      ? {}
      : {
          trained: {
            id: state.model.id,
            adapter: state.model.adapter !== undefined,
            collaborativeShare: state.model.settings.collaborativeShare,
            retrain: needsRetraining(store),
          },
        }),
    ...(clusters === undefined ? {} : { clusters }),
    itemsWithVector: state === undefined ? 0 : store.countItemVectors(state.space),
    itemsStale: state === undefined ? counts.items : store.staleItems(state.space).length,
    databaseBytes: ['catalog.db', 'catalog.db-wal'].reduce(
      (sum, name) => sum + fileSize(join(store.directory, name)),
      0,
    ),
    indexBytes: folderSize(join(store.directory, 'indexes')),
    modelBytes: folderSize(join(store.directory, 'adapters')),
    textrec: version,
    sqlite: store.sqliteVersion,
  }
}

function fileSize(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}

function folderSize(path: string): number {
  return entriesOf(path).reduce((sum, entry) => {
    const inside = join(path, entry.name)
    return sum + (entry.isDirectory() ? folderSize(inside) : fileSize(inside))
  }, 0)
}

/** None where there is no such folder, or none any more: whoever publishes one removes the one before. */
function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return []
    throw error
  }
}
