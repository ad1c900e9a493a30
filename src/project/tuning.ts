import { availableParallelism } from 'node:os'
import { TRAIN_OPTIONS } from '../adapter/index.js'
import type { Encoder } from '../encode/index.js'
import { TextrecError, throwIfAborted } from '../errors.js'
import type { Split } from '../evaluate/index.js'
import { chooseDevice } from '../onnx/device.js'
import {
  boolean,
  choice,
  integer,
  nearest,
  number,
  type Option,
  type OptionTable,
  optional,
  resolveOptions,
} from '../options.js'
import type { Store } from '../store/index.js'
import { acquireLock } from '../store/lock.js'
import type { DeviceChoice } from '../types.js'
import { LONG, type LongOptions } from './defaults.js'
import { textSpace } from './item-vectors.js'
import { KnownTexts } from './known-texts.js'
import { requireLiveState } from './live-index.js'
import type { TrainableModel } from './trainable-models.js'
import { runTraining, type TrainReport, validationSplit } from './training.js'
import { Budget, secondsOf } from './tune/budget.js'
import { groundOf, searchKey, type TextGround, textGround } from './tune/ground.js'
import { TuneJudge } from './tune/judge.js'
import { Search } from './tune/search.js'
import { isTrainable, TUNED_MODELS, type TunedModel } from './tune/space.js'
import { type TuneRow, TuneTable, tuningFolder } from './tune/table.js'

export interface TuneOptions extends LongOptions {
  /** What to try, by name: 'auto' is every model that there is. */
  readonly models: readonly (TunedModel | 'auto')[]
  /** For the search, over all its runs, with its unit: '90s', '20m', '1.5h'. Training the winner in full comes after it. */
  readonly budget: string
  /** Settings that each bracket of successive halving begins with. */
  readonly settings: number
  /** Brackets at most; the budget ends the search where this does not. */
  readonly brackets: number
  /** Other encoders to try beside the project's own: known names, Hugging Face ids or folders. */
  readonly encoders: readonly string[]
  /** Passes of a whole training; each model's own number when absent. */
  readonly epochs: number | undefined
  readonly seed: number
  /** From which rating an interaction counts as liked. The middle of the catalogue's own scale when absent. */
  readonly minRating: number | undefined
  readonly device: DeviceChoice
  /** Settings that are tried at the same time, each on one thread: one per core, up to 4, when 0. */
  readonly workers: number
  /** Train the best that can be served in full, and publish it if the guard lets it. */
  readonly publish: boolean
}

const listOf = (expected: string, accepts: (value: string) => boolean): Option<readonly string[]> => ({
  default: [],
  expected,
  accepts: (value) => Array.isArray(value) && value.every((one) => typeof one === 'string' && accepts(one)),
})

const NAMES: readonly string[] = ['auto', ...TUNED_MODELS]

export const TUNE: OptionTable<TuneOptions> = {
  ...LONG,
  // A wrong name among right ones is told by itself: see requireModels.
  models: { ...listOf('a list of names of models', () => true), default: ['auto'] } as Option<
    readonly (TunedModel | 'auto')[]
  >,
  budget: {
    default: '20m',
    expected: "a time of at most a week with its unit, such as '90s', '20m' or '1.5h'",
    accepts: (value) => typeof value === 'string' && secondsOf(value) !== undefined,
  },
  settings: integer(16, 1, 1024),
  brackets: integer(1000, 1, 1000),
  encoders: listOf('a list of names of encoders', (name) => name !== ''),
  epochs: optional(integer(60, 1, 10_000)),
  seed: integer(1, 0, 2 ** 31),
  minRating: optional(number(0, -1e9, 1e9)),
  device: choice('auto', ['auto', 'cpu', 'webgpu', 'cuda']),
  workers: integer(0, 0, 64),
  publish: boolean(true),
}

export interface TuneReport {
  /** One sentence on what did best and what came of it. */
  readonly why: string
  readonly published: boolean
  /** The best of all. */
  readonly best: TuneRow
  /** The best that can be served; absent where the time was up before one was judged. */
  readonly winner?: TuneRow
  /** All that was tried, best first. It is kept in the project's folder 'tuning' too. */
  readonly table: readonly TuneRow[]
  readonly budget: {
    readonly seconds: number
    readonly spent: number
    /** False where the time was up first: a larger budget goes on from here. */
    readonly finished: boolean
  }
  readonly validation: {
    readonly split: string
    /** People who chose (when to stop, which blend, which share), and others who judged. */
    readonly choosing: number
    readonly judging: number
    readonly coldCases: number
  }
  /** Of the winner, in full; absent where nothing was trained. */
  readonly training?: TrainReport
}

export interface TuningSource {
  readonly store: Store
  /** The encoder that made the live vectors. */
  readonly encoder: () => Promise<Encoder>
  /** Another one; closed after use. */
  readonly openEncoder: (name: string, long: LongOptions) => Promise<Encoder>
}

/** What most machines have memory for. */
const MOST_WORKERS = 4

/**
 * Searches models, encoders and settings by validation (see Search), keeps the table in the project, trains the best
 * that can be served in full and leaves it to the guard, which decides by rows that the search has never seen.
 * Killed at any moment, the same call goes on from the table; a larger budget goes on from a spent one.
 * @throws NOTHING_INDEXED, NOT_ENOUGH_DATA, PROJECT_LOCKED, OPTION_INVALID, DEVICE_MISSING, ABORTED
 */
