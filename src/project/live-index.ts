import { join } from 'node:path'
import { TextrecError } from '../errors.js'
import type { Changes } from '../recommend/memory.js'
import type { Store } from '../store/index.js'
import type { Dtype } from '../types.js'
import { openIndex, type VectorIndex } from '../vector-index/index.js'
import { ChangeLog } from './change-log.js'
import { type LiveModel, openServingModel, type ServingModel } from './serving-model.js'

/** The pointer in the catalogue: what is being served. One commit switches all of it. */
export interface LiveState {
  /** Folder name under `indexes/`. */
  readonly indexId: string
  /** Fingerprint of the vectors served: encoder, graph variant, profile, adapter. */
  readonly space: string
  readonly encoder: { readonly name: string; readonly dtype: Dtype; readonly fingerprint: string }
  readonly dim: number
  /** What training has published, if anything. */
  readonly model?: LiveModel
}

/** Its name among the catalogue's values. */
export const LIVE = 'live'

export function liveState(store: Store): LiveState | undefined {
  return store.meta<LiveState>(LIVE)
}

/** @throws NOTHING_INDEXED before the first index() */
export function requireLiveState(store: Store): LiveState {
  const state = liveState(store)
  if (state !== undefined) return state
  throw new TextrecError(
    'NOTHING_INDEXED',
    'This project has no index yet.',
    "Run 'textrec index' (library: index()) first.",
  )
}

export function setLiveState(store: Store, state: LiveState): void {
  store.setMeta(LIVE, { ...state })
}

export function isSameLive(one: LiveState | undefined, other: LiveState | undefined): boolean {
  return one?.indexId === other?.indexId && one?.model?.id === other?.model?.id
}

/** Reads files of what is live, and again if it has been replaced meanwhile: whoever did that has removed them. */
export async function readLive<T>(
  store: Store,
  read: (state: LiveState | undefined) => Promise<T>,
): Promise<T> {
  for (;;) {
    const state = liveState(store)
    try {
      return await read(state)
    } catch (error) {
      if (isSameLive(state, liveState(store))) throw error
    }
  }
}

/** Space of the text vectors behind what is served: that of the encoder and the profile, without any adapter. */
export function textSpaceOf({ space, model }: LiveState): string {
  return model?.textSpace ?? space
}

export function indexFolder(directory: string, indexId: string): string {
  return join(directory, 'indexes', indexId)
}

/** What a question works with while it runs. */
export interface Live {
  readonly state: LiveState
  readonly index: VectorIndex
  readonly model: ServingModel
  /** What has become of the item vectors while this index serves. */
  readonly changes: Changes
}

interface Opened extends Live {
  /** Questions running on it; it is closed when it has been replaced and nobody uses it. */
  users: number
  retired: boolean
  readonly changes: ChangeLog
}

/** The index being served, kept in step with the catalogue: changes of any process count from the next call on. */
export class LiveIndex {
  private opened: Opened | undefined
  private seenCounter: number | undefined
  private refreshing: Promise<Opened> | undefined

  constructor(private readonly store: Store) {}

  /** Runs `question` on the live index as it stands now. @throws NOTHING_INDEXED before the first index(). */
  async use<T>(question: (live: Live) => Promise<T>): Promise<T> {
    const opened = await this.refresh()
    opened.users++
    try {
      return await question(opened)
    } finally {
      opened.users--
      await closeIfUnused(opened)
    }
  }

  /** Forgets the index, for a rebuild or at the end; running questions finish on what they hold. */
  async close(): Promise<void> {
    await this.refreshing?.catch(() => undefined)
    const opened = this.opened
    this.opened = undefined
    this.seenCounter = undefined
    if (opened !== undefined) await retire(opened)
  }

  private refresh(): Promise<Opened> {
    this.refreshing ??= this.catchUp().finally(() => {
      this.refreshing = undefined
    })
    return this.refreshing
  }

  private async catchUp(): Promise<Opened> {
    const counter = this.store.changeCounter()
    if (this.opened !== undefined && counter === this.seenCounter) return this.opened
    if (this.opened?.state.indexId !== requireLiveState(this.store).indexId) {
      const replaced = this.opened
      this.opened = await readLive(this.store, () => this.open(requireLiveState(this.store)))
      if (replaced !== undefined) await retire(replaced)
    }
    const opened = this.opened as Opened
    const changes = this.store.vectorChanges(opened.state.space, opened.changes.sequence)
    for (const key of changes.removed) opened.index.remove(key)
    for (let i = 0; i < changes.upserts.keys.length; i++) {
      const { data, dim } = changes.upserts.vectors
      opened.index.upsert(changes.upserts.keys[i], data.slice(i * dim, (i + 1) * dim))
    }
    opened.changes.note(changes.sequence, [...changes.removed, ...changes.upserts.keys])
    this.seenCounter = counter
    return opened
  }

  private async open(state: LiveState): Promise<Opened> {
    // The model first: until it is asked there is nothing to close.
    const model = await openServingModel(this.store.directory, state.model)
    const { index, sequence } = await openIndex(indexFolder(this.store.directory, state.indexId), {
      name: state.indexId,
      fingerprint: state.space,
      dim: state.dim,
    })
    return { state, index, model, changes: new ChangeLog(sequence), users: 0, retired: false }
  }
}

async function retire(opened: Opened): Promise<void> {
  opened.retired = true
  await closeIfUnused(opened)
}

async function closeIfUnused(opened: Opened): Promise<void> {
  if (!opened.retired || opened.users > 0) return
  await opened.index.close()
  await opened.model.close()
}
