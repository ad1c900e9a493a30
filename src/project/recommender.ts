import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Encoder } from '../encode/index.js'
import { TextrecError } from '../errors.js'
import type { Comparison } from '../evaluate/index.js'
import { type ImportOptions, type ImportReport, type ImportSources, importFiles } from '../ingest/index.js'
import { matrix, row } from '../math/matrix.js'
import { resolveOptions } from '../options.js'
import { requireItem } from '../recommend/answers.js'
import { searchCatalogue } from '../recommend/search.js'
import { nearestTo, requireVector, similarItems } from '../recommend/similar.js'
import { Store } from '../store/index.js'
import type { Answer, Audience, Explanation, PersonAnswer } from '../types.js'
import {
  checkedNewItem,
  encoderName,
  type NewItem,
  requireKnownNames,
  requireText,
  requireTexts,
} from './arguments.js'
import { Compactor } from './compact.js'
import {
  ASK,
  type AskOptions,
  type AudienceOptions,
  DEFAULT_ENCODER,
  DOCTOR,
  type DoctorOptions,
  EXPORT,
  type ExplainOptions,
  type ExportOptions,
  FORGET,
  INDEX,
  type IndexOptions,
  OPEN,
  type OpenOptions,
  type RecommendAllOptions,
  type RecommendOptions,
  SEARCH,
  type SearchOptions,
} from './defaults.js'
import { type DoctorReport, examine } from './doctor.js'
import { EncoderHolder } from './encoder-holder.js'
import { type EvaluateOptions, runEvaluation } from './evaluation.js'
import type { EveryoneReport } from './everyone.js'
import { type ExportReport, exportProject } from './export.js'
import { FilterCache } from './filter-cache.js'
import { type ForgetReport, noteRejectFile, scrubRejects } from './forget.js'
import { type IndexReport, runIndex } from './index-run.js'
import { encodeNow, type ServedSpace, textSpace, vectorOfNewItem } from './item-vectors.js'
import {
  type Live,
  LiveIndex,
  type LiveState,
  liveState,
  requireLiveState,
  textSpaceOf,
} from './live-index.js'
import { Recommending } from './recommending.js'
import { needsRetraining, noteForgotten } from './retraining.js'
import { servedSpaceOf } from './serving-model.js'
import { projectStats, type Stats } from './stats.js'
import { runTraining, type TrainReport, withdrawModel } from './training.js'
import type { TrainCallOptions } from './training-options.js'
import { type Records, type UpsertReport, upsertRecords } from './updates.js'

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
  private readonly compactor: Compactor
  private readonly filters: FilterCache
  private readonly recommending: Recommending

  private constructor(
    private readonly store: Store,
    private readonly options: OpenOptions,
    private readonly encoders: EncoderHolder,
  ) {
    this.live = new LiveIndex(store)
    this.compactor = new Compactor(store)
    this.filters = new FilterCache(store)
    this.recommending = new Recommending(store, this.live, this.compactor, this.filters, (state) =>
      this.encoderOf(state),
    )
  }

  /**
   * Opens the project in `directory`, making it where there is none (unless `create` is false).
   * Cheap: model and index are loaded when they are first needed.
   * @throws PROJECT_MISSING, DATABASE_VERSION, DATABASE_DAMAGED, DEPENDENCY_MISSING
   */
  static async open(directory: string, options: Partial<OpenOptions> = {}): Promise<Recommender> {
    requireText('open', 'the folder', directory)
    const given = resolveOptions('open', OPEN, options)
    const resolved = { ...given, encoder: encoderName(given.encoder) }
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
    if (sources.rejects !== undefined) noteRejectFile(this.store, resolve(sources.rejects))
    const before = this.store.counts().interactions
    try {
      return await importFiles(this.store, sources, options)
    } finally {
      this.recommending.crowd.noteChanges(Math.abs(this.store.counts().interactions - before))
    }
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
    const encoder = await this.encoders.get(name, kept, resolved)
    const report = await runIndex(this.store, encoder, resolved)
    await this.recommending.crowd.update()
    return report
  }

  /** The items nearest to a stored item. @throws NOT_FOUND, NOT_ENOUGH_DATA, NOTHING_INDEXED */
  async similarItems(itemId: string, options: Partial<AskOptions> = {}): Promise<Answer> {
    requireText('similarItems', 'the item id', itemId)
    const { k, allowed } = this.ask('similarItems', options)
    return this.use(({ index, model }) =>
      similarItems(this.store, index, model.space.basis, itemId, { k, allowed }),
    )
  }

  /** The items nearest to one that is not stored; nothing is written. @throws NOT_ENOUGH_DATA without any text */
  async similarToItem(item: NewItem, options: Partial<AskOptions> = {}): Promise<Answer> {
    const { k, allowed, signal } = this.ask('similarToItem', options)
    const checked = checkedNewItem('similarToItem', item)
    return this.use(async (live) => {
      const vector = await this.vectorOf(live, checked, signal)
      return nearestTo(this.store, live.index, live.model.space.basis, vector, { k, allowed })
    })
  }

  /** Items for a free text, by words and by meaning. */
  async search(text: string, options: Partial<SearchOptions> = {}): Promise<Answer> {
    this.requireOpen()
    requireText('search', 'the query', text)
    const resolved = resolveOptions('search', SEARCH, options)
    const allowed = this.filters.keysOf(resolved.filter)
    return this.use(({ index, model, state }) =>
      searchCatalogue(
        { store: this.store, index, space: model.space, encoder: () => this.encoderOf(state) },
        text,
        { ...resolved, allowed },
      ),
    )
  }

  /**
   * The items a person is most likely to want. Known people (`user`) are answered from their history; people
   * whom nobody has seen from `likes`, `dislikes` and `text`; somebody without any signal gets what is popular.
   * Text and interactions give one score each, standardised over the catalogue and mixed; `basis` says which of
   * them spoke. With `users`, one answer per person.
   * @throws NOT_FOUND for an id that is not in the catalogue, NOTHING_INDEXED
   */
  recommend(
    options: Partial<RecommendOptions> & { readonly users: readonly string[] },
  ): Promise<PersonAnswer[]>
  recommend(options?: Partial<RecommendOptions> & { readonly users?: undefined }): Promise<Answer>
  async recommend(options: Partial<RecommendOptions> = {}): Promise<Answer | PersonAnswer[]> {
    this.requireOpen()
    return this.recommending.recommend(options)
  }

  /**
   * Recommendations for everybody, as JSON lines `{ userId, basis, items }` in the file `out`. Resumable: after
   * a stop or a kill the same call goes on where it was; the file appears when it is whole.
   */
  async recommendAll(
    options: Partial<RecommendAllOptions> & { readonly out: string },
  ): Promise<EveryoneReport> {
    this.requireOpen()
    return this.recommending.recommendAll(options)
  }

  /**
   * The people most likely to want an item: one of the catalogue (its id), or one that nobody has seen. Their
   * vectors stay in memory (4 bytes per number) and everybody is scored. @throws NOT_FOUND, NOT_ENOUGH_DATA
   */
  async audience(item: string | NewItem, options: Partial<AudienceOptions> = {}): Promise<Audience> {
    this.requireOpen()
    const unseen = typeof item === 'string' ? undefined : checkedNewItem('audience', item)
    return this.recommending.audienceOf(async (live) => {
      if (typeof item !== 'string') {
        return { vector: await this.vectorOf(live, unseen as NewItem, options.signal), key: undefined }
      }
      const key = requireItem(this.store, item)
      return { vector: requireVector(live.index, key, item), key }
    }, options)
  }

  /**
   * Why an item suits a person: what they liked that speaks for it, each with its share, and the sentences of
   * its description and reviews that bring it near. @throws NOT_FOUND
   */
  async explain(options: Partial<ExplainOptions> & { readonly item: string }): Promise<Explanation> {
    this.requireOpen()
    return this.recommending.explain(options)
  }

  /** Adds or replaces records. They count from the next call on, in every open process. */
  async upsert(records: Records, options: { readonly signal?: AbortSignal } = {}): Promise<UpsertReport> {
    this.requireOpen()
    requireKnownNames('upsert', records, ['items', 'reviews', 'interactions'])
    const live = liveState(this.store)
    const needsVectors = (records.items?.length ?? 0) + (records.reviews?.length ?? 0) > 0
    const encoder = live !== undefined && needsVectors ? await this.encoderOf(live) : undefined
    const report = await this.inServedSpace((served) =>
      upsertRecords(this.store, records, encoder, options.signal, served),
    )
    const changed = [report.reviews, report.interactions].map(({ added, replaced }) => added + replaced)
    this.recommending.crowd.noteChanges(changed[0] + changed[1])
    return report
  }

  /** Removes items with all that hangs on them. Unknown ids count as nothing. */
  async remove(records: { readonly items: readonly string[] }): Promise<{ readonly items: number }> {
    this.requireOpen()
    requireKnownNames('remove', records, ['items'])
    return { items: this.store.removeItems(requireTexts('remove', 'items', records.items)) }
  }

  /**
   * Removes every trace of a person: records, the vectors of their words, what reject files quote, what is kept
   * in memory. Items that they wrote about get new vectors, and index and item-item scores are made anew. Takes
   * time in proportion to the catalogue. Somebody unknown is no error: what an earlier call left is finished.
   */
  async forget(who: { readonly user: string }): Promise<ForgetReport> {
    this.requireOpen()
    const { user } = resolveOptions('forget', FORGET, who)
    if (user === '') {
      throw new TextrecError(
        'OPTION_INVALID',
        'forget: option user is missing.',
        'Name the person to forget.',
      )
    }
    const live = liveState(this.store)
    const key = this.store.userKey(user)
    const written = key === undefined ? [] : this.store.reviewsBy(key)
    const touched = [...new Set(written.map(({ itemId }) => itemId))]
    // Asked for before anything is deleted: without it the items could not be brought up to date.
    const encoder = live !== undefined && touched.length > 0 ? await this.encoderOf(live) : undefined
    this.recommending.forgetPeople()
    const rejectLines = await scrubRejects(this.store, user)
    const { users, items, ...counts } = this.store.forgetUser(user)
    const retrain = users > 0 ? await noteForgotten(this.store) : needsRetraining(this.store)
    let itemsUpdated = 0
    if (encoder !== undefined) {
      itemsUpdated = await this.inServedSpace((served) =>
        encodeNow(this.store, encoder, touched, undefined, served),
      )
      await this.live.close()
      await runIndex(this.store, encoder, resolveOptions('index', INDEX, { rebuild: true }))
    }
    if (users > 0 && live !== undefined) await this.recommending.crowd.rebuild()
    return { found: users > 0, ...counts, rejectLines, itemsUpdated, retrain }
  }

  /**
   * Compares models with baselines on held-out interactions: every item vector made anew from what the split
   * allows, the whole catalogue ranked, paired differences with intervals.
   * @throws NOTHING_INDEXED, SPLIT_REFUSED, NOT_ENOUGH_DATA, LEAK_FOUND, OPTION_INVALID
   */
  async evaluate(options: Partial<EvaluateOptions> = {}): Promise<Comparison> {
    this.requireOpen()
    const { store } = this
    const state = requireLiveState(store)
    return runEvaluation(
      { store, state, encoder: () => this.encoderOf(state), threads: this.options.threads },
      options,
    )
  }

  /**
   * Learns from the interactions what people who like this like: an adapter over the text vectors, item-item
   * scores, and how to put them together. Published only if it is better on interactions that were held back
   * than the frozen encoder, the item-item scores alone and what is live. Resumable.
   * @throws NOTHING_INDEXED, NOT_ENOUGH_DATA, PROJECT_LOCKED, DEVICE_MISSING, OPTION_INVALID, ABORTED
   */
  async train(options: Partial<TrainCallOptions> = {}): Promise<TrainReport> {
    this.requireOpen()
    const { store } = this
    const encoder = () => this.encoderOf(requireLiveState(store))
    const report = await runTraining({ store, encoder }, options)
    await this.recommending.crowd.update()
    return report
  }

  async stats(): Promise<Stats> {
    this.requireOpen()
    return projectStats(this.store)
  }

  /** Examines the project's files; with `repair`, rebuilds what can be rebuilt from the database. */
  async doctor(options: Partial<DoctorOptions> = {}): Promise<DoctorReport> {
    this.requireOpen()
    const resolved = resolveOptions('doctor', DOCTOR, options)
    const rebuild = async () => {
      await this.live.close()
      await this.index({ rebuild: true, signal: resolved.signal })
    }
    return examine(this.store, resolved, rebuild, async () => {
      await this.live.close()
      await withdrawModel(this.store, await this.encoderOf(requireLiveState(this.store)), resolved)
    })
  }

  /**
   * Copies the project as it stands into a new folder while others go on reading and writing: catalogue, live
   * index, trained model and item-item scores of one moment, every file verified. The copy is a project: open it
   * where it is, or carry it to another path or machine and open it there. Reject files and unfinished
   * trainings stay behind; so does an encoder in a folder of your own.
   * @throws OPTION_INVALID if there is something at `out`, or it lies inside the project; DATABASE_DAMAGED,
   *   INDEX_DAMAGED or MODEL_INVALID if the project is not sound; DISK_FULL, ABORTED. Nothing is left at `out` then.
   */
  async export(options: Partial<ExportOptions> & { readonly out: string }): Promise<ExportReport> {
    this.requireOpen()
    return exportProject(this.store, resolveOptions('export', EXPORT, options))
  }

  /** Ends workers and closes files. Running questions finish first. */
  async close(): Promise<void> {
    if (this.closed) return
    this.closed = true
    await this.recommending.close()
    await this.compactor.close()
    await this.live.close()
    await this.encoders.close()
    this.store.close()
  }

  private ask(call: string, options: Partial<AskOptions>) {
    this.requireOpen()
    const resolved = resolveOptions(call, ASK, options)
    return { ...resolved, allowed: this.filters.keysOf(resolved.filter) }
  }

  /** Every question goes through here: it sees the index as it is now, and may start tidying it. */
  private use<T>(question: (live: Live) => Promise<T>): Promise<T> {
    return this.live.use((live) => {
      this.requireAsked(live.state)
      this.compactor.consider(live)
      return question(live)
    })
  }

  /** The vector of an item that is not stored, in the space of the index. @throws NOT_ENOUGH_DATA */
  private async vectorOf(live: Live, item: NewItem, signal?: AbortSignal): Promise<Float32Array> {
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

  /** Whoever opens a project with an encoder or number format of their own must not get another's answers. */
  private requireAsked({ encoder }: LiveState): void {
    const { encoder: name = encoder.name, dtype } = this.options
    if (name === encoder.name && (dtype === 'auto' || dtype === encoder.dtype)) return
    throw new TextrecError(
      'FINGERPRINT_MISMATCH',
      `The index was made by '${encoder.name}' in ${encoder.dtype}, '${name}' in ${dtype} was asked for.`,
      "Run 'textrec index' with these to encode the catalogue anew, or open it without naming them.",
    )
  }

  /** The encoder that made the live vectors: vectors of another one would not fit them. */
  private async encoderOf(state: LiveState): Promise<Encoder> {
    this.requireAsked(state)
    const encoder = await this.encoders.get(state.encoder.name, state.encoder.dtype)
    if (encoder.fingerprint !== state.encoder.fingerprint || textSpace(encoder) !== textSpaceOf(state)) {
      throw new TextrecError(
        'FINGERPRINT_MISMATCH',
        `The index was made by ${textSpaceOf(state)}, this is ${textSpace(encoder)}.`,
        "Run 'textrec index' to encode the catalogue with this encoder.",
      )
    }
    return encoder
  }

  /** Runs `work` with the space in which items are served, where that is not the encoder's own. */
  private inServedSpace<T>(work: (served: ServedSpace | undefined) => Promise<T>): Promise<T> {
    if (liveState(this.store)?.model?.adapter === undefined) return work(undefined)
    return this.live.use(({ state, model }) => work(servedSpaceOf(state.space, model)))
  }

  private requireOpen(): void {
    if (this.closed) {
      throw new TextrecError('PROJECT_CLOSED', 'This project has been closed.', 'Open it again.')
    }
  }
}
