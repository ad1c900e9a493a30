import { resolve } from 'node:path'
import { openEncoder } from '../encode/index.js'
import { TextrecError, throwIfAborted } from '../errors.js'
import type { Comparison } from '../evaluate/index.js'
import type { ImportOptions, ImportReport, ImportSources } from '../ingest/index.js'
import { resolveOptions } from '../options.js'
import { requireItem } from '../recommend/answers.js'
import { searchCatalogue } from '../recommend/search.js'
import { nearestTo, requireVector, similarItems } from '../recommend/similar.js'
import type { Store } from '../store/index.js'
import type { Answer, Audience, Explanation, PersonAnswer } from '../types.js'
import {
  checkedNewItem,
  encoderName,
  type NewItem,
  requireKnownNames,
  requireText,
  requireTexts,
} from './arguments.js'
import type { ClusterOptions, ClusterReport } from './clusters.js'
import {
  ASK,
  type AskOptions,
  type AudienceOptions,
  DOCTOR,
  type DoctorOptions,
  EXPORT,
  type ExplainOptions,
  type ExportOptions,
  FORGET,
  INDEX,
  type IndexOptions,
  LONG,
  type LongOptions,
  OPEN,
  type OpenOptions,
  type RecommendAllOptions,
  type RecommendOptions,
  SEARCH,
  type SearchOptions,
} from './defaults.js'
import type { DoctorReport } from './doctor.js'
import type { EvaluateOptions } from './evaluation.js'
import type { EveryoneReport } from './everyone.js'
import type { ExportReport } from './export.js'
import { type ForgetReport, forgetPerson } from './forget.js'
import { type IndexReport, runIndex } from './index-run.js'
import { requireLiveState } from './live-index.js'
import { OpenedProject } from './opened-project.js'
import { noteRejectFile } from './reject-files.js'
import type { Stats } from './stats.js'
import type { TrainReport } from './training.js'
import type { TrainCallOptions } from './training-options.js'
import type { TuneOptions, TuneReport } from './tuning.js'
import { type Records, type UpsertReport, upsertRecords } from './updates.js'

/** What questions do not need is loaded when it is first asked for: all of it takes as long as a first answer. */
const LATER = {
  clusters: () => import('./clusters.js'),
  doctor: () => import('./doctor.js'),
  evaluation: () => import('./evaluation.js'),
  export: () => import('./export.js'),
  import: () => import('../ingest/import.js'),
  stats: () => import('./stats.js'),
  training: () => import('./training.js'),
  tuning: () => import('./tuning.js'),
}

let projectOf: (shop: Recommender) => OpenedProject

type PublicCall = (this: Recommender, ...args: never[]) => Promise<unknown>

/** Of a public call: close() waits for it. It rejects with PROJECT_CLOSED after that, DATABASE_DAMAGED for such a catalogue. */
function counted<Call extends PublicCall>(method: Call): Call {
  return within(method, true)
}

/** The same for a call that looks itself whether the catalogue is sound. */
function examining<Call extends PublicCall>(method: Call): Call {
  return within(method, false)
}

function within<Call extends PublicCall>(method: Call, believing: boolean): Call {
  const call = function (this: Recommender, ...args: Parameters<Call>) {
    return projectOf(this).during(() => method.apply(this, args), believing)
  }
  return call as Call
}

/**
 * A project on disk: a catalogue with its reviews and interactions, the vectors made from them, and the
 * answers they give. Open it, import files, index, ask; close it at the end.
 *
 * Every method is async and takes one options object last; long ones accept `signal` and `onProgress`.
 * Errors are TextrecError with a stable `code`.
 */
export class Recommender {
  static {
    projectOf = ({ project }) => project
  }

  private readonly store: Store

  private constructor(private readonly project: OpenedProject) {
    this.store = project.store
  }

