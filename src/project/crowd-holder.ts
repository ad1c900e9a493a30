import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { removeTemporary } from '../artifact/index.js'
import { isTextrecError } from '../errors.js'
import { WorkerClient } from '../onnx/worker-client.js'
import type { Crowd } from '../recommend/crowd.js'
import {
  announceCrowd,
  type CrowdOrigin,
  crowdFolder,
  crowdPublication,
  isCurrent,
  openCrowd,
  settingsName,
} from '../recommend/crowd-files.js'
import type { CrowdRequest } from '../recommend/crowd-worker.js'
import { SERVING_DEFAULTS, type ServingSettings } from '../recommend/serving.js'
import type { Store } from '../store/index.js'
import type { Progress } from '../types.js'
import type { LongRun } from './defaults.js'
import { liveState } from './live-index.js'

/** Item-item scores and popularity are made anew when this share of the events has come or gone since. */
const STALE_SHARE = 0.05
/** But not for a handful. */
const STALE_AT_LEAST = 20

interface Held {
  readonly crowd: Crowd
  readonly origin: CrowdOrigin
}

/**
 * Item-item scores and popularity of a project: read from its folder, made in a worker where they are missing.
 * A person's own events count at once in any case (see People); these figures about everybody follow when more
 * than 5 % of all events (and at least 20) have changed: in the background, while the old ones serve. That is
 * looked at when the project is opened, after its own writes, and by index(), which brings them up to date. What
 * another process publishes serves from the next call on.
 */
export class CrowdHolder {
  private held: Held | undefined
  private opening: Promise<Held> | undefined
  private refreshing: Promise<void> | undefined
  private named: { readonly settings: ServingSettings; readonly name: string } | undefined
  private changed = 0
  private counter = -1
  /** What was the last publication when `held` was read. */
  private publication: string | undefined
  private readonly stop = new AbortController()

  constructor(private readonly store: Store) {}

  /** What serves now; the first call of a project that has none with these settings waits until it is made. */
  async get(settings: ServingSettings): Promise<Crowd> {
    if (!this.serves(settings) || this.opening !== undefined || this.isReplaced()) {
      this.opening ??= this.open(settings).finally(() => {
        this.opening = undefined
      })
      this.held = await this.opening
    }
    return (this.held as Held).crowd
  }

  /** Tells of events written by this process. */
  noteChanges(events: number): void {
    this.changed += events
    if (this.held !== undefined && this.isStale(this.changed)) this.refreshInBackground()
  }

  /** Brings it up to date now, if interactions or settings have changed. */
  async update(long: LongRun = {}): Promise<void> {
    await this.refreshing
    const settings = servedSettings(this.store)
    const found = await readCrowd(this.store.directory)
    if (found !== undefined) announceCrowd(this.store, found.origin)
    const fits = found?.origin.settings === settingsName(settings)
    if (fits && isCurrent(this.store, found.origin)) return
    await this.make({ settings, unless: fits ? found.origin.digest : undefined }, long)
  }

  /** Makes it anew, whatever has changed: after a person was forgotten. */
  async rebuild(settings: ServingSettings = servedSettings(this.store), long: LongRun = {}): Promise<void> {
    await this.make({ settings }, long)
  }

  private async make(
    request: Omit<CrowdRequest, 'directory'>,
    { signal, onProgress }: LongRun,
  ): Promise<void> {
    this.store.requireWritable()
    const before = this.changed
    const parent = dirname(crowdFolder(this.store.directory))
    if (existsSync(parent)) await removeTemporary(parent)
    const worker = new WorkerClient(
      new URL('../recommend/crowd-worker.js', import.meta.url),
      'Item-item scores',
    )
    try {
      await worker.call<CrowdRequest, undefined, Progress>(
        'publish',
        { directory: this.store.directory, ...request },
        {
          signal: signal === undefined ? this.stop.signal : AbortSignal.any([signal, this.stop.signal]),
          onProgress,
        },
      )
    } finally {
      await worker.close()
    }
    if (this.held === undefined || crowdPublication(this.store) !== this.publication) {
      this.held = await this.read()
    }
    this.changed -= before
  }

  async close(): Promise<void> {
    this.stop.abort()
    await this.opening?.catch(() => undefined)
    await this.refreshing
  }

  private nameOf(settings: ServingSettings): string {
    if (this.named?.settings !== settings) this.named = { settings, name: settingsName(settings) }
    return this.named.name
  }

  private async open(settings: ServingSettings): Promise<Held> {
    const found = await this.read()
    if (found === undefined || found.origin.settings !== this.nameOf(settings)) {
      // Another process may serve other settings by now: who began with these finishes with them.
      if (this.held !== undefined && this.serves(settings)) return this.held
      await this.rebuild(settings)
      return this.held as Held
    }
    this.held = found
    if (this.isStale(Math.abs(this.store.counts().interactions - found.origin.events))) {
      this.refreshInBackground()
    }
    return found
  }

  private serves(settings: ServingSettings): boolean {
    return this.held?.origin.settings === this.nameOf(settings)
  }

  /** Whether another process has published since. */
  private isReplaced(): boolean {
    const counter = this.store.changeCounter()
    if (counter === this.counter) return false
    this.counter = counter
    return crowdPublication(this.store) !== this.publication
  }

  private async read(): Promise<Held | undefined> {
    const publication = crowdPublication(this.store)
    const found = await readCrowd(this.store.directory)
    this.publication = publication
    return found
  }

  private isStale(changed: number): boolean {
    const events = this.held?.origin.events ?? 0
    return changed >= Math.max(STALE_AT_LEAST, STALE_SHARE * events)
  }

  private refreshInBackground(): void {
    if (this.store.readonly) return
    // A failure here is no caller's: what serves goes on serving, and the next change tries again.
    this.refreshing ??= this.rebuild()
      .catch(() => undefined)
      .finally(() => {
        this.refreshing = undefined
      })
  }
}

function servedSettings(store: Store): ServingSettings {
  return liveState(store)?.model?.settings ?? SERVING_DEFAULTS
}

/**
 * The published figures, or undefined where there are none or they are damaged: then they are simply made anew.
 * Another process may publish while they are read; that passes.
 */
async function readCrowd(directory: string): Promise<Held | undefined> {
  for (let attempt = 0; attempt < 3 && existsSync(crowdFolder(directory)); attempt++) {
    const found = await openCrowd(directory).catch((error: NodeJS.ErrnoException) => {
      if ((isTextrecError(error) && error.code === 'INDEX_DAMAGED') || error.code === 'ENOENT')
        return undefined
      throw error
    })
    if (found !== undefined) return found
  }
  return undefined
}
