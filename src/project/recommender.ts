import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Encoder } from '../encode/index.js'
import { TextrecError } from '../errors.js'
import { type ImportOptions, type ImportReport, type ImportSources, importFiles } from '../ingest/index.js'
import { resolveOptions } from '../options.js'
import { searchCatalogue } from '../recommend/search.js'
import { nearestTo, similarItems } from '../recommend/similar.js'
import { type Filter, Store } from '../store/index.js'
import type { Answer, Basis, Item, Review } from '../types.js'
import {
  ASK,
  type AskOptions,
  DEFAULT_ENCODER,
  DOCTOR,
  type DoctorOptions,
  INDEX,
  type IndexOptions,
  OPEN,
  type OpenOptions,
  SEARCH,
  type SearchOptions,
} from './defaults.js'
import { type DoctorReport, examine } from './doctor.js'
import { EncoderHolder } from './encoder-holder.js'
import { type IndexReport, runIndex } from './index-run.js'
import { textSpace, vectorOfNewItem } from './item-vectors.js'
import { type Live, LiveIndex, type LiveState, liveState } from './live-index.js'
import { projectStats, type Stats } from './stats.js'
import { type Records, type UpsertReport, upsertRecords } from './updates.js'

/** An item that is asked about and not stored. */
export interface NewItem extends Pick<Item, 'title' | 'description' | 'attributes'> {
  readonly reviews?: readonly Pick<Review, 'title' | 'text' | 'rating' | 'time' | 'helpful'>[]
}

/**
 * A project on disk: a catalogue with its reviews and interactions, the vectors made from them, and the
 * answers they give. Open it, import files, index, ask; close it at the end.
 *
 * Every method is async and takes one options object last; long ones accept `signal` and `onProgress`.
 * Errors are TextrecError with a stable `code`.
 */
export class Recommender {
  private closed = false
  private readonly live: LiveIndex

  private constructor(
    private readonly store: Store,
    private readonly options: OpenOptions,
    private readonly encoders: EncoderHolder,
  ) {
    this.live = new LiveIndex(store)
  }

  /**
   * Opens the project in `directory`, making it where there is none (unless `create` is false).
   * Cheap: model and index are loaded when they are first needed.
   * @throws PROJECT_MISSING, DATABASE_VERSION, DATABASE_DAMAGED, DEPENDENCY_MISSING
   */
  static async open(directory: string, options: Partial<OpenOptions> = {}): Promise<Recommender> {
    const resolved = resolveOptions('open', OPEN, options)
    if (!resolved.create && !existsSync(join(directory, 'catalog.db'))) {
      throw new TextrecError(
        'PROJECT_MISSING',
        `There is no textrec project in ${directory}.`,
        "Run 'textrec import' first, or check --dir.",
      )
    }
    const store = Store.open(directory, { create: resolved.create })
    const { device, dtype, threads, cacheDirectory } = resolved
    return new Recommender(store, resolved, new EncoderHolder({ device, dtype, threads, cacheDirectory }))
  }

  get directory(): string {
    return this.store.directory
  }

  /**
   * Reads files into the catalogue, streaming. Every record is accepted or refused with a reason:
   * accepted + rejected = read. Importing the same file again changes nothing.
   */
  async import(sources: ImportSources, options: Partial<ImportOptions> = {}): Promise<ImportReport> {
    this.requireOpen()
    return importFiles(this.store, sources, options)
  }

  /** Encodes what changed since the last time and publishes an index of it. Resumable. */
  async index(options: Partial<IndexOptions> = {}): Promise<IndexReport> {
    this.requireOpen()
    const resolved = resolveOptions('index', INDEX, options)
    const live = liveState(this.store)
    const name = this.options.encoder ?? live?.encoder.name ?? DEFAULT_ENCODER
    // A project keeps the number format it was made with, unless another is asked for by name.
    const kept =
      name === live?.encoder.name && this.options.dtype === 'auto' ? live.encoder.dtype : this.options.dtype
    const encoder = await this.encoders.get(name, kept, resolved.onProgress)
    return runIndex(this.store, encoder, resolved)
  }

