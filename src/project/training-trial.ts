import { join } from 'node:path'
import {
  type Adapter,
  type AdapterData,
  adapterScorer,
  hideItems,
  historiesOf,
  type TrainedAdapter,
  trainAdapter,
  withColdTexts,
} from '../adapter/index.js'
import {
  type CollaborativeParameters,
  type CollaborativeScorer,
  fitCollaborative,
  fitScorer,
} from '../collaborative/index.js'
import type { Encoder } from '../encode/index.js'
import { isTextrecError, throwIfAborted } from '../errors.js'
import { requireHonestSplit, type Split, textMeanScorer } from '../evaluate/index.js'
import { selectRows } from '../evaluate/table.js'
import { random, shuffle } from '../math/random.js'
import { chooseDevice } from '../onnx/device.js'
import type { Scorer, TestCase } from '../ranking.js'
import { TASTE } from '../recommend/person.js'
import { defaultParameters, SERVING_DEFAULTS } from '../recommend/serving.js'
import type { Store } from '../store/index.js'
import type { Device, InteractionTable, Matrix, OnProgress } from '../types.js'
import { chooseDecay } from './decay-choice.js'
import { type FusionTrial, judgeFusions } from './fusion-choice.js'
import type { Contender } from './guard.js'
import { textSpace } from './item-vectors.js'
import { KnownTexts } from './known-texts.js'
import { unseenAdapter } from './live-contender.js'
import type { LiveState } from './live-index.js'
import { textsWithoutOwn } from './own-reviews.js'
import { trainingFolder } from './retraining.js'
import type { TrainCallOptions } from './training-options.js'
import { chooseDirections } from './whitening-choice.js'

/** More validation cases than this are sampled: the intervals are narrow enough, and rankings cost time. */
const MOST_CASES = 5000

export interface TrialSource {
  readonly store: Store
  readonly live: LiveState
  readonly encoder: Encoder
  /** Its test cases are what this training validates with; its training table is what it may fit on. */
  readonly split: Split
  readonly options: TrainCallOptions
}

/** One training before anything is decided: what was trained, and what everything reached on validation. */
export interface Trial {
  readonly trained: TrainedAdapter | undefined
  readonly collaborative: CollaborativeParameters
  /** How much an event counts beside the next newer one where text is served as it is. */
  readonly decay: number
  /** What may be published. */
  readonly candidates: readonly Contender[]
  /** What has to be beaten. */
  readonly against: readonly Contender[]
  readonly cases: number
  readonly coldCases: number
  readonly device: Device
  readonly notes: readonly string[]
  close(): Promise<void>
}

/**
 * Trains the adapter, fits the collaborative scorer, and judges them, alone and together, with what is live.
 * @throws LEAK_FOUND before anything is learned if the split shows what it will ask for
 */
export async function runTrial(source: TrialSource): Promise<Trial> {
  const run = new TrialRun(source)
  try {
    return await run.all()
  } catch (error) {
    await run.close()
    throw error
  }
}

/** Scorers of one set of cases, which must never have seen their targets. */
interface Judging {
  readonly cases: readonly TestCase[]
  readonly metric: 'ndcg' | 'recall'
  readonly texts: Matrix
  readonly table: InteractionTable
  readonly adapter: Adapter | undefined
  readonly collaborative: CollaborativeScorer
}

class TrialRun {
  private readonly notes: string[] = []
  private readonly opened: { close(): Promise<void> }[] = []

  constructor(private readonly source: TrialSource) {}

  async all(): Promise<Trial> {
    const { store, encoder, split, options } = this.source
    const { seed, signal, threads } = options
    requireHonestSplit(split)
    const { fingerprint, dim } = encoder
    const onProgress = options.onProgress as OnProgress | undefined
    const known = new KnownTexts(
      { store, fingerprint, dim, encoder: async () => encoder, signal, onProgress },
      split.table,
    )
    // Reviews that validation asks about are in no vector; a new item has no reviews at all.
    const texts = await known.vectors(split.heldOut)
    const coldTexts = await known.vectors(split.heldOut, () => false)
    const device = chooseDevice(options.device).chosen
    const textsWithout = await textsWithoutOwn(known, split.heldOut, split.table)
    const trained = await this.train({ texts, coldTexts, textsWithout }, device)
    const fitting = split.training
    const context = { training: fitting, fitting, validation: split.test, seed, signal, onProgress }
    const { scorer } = await fitCollaborative(context, 'auto', { threads })
    const warm: Judging = {
      cases: sample(split.test, seed),
      metric: 'ndcg',
      texts,
      table: fitting,
      adapter: trained?.judged,
      collaborative: scorer,
    }
    const { coldShare } = options
    const hidden = trained?.hidden ?? hiddenItems(fitting, coldShare, seed)
    const isHidden = new Uint8Array(fitting.itemIds.length)
    for (const item of hidden.items) isHidden[item] = 1
    const visible = selectRows(fitting, (row) => isHidden[fitting.items[row]] === 0)
    const cold: Judging = {
      cases: hidden.cases,
      metric: 'recall',
      texts: withColdTexts(texts, coldTexts, hidden.items),
      table: visible,
      adapter: trained?.hidden.adapter,
      collaborative: await fitScorer(visible, scorer.parameters, { threads, signal }),
    }
    const decay = await chooseDecay(texts, warm.cases, () => throwIfAborted(signal, 'Training'))
    const [overall, onCold] = [await this.judgeAll(warm, decay), await this.judgeAll(cold, decay)]
    const live = await this.judgeLive(warm, cold, onCold.fusions)
    const contenders = overall.fusions.map((one, i) => contender(one, onCold.fusions[i]))
    return {
      trained,
      collaborative: scorer.parameters,
      decay,
      // Frozen text as it is, is what there is without any training.
      candidates: contenders.filter(({ name }) => name !== 'frozen'),
      against: [
        ...contenders.filter(({ name }) => name === 'frozen'),
        { name: 'collaborative', share: 1, overall: overall.alone, cold: onCold.alone },
        ...(live === undefined ? [] : [live]),
      ],
      cases: warm.cases.length,
      coldCases: cold.cases.length,
      device,
      notes: this.notes,
      close: () => this.close(),
    }
  }