  /**
   * Opens the project in `directory`, making it where there is none (unless `create` is false).
   * Cheap: model and index are loaded when they are first needed. Where the folder may be read but not written,
   * the project can be asked, as it is at this moment; everything that writes throws PROJECT_READONLY.
   * @throws PROJECT_MISSING, DATABASE_VERSION, DATABASE_DAMAGED, DEPENDENCY_MISSING
   */
  static async open(directory: string, options: Partial<OpenOptions> = {}): Promise<Recommender> {
    requireText('open', 'the folder', directory)
    const resolved = resolveOptions('open', OPEN, options)
    return new Recommender(
      OpenedProject.open(directory, { ...resolved, encoder: encoderName(resolved.encoder) }),
    )
  }

  get directory(): string {
    return this.store.directory
  }

  /**
   * Reads files into the catalogue, streaming. Every record is accepted or refused with a reason:
   * accepted + rejected = read. Importing the same file again changes nothing.
   */
  @counted
  async import(sources: ImportSources, options: Partial<ImportOptions> = {}): Promise<ImportReport> {
    this.store.requireWritable()
    if (sources?.rejects !== undefined) noteRejectFile(this.store, resolve(sources.rejects))
    const before = this.store.counts().interactions
    const { importFiles } = await LATER.import()
    try {
      return await importFiles(this.store, sources, options)
    } finally {
      this.project.recommending.crowd.noteChanges(Math.abs(this.store.counts().interactions - before))
    }
  }

  /** Encodes what changed since the last time and publishes an index of it. Resumable. */
  @counted
  async index(options: Partial<IndexOptions> = {}): Promise<IndexReport> {
    return this.build(options)
  }

  /** The items nearest to a stored item. @throws NOT_FOUND, NOT_ENOUGH_DATA, NOTHING_INDEXED */
  @counted
  async similarItems(itemId: string, options: Partial<AskOptions> = {}): Promise<Answer> {
    requireText('similarItems', 'the item id', itemId)
    const { k, allowed } = this.ask('similarItems', options)
    return this.project.use(({ index, model }) =>
      similarItems(this.store, index, model.space.basis, itemId, { k, allowed }),
    )
  }

  /** The items nearest to one that is not stored; nothing is written. @throws NOT_ENOUGH_DATA without any text */
  @counted
  async similarToItem(item: NewItem, options: Partial<AskOptions> = {}): Promise<Answer> {
    const { k, allowed, signal } = this.ask('similarToItem', options)
    const checked = checkedNewItem('similarToItem', item)
    this.project.expectWords()
    return this.project.use(async (live) => {
      const vector = await this.project.vectorOf(live, checked, signal)
      return nearestTo(this.store, live.index, live.model.space.basis, vector, { k, allowed })
    })
  }

