import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { FitReport } from '../adapter/index.js'
import { type JsonObject, publishFolder } from '../artifact/index.js'
import type { CollaborativeParameters } from '../collaborative/index.js'
import type { Encoder } from '../encode/index.js'
import { isTextrecError, TextrecError, throwIfAborted } from '../errors.js'
import { type Split, splitTable } from '../evaluate/index.js'
import { resolveOptions } from '../options.js'
import { likedFromOf } from '../recommend/crowd-files.js'
import type { Store } from '../store/index.js'
import { acquireLock, type Lock } from '../store/lock.js'
import type { InteractionTable } from '../types.js'
import type { LongOptions } from './defaults.js'
import { type Contest, type Decision, decide, type Judged, judged } from './guard.js'
import { publishServed } from './index-run.js'
import { textSpace, updateItemVectors } from './item-vectors.js'
import { removeUnusedModels } from './leftovers.js'
import { judgedFolder, provenanceOf, REPORT_KIND, reportFolder } from './live-contender.js'
import { requireLiveState } from './live-index.js'
import { requireOutput, writeOutput } from './output-file.js'
import { forgottenCount, needsRetraining, removeUnfinishedTraining } from './retraining.js'
import { adapterFolder, type LiveModel } from './serving-model.js'
import { modelName, type TrainableModel, withModel } from './trainable-models.js'
import { TRAIN, type TrainCallOptions } from './training-options.js'
import { trainingPage } from './training-page.js'
import { runTrial, type Trial } from './training-trial.js'

/** What a training did, and why it ended as it did. */
export interface TrainReport {
  readonly published: boolean
  readonly why: string
  /** Of the trained model that is live now: the new one, the one from before, or none. */
  readonly model: string | undefined
  /** What was live had been trained on somebody who was forgotten since: it was withdrawn first. */
  readonly withdrawn: boolean
  readonly validation: {
    readonly split: string
    readonly people: number
    readonly cases: number
    readonly coldCases: number
    readonly notes: readonly string[]
  }
  readonly candidate: Judged
  /** What the candidate was compared with, each with the paired differences. */
  readonly contests: readonly Contest[]
  /** Everything that was judged, best first. */
  readonly judged: readonly Judged[]
  /** What could not be done or compared, and why. */
  readonly notes: readonly string[]
  /** How item-item scores are made that did best. */
  readonly collaborative: CollaborativeParameters
  /** What the adapter is, by the name that option model takes; absent where none was trained. */
  readonly head?: TrainableModel
  /** Curves and choices of the adapter; absent where there was too little to train one. */
  readonly adapter?: FitReport
  readonly device: string
  readonly seconds: number
}

export interface TrainingSource {
  readonly store: Store
  /** The encoder that made the live vectors. */
  readonly encoder: () => Promise<Encoder>
}

/** With fewer people to validate with, any decision would be chance. */
const FEWEST_PEOPLE = 10

/**
 * Learns from the project's interactions, judges everything on interactions that were held back, and publishes
 * what is better than the frozen encoder, the collaborative scores alone and what is live, and not worse on items
 * without interactions. One process at a time; killed at any moment, the next run goes on from its checkpoint.
 * @throws NOTHING_INDEXED, PROJECT_LOCKED, NOT_ENOUGH_DATA, DEVICE_MISSING, OPTION_INVALID, ABORTED
 */
export async function runTraining(
  { store, encoder: openEncoder }: TrainingSource,
  given: Partial<TrainCallOptions>,
): Promise<TrainReport> {
  const options = withModel(resolveOptions('train', TRAIN, given), given)
  requireLiveState(store)
  if (options.report !== undefined) requireOutput('train: report', options.report, store.directory)
  const lock = acquireLock(store.directory, 'train')
  const forgotten = forgottenCount(store)
  let decided = false
  try {
    const started = performance.now()
    const encoder = await openEncoder()
    await removeUnusedModels(store)
    const withdrawn = needsRetraining(store)
    if (withdrawn) await serve(store, encoder, undefined, options)
    const split = validationSplit(store.interactions(), options)
    const live = requireLiveState(store)
    const trial = await runTrial({ store, live, encoder, split, options })
    try {
      const decision = decide(trial.candidates, trial.against, options.seed)
      const id = decision.publish ? randomUUID() : live.model?.id
      const seconds = (performance.now() - started) / 1000
      const report = { ...reportOf(trial, decision, split, options), model: id, withdrawn, seconds }
      if (decision.publish) {
        const model = await saveModel(store, encoder, id as string, report, trial, split, options, forgotten)
        requireNobodyForgotten(store, forgotten)
        await serve(store, encoder, model, options)
      }
      decided = true
      if (options.report !== undefined)
        await writeOutput('train: report', options.report, await trainingPage(report), store.directory)
      return report
    } finally {
      await trial.close()
    }
  } finally {
    await removeUnusedModels(store)
    // Its checkpoint may have been written after somebody in it was forgotten.
    if (decided || forgottenCount(store) !== forgotten) await removeUnfinishedTraining(store)
    lock.release()
  }
}