  async close(): Promise<void> {
    for (const one of this.opened.splice(0)) await one.close()
  }

  private async train(
    texts: Pick<AdapterData, 'texts' | 'coldTexts' | 'textsWithout'>,
    device: Device,
  ): Promise<TrainedAdapter | undefined> {
    const { store, encoder, split, options } = this.source
    const { signal, onProgress, minRating: _, report: __, model: ___, ...adapterOptions } = options
    const data = {
      ...texts,
      textSpace: textSpace(encoder),
      training: split.table,
      fitting: split.training,
      validation: split.test,
    }
    try {
      const textDim = options.textDim ?? (await chooseDirections(texts.texts, split.training, split.test))
      const trained = await trainAdapter(
        data,
        {
          ...adapterOptions,
          textDim,
          device,
          checkpoint: join(trainingFolder(store.directory), 'checkpoint'),
        },
        { signal, onProgress: onProgress as OnProgress | undefined },
      )
      this.opened.push(trained.adapter, trained.judged, trained.hidden.adapter)
      return trained
    } catch (error) {
      if (!isTextrecError(error) || error.code !== 'NOT_ENOUGH_DATA') throw error
      this.notes.push(`No adapter was trained: ${error.fact}`)
      return undefined
    }
  }

  /** Every way of putting text and collaborative scores together, and the collaborative scores alone. */
  private async judgeAll({ cases, metric, texts, table, adapter, collaborative }: Judging, decay: number) {
    const scorers: Scorer[] = [await textMeanScorer('frozen', texts, decay)]
    if (adapter !== undefined) scorers.unshift(await adapterScorer(adapter, texts, table.itemIds))
    const onBatch = this.onBatch(cases.length)
    const fusions = await judgeFusions(scorers, collaborative, cases, metric, { onBatch })
    const [alone] = await judgeFusions([collaborative], undefined, cases, metric, { onBatch })
    for (const scorer of scorers) await scorer.close?.()
    return { fusions, alone }
  }

  /**
   * What is live, fitted on what validation leaves, unless its adapter has seen the validation rows.
   * @param onCold of what was trained here, without the items that are hidden
   */
  private async judgeLive(
    warm: Judging,
    cold: Judging,
    onCold: readonly FusionTrial[],
  ): Promise<Contender | undefined> {
    const { store, live, split, options } = this.source
    const { model } = live
    const { threads, signal } = options
    const settings = model?.settings ?? SERVING_DEFAULTS
    const { collaborativeShare: share, collaborative, decay = TASTE.decay } = settings
    const found =
      model?.adapter === undefined ? undefined : await unseenAdapter(store.directory, model, split, threads)
    if (found !== undefined && found.adapter === undefined) {
      this.notes.push(found.why)
      return undefined
    }
    if (found?.adapter !== undefined) this.opened.push(found.adapter)
    const judge = async ({ cases, metric, texts, table }: Judging) => {
      const parameters = collaborative ?? defaultParameters(new Set(table.items).size)
      const scorer = await fitScorer(table, parameters, { threads, signal })
      const text =
        found?.adapter === undefined
          ? await textMeanScorer('live', texts, decay)
          : await adapterScorer(found.adapter, texts, table.itemIds, 'live')
      const [trial] = await judgeFusions([text], scorer, cases, metric, { shares: [share] })
      await text.close?.()
      return trial
    }
    if (found === undefined) {
      const hidden = cold.cases.length > 0 ? await judge(cold) : undefined
      return { name: 'what is live', share, overall: await judge(warm), cold: hidden }
    }
    // A live adapter knows the items that are hidden here: one that was trained alike, without them, stands in for it.
    // Otherwise whatever is a little better with items that are known could replace it, however bad with new ones.
    const alike = onCold.find((one) => one.text === 'adapter' && one.share === share)
    const hidden = alike === undefined || alike.perPerson.length === 0 ? undefined : alike
    return { name: 'what is live', share, overall: await judge(warm), cold: hidden }
  }

  private onBatch(total: number): () => void {
    const { signal } = this.source.options
    const onProgress = this.source.options.onProgress as OnProgress | undefined
    let done = 0
    return () => {
      throwIfAborted(signal, 'Training')
      onProgress?.({ stage: 'judge', done: Math.min(total, done), total, unit: 'rankings' })
      done += 64
    }
  }
}

function contender(overall: FusionTrial, cold: FusionTrial): Contender {
  const { text, share } = overall
  const name = share === 0 ? text : `${text} + ${Math.round(100 * share)} % collaborative`
  return { name, share, overall, cold: cold.perPerson.length === 0 ? undefined : cold }
}

function hiddenItems(table: InteractionTable, share: number, seed: number) {
  const { hidden, cases } = hideItems(historiesOf(table), share, seed)
  return { items: hidden, cases: sample(cases, seed) }
}

function sample(cases: readonly TestCase[], seed: number): readonly TestCase[] {
  return cases.length <= MOST_CASES ? cases : shuffle([...cases], random(seed)).slice(0, MOST_CASES)
}
