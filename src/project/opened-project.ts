import { existsSync } from 'node:fs'
import type { Encoder } from '../encode/index.js'
import { TextrecError } from '../errors.js'
import { matrix, row } from '../math/matrix.js'
import { Store } from '../store/index.js'
import { catalogPath } from '../store/open.js'
import type { NewItem } from './arguments.js'
import { Compactor } from './compact.js'
import { DEFAULT_ENCODER, type LongRun, type OpenOptions } from './defaults.js'
import { EncoderHolder } from './encoder-holder.js'
import { FilterCache } from './filter-cache.js'
import { textSpace, vectorOfNewItem } from './item-vectors.js'
import { type Live, LiveIndex, type LiveState, liveState, textSpaceOf } from './live-index.js'
import { Recommending } from './recommending.js'
import { servedSpaceOf } from './serving-model.js'
import type { ServedNow } from './updates.js'

/** What an open project holds, and which encoder goes with which index. */
export class OpenedProject {
  readonly live: LiveIndex
  readonly filters: FilterCache
  readonly recommending: Recommending
  readonly compactor: Compactor
  private readonly encoders: EncoderHolder
  private readonly running = new Set<Promise<unknown>>()
  private closed = false

  private constructor(
    readonly store: Store,
    readonly options: OpenOptions,
  ) {
    const { device, dtype, threads, cacheDirectory } = options
    this.encoders = new EncoderHolder({ device, dtype, threads, cacheDirectory })
    this.live = new LiveIndex(store)
    this.compactor = new Compactor(store)
    this.filters = new FilterCache(store)
    this.recommending = new Recommending(store, this.live, this.compactor, this.filters, (state) =>
      this.encoderOf(state),
    )
  }

  /** See Recommender.open. */
  static open(directory: string, options: OpenOptions): OpenedProject {
    if (!options.create && !existsSync(catalogPath(directory))) {
      throw new TextrecError(
        'PROJECT_MISSING',
        `There is no textrec project in ${directory}.`,
        "Run 'textrec import' first, or check --dir.",
      )
    }
    return new OpenedProject(Store.open(directory, { create: options.create }), options)
  }

  /**
   * Every public call runs in here, and close() waits for it.
   * @param believing the catalogue, which is checked first where something else than textrec may have touched it
   * @throws PROJECT_CLOSED, DATABASE_DAMAGED
   */
  async during<T>(call: () => Promise<T>, believing: boolean): Promise<T> {
    if (this.closed) {
      throw new TextrecError('PROJECT_CLOSED', 'This project has been closed.', 'Open it again.')
    }
    const running = believing && !this.store.isKnownSound ? this.store.requireSound().then(call) : call()
    this.running.add(running)
    try {
      return await running
    } finally {
      this.running.delete(running)
    }
  }

  /** Every question about items goes through here: it sees the index as it is now, and may start tidying it. */
  use<T>(question: (live: Live) => Promise<T>): Promise<T> {
    return this.live.use((live) => {
      this.requireAsked(live.state)
      this.compactor.consider(live)
      return question(live)
    })
  }

  /** The vector of an item that is not stored, in the space of the index. @throws NOT_ENOUGH_DATA */
  async vectorOf(live: Live, item: NewItem, signal?: AbortSignal): Promise<Float32Array> {
    const encoder = await this.encoderOf(live.state)
    const text = await vectorOfNewItem(encoder, item, item.reviews ?? [], signal)
    if (text === undefined) {
      throw new TextrecError(
        'NOT_ENOUGH_DATA',
        'The item has no title, description, label or review.',
        'Give at least one of them.',
      )
    }
    return row(await live.model.space.fromText(matrix(1, text.length, text), [undefined]), 0)
  }

  /** The encoder to index with: the one asked for, else the project's own, else the default. */
  encoderToIndexWith(long: LongRun): Promise<Encoder> {
    const live = liveState(this.store)
    const name = this.options.encoder ?? live?.encoder.name ?? DEFAULT_ENCODER
    // A project keeps the number format it was made with, unless another is asked for by name.
    const keeps = name === live?.encoder.name && this.options.dtype === 'auto'
    return this.encoders.get(name, keeps ? live.encoder.dtype : this.options.dtype, long)
  }

  /** The encoder that made the live vectors: vectors of another one would not fit them. */
  async encoderOf(state: LiveState, long: LongRun = {}): Promise<Encoder> {
    this.requireAsked(state)
    const encoder = await this.encoders.get(state.encoder.name, state.encoder.dtype, long)
    if (encoder.fingerprint !== state.encoder.fingerprint || textSpace(encoder) !== textSpaceOf(state)) {
      throw new TextrecError(
        'FINGERPRINT_MISMATCH',
        `The index was made by ${textSpaceOf(state)}, this is ${textSpace(encoder)}.`,
        "Run 'textrec index' to encode the catalogue with this encoder.",
      )
    }
    return encoder
  }

  /**
   * Begins to load the encoder for a question that works with words, whose index is opened meanwhile. What goes wrong
   * shows when the question asks for it.
   */
  expectWords(): void {
    if (this.encoders.isHeld) return
    const state = liveState(this.store)
    if (state === undefined || !this.isAsked(state)) return
    this.encoders.get(state.encoder.name, state.encoder.dtype).catch(() => undefined)
  }

  /** Runs `work` with what serves now: the index is only opened where an adapter has to be asked. */
  async withServed<T>(work: (now: ServedNow | undefined) => Promise<T>, long: LongRun = {}): Promise<T> {
    const state = liveState(this.store)
    if (state === undefined) return work(undefined)
    if (state.model?.adapter === undefined) {
      return work({ state, encoder: await this.encoderOf(state, long), space: undefined })
    }
    return this.live.use(async ({ state, model }) =>
      work({
        state,
        encoder: await this.encoderOf(state, long),
        space: servedSpaceOf(state.space, model),
      }),
    )
  }

  /** See Recommender.close. */
  async close(): Promise<void> {
    if (this.closed) return
    this.closed = true
    await Promise.allSettled(this.running)
    await this.recommending.close()
    await this.compactor.close()
    await this.live.close()
    await this.encoders.close()
    this.store.close()
    await this.store.leaveHash()
  }

  /** Whoever opens a project with an encoder or number format of their own must not get another's answers. */
  private requireAsked(state: LiveState): void {
    if (this.isAsked(state)) return
    const { encoder } = state
    const { encoder: name = encoder.name, dtype } = this.options
    throw new TextrecError(
      'FINGERPRINT_MISMATCH',
      `The index was made by '${encoder.name}' in ${encoder.dtype}, '${name}' in ${dtype} was asked for.`,
      "Run 'textrec index' with these to encode the catalogue anew, or open it without naming them.",
    )
  }

  private isAsked({ encoder }: LiveState): boolean {
    const { encoder: name = encoder.name, dtype } = this.options
    return name === encoder.name && (dtype === 'auto' || dtype === encoder.dtype)
  }
}