  /** Items for a free text, by words and by meaning. */
  @counted
  async search(text: string, options: Partial<SearchOptions> = {}): Promise<Answer> {
    requireText('search', 'the query', text)
    const resolved = resolveOptions('search', SEARCH, options)
    throwIfAborted(resolved.signal, 'search')
    const allowed = this.project.filters.keysOf(resolved.filter)
    if (resolved.mode !== 'text' && text.trim() !== '') this.project.expectWords()
    return this.project.use(({ index, model, state }) =>
      searchCatalogue(
        { store: this.store, index, space: model.space, encoder: () => this.project.encoderOf(state) },
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
  @counted
  async recommend(options: Partial<RecommendOptions> = {}): Promise<Answer | PersonAnswer[]> {
    if (options.text !== undefined || options.reasons === true) this.project.expectWords()
    return this.project.recommending.recommend(options)
  }

  /**
   * Recommendations for everybody, as JSON lines `{ userId, basis, items }` in the file `out`. Resumable: after
   * a stop or a kill the same call goes on where it was; the file appears when it is whole.
   */
  @counted
  async recommendAll(
    options: Partial<RecommendAllOptions> & { readonly out: string },
  ): Promise<EveryoneReport> {
    return this.project.recommending.recommendAll(options)
  }

  /**
   * The people most likely to want an item: one of the catalogue (its id), or one that nobody has seen. Their
   * vectors stay in memory (4 bytes per number) and everybody is scored. @throws NOT_FOUND, NOT_ENOUGH_DATA
   */
  @counted
  async audience(item: string | NewItem, options: Partial<AudienceOptions> = {}): Promise<Audience> {
    const unseen = typeof item === 'string' ? undefined : checkedNewItem('audience', item)
    if (unseen !== undefined) this.project.expectWords()
    return this.project.recommending.audienceOf(async (live) => {
      if (typeof item !== 'string') {
        return {
          vector: await this.project.vectorOf(live, unseen as NewItem, options.signal),
          key: undefined,
        }
      }
      const key = requireItem(this.store, item)
      return { vector: requireVector(live.index, key, item), key }
    }, options)
  }

  /**
   * Why an item suits a person: what they liked that speaks for it, each with its share, and the sentences of
   * its description and reviews that bring it near. @throws NOT_FOUND
   */
  @counted
  async explain(options: Partial<ExplainOptions> & { readonly item: string }): Promise<Explanation> {
    this.project.expectWords()
    return this.project.recommending.explain(options)
  }

  /** Adds or replaces records. They count from the next call on, in every open process. */
  @counted
  async upsert(records: Records, options: Partial<LongOptions> = {}): Promise<UpsertReport> {
    this.store.requireWritable()
    requireKnownNames('upsert', records, ['items', 'reviews', 'interactions'])
    const long = resolveOptions('upsert', LONG, options)
    const { project } = this
    const report = await upsertRecords(this.store, records, (work) => project.withServed(work, long), long)
    const changed = [report.reviews, report.interactions].map(({ added, replaced }) => added + replaced)
    project.recommending.crowd.noteChanges(changed[0] + changed[1])
    await this.refreshClusters()
    return report
  }

  /** Removes items with all that hangs on them. Unknown ids count as nothing. */
  @counted
  async remove(records: { readonly items: readonly string[] }): Promise<{ readonly items: number }> {
    this.store.requireWritable()
    requireKnownNames('remove', records, ['items'])
    return { items: this.store.removeItems(requireTexts('remove', 'items', records.items)) }
  }

  /**
   * Removes every trace of a person: records, the vectors of their words, what reject files quote, what is kept
   * in memory. Items that they wrote about get new vectors, and index and item-item scores are made anew. Takes
   * time in proportion to the catalogue. Somebody unknown is no error: what an earlier call left is finished.
   */
  @counted
  async forget(who: { readonly user: string }, options: Partial<LongOptions> = {}): Promise<ForgetReport> {
    this.store.requireWritable()
    const { user } = resolveOptions('forget', FORGET, who)
    if (user === '') {
      throw new TextrecError(
        'OPTION_INVALID',
        'forget: option user is missing.',
        'Name the person to forget.',
      )
    }
    const report = await forgetPerson(this.project, user, resolveOptions('forget', LONG, options))
    await this.refreshClusters()
    return report
  }

  /**
   * Compares models with baselines on held-out interactions: every item vector made anew from what the split
   * allows, the whole catalogue ranked, paired differences with intervals.
   * @throws NOTHING_INDEXED, SPLIT_REFUSED, NOT_ENOUGH_DATA, LEAK_FOUND, OPTION_INVALID
   */
  @counted
  async evaluate(options: Partial<EvaluateOptions> = {}): Promise<Comparison> {
    const { store } = this
    const state = requireLiveState(store)
    const { runEvaluation } = await LATER.evaluation()
    return runEvaluation(
      { store, state, encoder: () => this.project.encoderOf(state), threads: this.project.options.threads },
      options,
    )
  }

  /**
   * Learns from the interactions what people who like this like: an adapter over the text vectors, item-item
   * scores, and how to put them together. Published only if it is better on interactions that were held back
   * than the frozen encoder, the item-item scores alone and what is live. Resumable.
   * @throws NOTHING_INDEXED, NOT_ENOUGH_DATA, PROJECT_LOCKED, DEVICE_MISSING, OPTION_INVALID, ABORTED
   */
  @counted
  async train(options: Partial<TrainCallOptions> = {}): Promise<TrainReport> {
    this.store.requireWritable()
    const { project, store } = this
    const encoder = () => project.encoderOf(requireLiveState(store))
    const { runTraining } = await LATER.training()
    const report = await runTraining({ store, encoder }, options)
    await project.recommending.crowd.update(options)
    await project.recommending.keepPeople(options)
    return report
  }

  /**
   * Searches models, encoders and settings by validation, within a budget of time, trains the best of what can be
   * served in full and publishes it if the guard lets it: as train() does, on rows that the search has never seen. The
   * table of all that was tried stays in the project, and a search that was stopped or killed goes on from it.
   * @throws NOTHING_INDEXED, NOT_ENOUGH_DATA, PROJECT_LOCKED, DEVICE_MISSING, OPTION_INVALID, ABORTED
   */
  @counted
  async tune(options: Partial<TuneOptions> = {}): Promise<TuneReport> {
    this.store.requireWritable()
    const { project, store } = this
    const { device, dtype, threads, cacheDirectory } = project.options
    const { runTuning } = await LATER.tuning()
    const report = await runTuning(
      {
        store,
        encoder: () => project.encoderOf(requireLiveState(store)),
        openEncoder: (name, long) => openEncoder(name, { device, dtype, threads, cacheDirectory, ...long }),
      },
      options,
    )
    await project.recommending.crowd.update(options)
    await project.recommending.keepPeople(options)
    return report
  }

  /**
   * Divides the catalogue into clusters of alike items, named by their most telling words, and stores each item's as the
   * attribute `cluster`: `filter: { cluster: 'sea whale ship' }`, `atMostPer: { attribute: 'cluster', n: 2 }`. Items
   * that are added or changed later get the nearest cluster; the clusters themselves stay until this is called again.
   * @throws NOTHING_INDEXED, NOT_ENOUGH_DATA, OPTION_INVALID, PROJECT_LOCKED, ABORTED
   */
  @counted
  async clusters(options: Partial<ClusterOptions> = {}): Promise<ClusterReport> {
    this.store.requireWritable()
    const { makeClusters } = await LATER.clusters()
    return makeClusters(this.store, options)
  }

  @counted
  async stats(): Promise<Stats> {
    const { projectStats } = await LATER.stats()
    return projectStats(this.store, (indexId) => this.project.compactor.failureOf(indexId))
  }

  /** Examines the project's files; with `repair`, rebuilds what can be rebuilt from the database. */
  @examining
  async doctor(options: Partial<DoctorOptions> = {}): Promise<DoctorReport> {
    const { project, store } = this
    const resolved = resolveOptions('doctor', DOCTOR, options)
    if (resolved.repair) store.requireWritable()
    const { repair: _, ...long } = resolved
    const { examine } = await LATER.doctor()
    return examine(store, resolved, {
      rebuild: async () => {
        await project.live.close()
        await this.build({ rebuild: true, ...long })
      },
      withdraw: async () => {
        await project.live.close()
        const { withdrawModel } = await LATER.training()
        await withdrawModel(store, await project.encoderOf(requireLiveState(store), long), long)
      },
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
  @examining
  async export(options: Partial<ExportOptions> & { readonly out: string }): Promise<ExportReport> {
    const { exportProject } = await LATER.export()
    return exportProject(this.store, resolveOptions('export', EXPORT, options))
  }

  /** Ends workers and closes files, after the calls that are running; a long one is ended by its `signal`. */
  close(): Promise<void> {
    return this.project.close()
  }

  private async build(options: Partial<IndexOptions>): Promise<IndexReport> {
    this.store.requireWritable()
    const resolved = resolveOptions('index', INDEX, options)
    const encoder = await this.project.encoderToIndexWith(resolved)
    const report = await runIndex(this.store, encoder, resolved)
    await this.refreshClusters()
    await this.project.recommending.crowd.update(resolved)
    await this.project.recommending.keepPeople(resolved)
    return report
  }

  /** Resolves the options of a question and the items that its filter allows. */
  private ask(call: string, options: Partial<AskOptions>) {
    const resolved = resolveOptions(call, ASK, options)
    throwIfAborted(resolved.signal, call)
    return { ...resolved, allowed: this.project.filters.keysOf(resolved.filter) }
  }

  private async refreshClusters(): Promise<void> {
    const { refreshClusters } = await LATER.clusters()
    await refreshClusters(this.store)
  }
}