export async function runTuning(source: TuningSource, given: Partial<TuneOptions>): Promise<TuneReport> {
  const options = resolveOptions('tune', TUNE, given)
  const { store } = source
  requireModels(options.models)
  requireLiveState(store)
  // Whoever trains now would be in the way when the search is over: better said before it.
  if (options.publish) acquireLock(store.directory, 'train').release()
  const lock = acquireLock(store.directory, 'tune')
  try {
    const found = await search(source, options)
    const { winner } = found
    if (winner === undefined || !options.publish) return { ...found, published: false, why: whyOf(found) }
    const { seed, minRating, device, signal, onProgress } = options
    const training = await runTraining(source, {
      ...winner.settings,
      ...{ model: winner.model as TrainableModel, seed, minRating, device, signal, onProgress },
      epochs: options.epochs,
    })
    const { published } = training
    return { ...found, published, why: whyOf(found, training), training }
  } finally {
    lock.release()
  }
}

/** @throws OPTION_INVALID for no name, or one that no model has, with those that there are */
function requireModels(names: readonly string[]): void {
  if (names.length === 0) {
    throw new TextrecError(
      'OPTION_INVALID',
      'tune: models is an empty list.',
      "Leave it out, or write 'auto'.",
    )
  }
  const wrong = names.find((name) => !NAMES.includes(name))
  if (wrong === undefined) return
  const near = nearest(wrong, NAMES)
  throw new TextrecError(
    'OPTION_INVALID',
    `tune: there is no model '${wrong}'.`,
    `${near === undefined ? '' : `Did you mean '${near}'? `}Models are ${NAMES.join(', ')}.`,
  )
}

type Found = Omit<TuneReport, 'why' | 'published' | 'training'>

async function search(source: TuningSource, options: TuneOptions): Promise<Found> {
  const { store } = source
  const { seed, signal, onProgress } = options
  const split = validationSplit(store.interactions(), options)
  const ground = groundOf(split, TRAIN_OPTIONS.coldShare.default, seed)
  const texts = await textGrounds(source, options, split)
  const table = await TuneTable.open(tuningFolder(store.directory), searchKey(ground, texts[0], seed))
  const budget = new Budget(secondsOf(options.budget) as number, table.spentBefore, signal)
  const device = chooseDevice(options.device).chosen
  const workers = workersFor(options, device)
  const onWork = () => {
    const { best, tried } = table
    const figures = { tried, ...(best === undefined ? {} : { best }) }
    const total = Math.round(budget.seconds)
    onProgress?.({
      stage: 'search',
      done: Math.min(total, Math.floor(budget.spent)),
      total,
      unit: 'seconds',
      figures,
    })
  }
  try {
    const judge = await TuneJudge.create(ground, {
      ...{ seed, device, threads: 1, epochs: options.epochs, signal: budget.signal, onWork },
    })
    const { brackets, settings } = options
    const finished = await new Search(judge, table, texts, budget, {
      ...{ models: modelsOf(options), brackets, settings, seed, workers },
    }).run()
    const rows = table.all()
    const winner = winnerOf(rows)
    const people = (cases: typeof ground.choosing) => new Set(cases.map(({ user }) => user)).size
    return {
      best: rows[0],
      ...(winner === undefined ? {} : { winner }),
      table: rows,
      budget: { seconds: budget.seconds, spent: budget.spent, finished },
      validation: {
        split: split.name,
        choosing: people(ground.choosing),
        judging: people(ground.judging),
        coldCases: ground.hidden.cases.length,
      },
    }
  } finally {
    budget.close()
  }
}

function modelsOf({ models }: TuneOptions): readonly TunedModel[] {
  return models.includes('auto') ? TUNED_MODELS : [...new Set(models as readonly TunedModel[])]
}

function workersFor({ workers }: TuneOptions, device: string): number {
  if (workers > 0) return workers
  return device === 'cpu' ? Math.min(MOST_WORKERS, availableParallelism()) : 1
}

/** The project's own encoder first. */
async function textGrounds(
  { store, encoder, openEncoder }: TuningSource,
  { encoders, signal, onProgress }: TuneOptions,
  split: Split,
): Promise<TextGround[]> {
  const long = { signal, onProgress }
  const made: TextGround[] = []
  const own = await encoder()
  for (const name of [own.name, ...new Set(encoders)].filter((one, at) => at === 0 || one !== own.name)) {
    throwIfAborted(signal, 'The search')
    const opened = made.length === 0 ? own : await openEncoder(name, long)
    try {
      const { dim, fingerprint } = opened
      const known = new KnownTexts(
        { store, fingerprint, dim, encoder: async () => opened, ...long },
        split.table,
      )
      made.push(await textGround(name, textSpace(opened), known, split))
    } finally {
      if (opened !== own) await opened.close()
    }
  }
  return made
}

/**
 * The best that can be served. Where there is a choice, nothing that finds hidden items less often than frozen text
 * does: the guard would refuse it.
 */
function winnerOf(rows: readonly TuneRow[]): TuneRow | undefined {
  const least = rows.find(({ model }) => model === 'frozen')?.coldRecall ?? 0
  const servable = rows.filter((row) => row.servable)
  return servable.find(({ coldRecall = least }) => coldRecall >= least) ?? servable[0]
}

function whyOf({ best, winner, budget }: Found, training?: TrainReport): string {
  if (winner === undefined) {
    return `The time was up before any model that can be served was judged: ${best.model} did best so far. Give a larger budget to go on.`
  }
  const search = `${winner.model} did best${best === winner ? '' : ' of what can be served'} (NDCG@10 ${winner.ndcg.toFixed(4)}).`
  const other =
    best === winner
      ? ''
      : ` ${best.model} reached ${best.ndcg.toFixed(4)}: ${isTrainable(best.model as TunedModel) ? `index with the encoder ${best.encoder} to train it` : 'it can be evaluated, not served'}.`
  const end = training === undefined ? '' : ` ${training.why}`
  return `${search}${other}${budget.finished ? '' : ' The time was up before all was tried.'}${end}`
}