  /** The items nearest to a stored item. @throws NOT_FOUND, NOT_ENOUGH_DATA, NOTHING_INDEXED */
  async similarItems(itemId: string, options: Partial<AskOptions> = {}): Promise<Answer> {
    const { k, allowed } = this.ask('similarItems', options)
    return this.live.use(({ index, state }) =>
      similarItems(this.store, index, basisOf(state), itemId, { k, allowed }),
    )
  }

  /** The items nearest to one that is not stored; nothing is written. @throws NOT_ENOUGH_DATA without any text */
  async similarToItem(item: NewItem, options: Partial<AskOptions> = {}): Promise<Answer> {
    const { k, allowed, signal } = this.ask('similarToItem', options)
    return this.live.use(async (live) => {
      const encoder = await this.encoderOf(live.state)
      const vector = await vectorOfNewItem(encoder, item, item.reviews ?? [], signal)
      if (vector === undefined) {
        throw new TextrecError(
          'NOT_ENOUGH_DATA',
          'The item has no title, description, label or review.',
          'Give at least one of them.',
        )
      }
      return nearestTo(this.store, live.index, basisOf(live.state), vector, { k, allowed })
    })
  }

  /** Items for a free text, by words and by meaning. */
  async search(text: string, options: Partial<SearchOptions> = {}): Promise<Answer> {
    this.requireOpen()
    const resolved = resolveOptions('search', SEARCH, options)
    const allowed = this.allowedBy(resolved.filter)
    return this.live.use(({ index, state }) =>
      searchCatalogue(
        { store: this.store, index, basis: basisOf(state), encoder: () => this.encoderOf(state) },
        text,
        { ...resolved, allowed },
      ),
    )
  }

  /** Adds or replaces records. They count from the next call on, in every open process. */
  async upsert(records: Records, options: { readonly signal?: AbortSignal } = {}): Promise<UpsertReport> {
    this.requireOpen()
    const live = liveState(this.store)
    const needsVectors = (records.items?.length ?? 0) + (records.reviews?.length ?? 0) > 0
    const encoder = live !== undefined && needsVectors ? await this.encoderOf(live) : undefined
    return upsertRecords(this.store, records, encoder, options.signal)
  }

  /** Removes items with all that hangs on them. Unknown ids count as nothing. */
  async remove(records: { readonly items: readonly string[] }): Promise<{ readonly items: number }> {
    this.requireOpen()
    return { items: this.store.removeItems(records.items) }
  }

  async stats(): Promise<Stats> {
    this.requireOpen()
    return projectStats(this.store)
  }

  /** Examines the project's files; with `repair`, rebuilds what can be rebuilt from the database. */
  async doctor(options: Partial<DoctorOptions> = {}): Promise<DoctorReport> {
    this.requireOpen()
    const resolved = resolveOptions('doctor', DOCTOR, options)
    return examine(this.store, resolved, async () => {
      await this.live.close()
      await this.index({ rebuild: true, signal: resolved.signal })
    })
  }

  /** Ends workers and closes files. Running questions finish first. */
  async close(): Promise<void> {
    if (this.closed) return
    this.closed = true
    await this.live.close()
    await this.encoders.close()
    this.store.close()
  }

  private ask(call: string, options: Partial<AskOptions>) {
    this.requireOpen()
    const resolved = resolveOptions(call, ASK, options)
    return { ...resolved, allowed: this.allowedBy(resolved.filter) }
  }

  private allowedBy(filter: unknown) {
    return filter === undefined ? undefined : this.store.filterItems(filter as Filter)
  }

  /** The encoder that made the live vectors: vectors of another one would not fit them. */
  private async encoderOf(state: LiveState): Promise<Encoder> {
    const encoder = await this.encoders.get(state.encoder.name, state.encoder.dtype)
    if (encoder.fingerprint !== state.encoder.fingerprint || textSpace(encoder) !== state.space) {
      throw new TextrecError(
        'FINGERPRINT_MISMATCH',
        `The index was made by ${state.space}, this is ${textSpace(encoder)}.`,
        "Run 'textrec index' to encode the catalogue with this encoder.",
      )
    }
    return encoder
  }

  private requireOpen(): void {
    if (this.closed) {
      throw new TextrecError('PROJECT_CLOSED', 'This project has been closed.', 'Open it again.')
    }
  }
}

function basisOf(_state: Live['state']): Basis {
  return 'frozen text'
}