/**
 * What is held back to decide by: the newest tenth where times are dates, each person's last item otherwise, or
 * where a tenth is too little.
 */
export function validationSplit(
  table: InteractionTable,
  { minRating, seed }: Pick<TrainCallOptions, 'minRating' | 'seed'>,
): Split {
  const common = { minRating: minRating ?? likedFromOf(table), minItems: 2, seed }
  let split: Split | undefined
  if (table.timeKind === 'date') {
    try {
      split = splitTable(table, { ...common, split: 'time=90%' })
    } catch (error) {
      if (!isTextrecError(error) || error.code !== 'NOT_ENOUGH_DATA') throw error
    }
  }
  if (split === undefined || peopleIn(split) < FEWEST_PEOPLE) {
    split = splitTable(table, { ...common, split: 'hold-last' })
  }
  if (peopleIn(split) >= FEWEST_PEOPLE) return split
  throw new TextrecError(
    'NOT_ENOUGH_DATA',
    `Only ${peopleIn(split)} people have enough interactions to decide by.`,
    `It takes ${FEWEST_PEOPLE}; import more, or go on with the frozen encoder, which needs none.`,
  )
}

const peopleIn = (split: Split): number => new Set(split.test.map(({ user }) => user)).size

function reportOf(trial: Trial, decision: Decision, split: Split, { seed, encoder }: TrainCallOptions) {
  const head = trial.trained && modelName(encoder, trial.trained.report.ids)
  return {
    published: decision.publish,
    why: decision.why,
    validation: {
      split: split.name,
      people: decision.candidate.overall.count,
      cases: trial.cases,
      coldCases: trial.coldCases,
      notes: split.notes,
    },
    candidate: decision.candidate,
    contests: decision.contests,
    judged: [...trial.candidates, ...trial.against]
      .sort((a, b) => b.overall.value - a.overall.value)
      .map((one) => judged(one, seed)),
    notes: trial.notes,
    collaborative: trial.collaborative,
    ...(head === undefined ? {} : { head }),
    ...(trial.trained === undefined ? {} : { adapter: trial.trained.report }),
    device: trial.device,
  }
}

/** Puts the chosen model on disk. Nothing points to it yet. */
async function saveModel(
  store: Store,
  encoder: Encoder,
  id: string,
  report: TrainReport,
  trial: Trial,
  split: Split,
  { minRating }: TrainCallOptions,
  forgotten: number,
): Promise<LiveModel> {
  const { directory } = store
  const adapted = report.candidate.name.startsWith('adapter') ? trial.trained : undefined
  if (adapted !== undefined) {
    await adapted.adapter.save(adapterFolder(directory, id))
    await adapted.judged.save(judgedFolder(directory, id))
  }
  await publishFolder(reportFolder(directory, id), REPORT_KIND, async (folder) => {
    await writeFile(join(folder, 'report.json'), JSON.stringify(report))
    return provenanceOf(split) as unknown as JsonObject
  })
  return {
    id,
    ...(adapted === undefined ? {} : { adapter: adapted.adapter.fingerprint }),
    textSpace: textSpace(encoder),
    textDim: encoder.dim,
    settings: {
      collaborativeShare: report.candidate.share,
      minRating,
      collaborative: trial.collaborative,
      ...(adapted === undefined ? { decay: trial.decay } : {}),
    },
    forgotten,
  }
}

/** Goes back to the encoder's own space. What was trained is removed by whoever holds the 'train' lock next. */
export function withdrawModel(store: Store, encoder: Encoder, long: LongOptions): Promise<void> {
  return serve(store, encoder, undefined, long)
}

/** Builds and publishes the index of a model, or of the text alone, and switches to both in one commit. */
async function serve(
  store: Store,
  encoder: Encoder,
  model: LiveModel | undefined,
  { signal, onProgress }: LongOptions,
): Promise<void> {
  const lock = await indexLock(store, signal)
  try {
    await updateItemVectors(store, encoder, { signal, onProgress })
    await publishServed(store, encoder, model, { signal, onProgress })
  } finally {
    lock.release()
  }
}

/** Waits for another process to finish indexing: what was trained for an hour must not be lost to that. */
async function indexLock(store: Store, signal: AbortSignal | undefined): Promise<Lock> {
  for (;;) {
    throwIfAborted(signal, 'Training')
    try {
      return acquireLock(store.directory, 'index')
    } catch (error) {
      if (!isTextrecError(error) || error.code !== 'PROJECT_LOCKED') throw error
      await wait(500)
    }
  }
}

function requireNobodyForgotten(store: Store, before: number): void {
  if (forgottenCount(store) === before) return
  throw new TextrecError(
    'ABORTED',
    'Somebody was forgotten while the training was under way; what was learnt has been thrown away.',
    'Run it again.',
  )
}
