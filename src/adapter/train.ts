import { TextrecError } from '../errors.js'
import { WorkerClient } from '../onnx/worker-client.js'
import { resolveOptions } from '../options.js'
import type { TestCase } from '../ranking.js'
import type { InteractionTable, Matrix, OnProgress } from '../types.js'
import { Adapter } from './adapter.js'
import type { FitData, FitReport, FitResult, Fitted } from './fit-types.js'
import { readsTimes } from './model.js'
import { TRAIN_OPTIONS, type TrainOptions, withEncoderDefaults } from './options.js'
import type { TrainRequest } from './worker.js'

/** What to train on. The tables number items alike, and `texts` has their text vectors in that order. */
export interface AdapterData {
  /** [items, text] unit rows, zeros for items without text. */
  readonly texts: Matrix
  /** [items, text] how items look before anybody has taken or reviewed them; `texts` when absent. */
  readonly coldTexts?: Matrix
  /** See `FitData.textsWithout`. */
  readonly textsWithout?: readonly Matrix[]
  /** Fingerprint of what made `texts`. */
  readonly textSpace: string
  /** All that may be learned from. */
  readonly training: InteractionTable
  /** `training` without what `validation` asks for. */
  readonly fitting: InteractionTable
  readonly validation: readonly TestCase[]
}

export interface TrainedAdapter {
  /** Trained on all of `training`: for use. The same as `judged` if refit is off. */
  readonly adapter: Adapter
  /** Trained on `fitting` alone: for every comparison and choice that validation has to make. */
  readonly judged: Adapter
  /** Trained on `fitting` less some hidden items: for comparisons on cold items. */
  readonly hidden: {
    readonly adapter: Adapter
    /** Item numbers of what was hidden. */
    readonly items: Int32Array
    /** Every event with a hidden item, asked for from the rest of its history. */
    readonly cases: readonly TestCase[]
  }
  readonly report: FitReport
}

/** Fewer histories of at least two items than this teach nothing. */
const FEWEST_HISTORIES = 10

/**
 * Trains an adapter in a worker thread. Stops between two steps when the signal fires; with
 * options.checkpoint, a later call with the same inputs goes on from the last finished epoch and ends with the
 * same adapter as an undisturbed run.
 * @throws NOT_ENOUGH_DATA for too few histories, texts or validation cases; DIMENSION_MISMATCH for tables that
 *   do not fit; OPTION_INVALID; ABORTED
 */
export async function trainAdapter(
  data: AdapterData,
  given: Partial<TrainOptions> = {},
  hooks: { readonly signal?: AbortSignal; readonly onProgress?: OnProgress } = {},
): Promise<TrainedAdapter> {
  const options = withEncoderDefaults(resolveOptions('train', TRAIN_OPTIONS, given), given)
  if (options.dim % options.heads !== 0) {
    throw new TextrecError(
      'OPTION_INVALID',
      `train: option 'dim' is ${options.dim} with ${options.heads} heads.`,
      "'dim' must be a multiple of 'heads'.",
    )
  }
  const { itemIds } = data.training
  if (data.texts.rows !== itemIds.length || data.fitting.itemIds.length !== itemIds.length) {
    throw new TextrecError(
      'DIMENSION_MISMATCH',
      `There are ${data.texts.rows} text vectors for ${itemIds.length} items.`,
      'Give one row per item of the tables, in their order.',
    )
  }
  const fitting = timedHistories(data.fitting)
  const training = timedHistories(data.training)
  const fitData: FitData = {
    texts: data.texts,
    coldTexts: data.coldTexts,
    textsWithout: data.textsWithout,
    fitting: fitting.histories,
    training: training.histories,
    validation: data.validation,
    ...(readsTimes(options.encoder)
      ? { times: { kind: data.training.timeKind, fitting: fitting.times, training: training.times } }
      : {}),
  }
  const taught = fitData.fitting.filter((history) => history.length > 1).length
  if (taught < FEWEST_HISTORIES || data.validation.length === 0) {
    throw new TextrecError(
      'NOT_ENOUGH_DATA',
      `Training has ${taught} histories of two items or more and ${data.validation.length} validation cases.`,
      `It takes at least ${FEWEST_HISTORIES} histories and one case; the frozen encoder needs neither.`,
    )
  }
  const worker = new WorkerClient(new URL('./worker.js', import.meta.url), 'Training the adapter')
  try {
    const result = await worker.call<TrainRequest, FitResult, never>(
      'train',
      { data: fitData, options },
      { signal: hooks.signal, onProgress: hooks.onProgress as ((progress: never) => void) | undefined },
    )
    const adapterOf = (fitted: Fitted) =>
      new Adapter(
        { fitted, warmIds: Array.from(fitted.warm, (item) => itemIds[item]), textSpace: data.textSpace },
        options.threads,
      )
    const judged = adapterOf(result.judged)
    const adapter = options.refit ? adapterOf(result.final) : judged
    const { fitted, items, cases } = result.hidden
    return { adapter, judged, hidden: { adapter: adapterOf(fitted), items, cases }, report: result.report }
  } finally {
    await worker.close()
  }
}

/** [people] by person number: what they took, oldest first, each item once, the first time they took it. */
export function historiesOf(table: InteractionTable): Int32Array[] {
  return timedHistories(table).histories
}

/** The same, and when they took each. */
export function timedHistories(table: InteractionTable): {
  readonly histories: Int32Array[]
  readonly times: Float64Array[]
} {
  const histories = table.userIds.map(() => new Int32Array(0))
  const times = table.userIds.map(() => new Float64Array(0))
  let start = 0
  for (let at = 1; at <= table.users.length; at++) {
    if (at < table.users.length && table.users[at] === table.users[start]) continue
    const first = new Map<number, number>()
    for (let row = start; row < at; row++) {
      if (!first.has(table.items[row])) first.set(table.items[row], table.times[row])
    }
    histories[table.users[start]] = Int32Array.from(first.keys())
    times[table.users[start]] = Float64Array.from(first.values())
    start = at
  }
  return { histories, times }
}
