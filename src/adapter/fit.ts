import { matrix, row } from '../math/matrix.js'
import { random, shuffle } from '../math/random.js'
import { mean } from '../math/statistics.js'
import type { TrainingState } from '../onnx/optimizer-session.js'
import type { TestCase } from '../ranking.js'
import type { Matrix } from '../types.js'
import { type Blend, type BlendShares, NEIGHBOUR_COUNTS } from './blend.js'
import { BLENDS, type BlendTrial, chooseBlend } from './choose-blend.js'
import { type Anchors, headVectors, rowsAt } from './cold.js'
import { hideItems } from './hidden-items.js'
import { Inference, type Weights } from './inference.js'
import { type ItemParts, judgeBlends } from './judge.js'
import type { AdapterShape } from './model.js'
import type { TrainOptions } from './options.js'
import { AdapterSteps } from './steps.js'
import { fitWhitening, type Whitening, whiten } from './whitening.js'

/** What an adapter learns from, on dense item numbers; histories are oldest first. */
export interface FitData {
  /** [items, text] one text vector per item of the catalogue, zeros where an item has no text. */
  readonly texts: Matrix
  /**
   * [items, text] the same items as they look before anybody has taken or reviewed them; `texts` when absent.
   * Items that are hidden to simulate new ones look like this.
   */
  readonly coldTexts?: Matrix
  /** Histories without what validation asks for. */
  readonly fitting: readonly Int32Array[]
  /** Histories with it. */
  readonly training: readonly Int32Array[]
  readonly validation: readonly TestCase[]
}

/** Everything that makes item and person vectors. `warm` lists the items of the ID rows. */
export interface Fitted {
  readonly shape: AdapterShape
  readonly whitening: Whitening
  readonly weights: Weights
  readonly blend: Blend
  readonly warm: Int32Array
  /** What cold items borrow from; rows are those of `warm`. */
  readonly anchors: Anchors
}

/** One epoch of one stage, for the report's curves. */
export interface EpochRecord {
  readonly stage: string
  readonly epoch: number
  readonly loss: number
  /** NDCG@10 of the trained part alone; absent where nothing is validated. */
  readonly validation?: number
  /** Events learned from per second. */
  readonly rate: number
}

export interface FitReport {
  readonly epochs: readonly EpochRecord[]
  readonly ids: boolean
  readonly bestEpoch: number
  /** NDCG@10 on validation: the trained part alone, and the blend that was chosen. */
  readonly validation: { readonly trained: number; readonly blended: number; readonly text: number }
  /** Recall@10 on items hidden on purpose: of the blend that was chosen, and of whitened text alone. */
  readonly cold: { readonly blended: number; readonly text: number }
  /** Every blend that was tried. */
  readonly trials: readonly BlendTrial[]
  readonly blend: Blend
}

export interface FitResult {
  /** Fitted without validation: what the guard compares, and fusion weights are chosen with. */
  readonly judged: Fitted
  /** Fitted on everything, if options.refit; otherwise the same. */
  readonly final: Fitted
  /** Fitted without the items that were hidden: what says how cold items fare. */
  readonly hidden: {
    readonly fitted: Fitted
    readonly items: Int32Array
    readonly cases: readonly TestCase[]
  }
  readonly report: FitReport
}

/** What a run remembers between epochs, in full: going on from it gives the same result. */
export interface FitMemory {
  /** Finished stages, by name. */
  readonly done: { readonly [stage: string]: StageResult }
  /** The stage under way. */
  readonly current?: {
    readonly stage: string
    readonly nextEpoch: number
    readonly best: StageResult
    readonly state: TrainingState
  }
  readonly epochs: readonly EpochRecord[]
}

export interface StageResult {
  /** Epochs trained to get these weights. */
  readonly epochs: number
  readonly validation: number
  readonly weights: Weights
}

export interface FitHooks {
  /** Called around everything that blocks. May throw to stop. */
  step<T>(work: () => Promise<T>): Promise<T>
  progress(stage: string, epoch: number, share: number, figures: { [name: string]: number }): void
  /** After each epoch. */
  save(memory: FitMemory): Promise<void>
}

/** Validation cases beyond this many are sampled: the figure is good enough and the time is not. */
const MOST_CASES = 5000
/** The same where there are hundreds of blends to judge: cases times items, and the least number of cases. */
const MOST_SCORES = 10_000_000
const LEAST_CASES = 500

/**
 * Trains an adapter: chooses epochs (and whether to use IDs) on validation, then the blend on validation and on
 * items hidden from a second run, then trains on everything.
 * @throws NOT_ENOUGH_DATA for too few items with text
 */
export async function fitAdapter(
  data: FitData,
  options: TrainOptions,
  hooks: FitHooks,
  memory: FitMemory = { done: {}, epochs: [] },
): Promise<FitResult> {
  const run = new Run(data, options, hooks, memory)
  try {
    return await run.all()
  } finally {
    await run.close()
  }
}

class Run {
  private readonly validation: readonly TestCase[]
  private inference: { readonly key: string; readonly value: Inference } | undefined

  constructor(
    private readonly data: FitData,
    private readonly options: TrainOptions,
    private readonly hooks: FitHooks,
    private memory: FitMemory,
  ) {
    this.validation = sample(data.validation, MOST_CASES, options.seed)
  }

  async all(): Promise<FitResult> {
    const { data, options } = this
    const fitting = this.corpus(data.fitting)
    const choices = options.ids === 'auto' ? [false, true] : [options.ids === 'on']
    const results: StageResult[] = []
    for (const ids of choices) results.push(await this.stage(ids ? 'text + ids' : 'text', fitting, ids))
    const winner = results[1]?.validation > results[0].validation ? 1 : 0
    const [ids, best] = [choices[winner], results[winner]]
    const cold = await this.hiddenRun(ids, best.epochs)
    const ndcg: Float64Array[] = []
    const coldRecall: Float64Array[] = []
    let textRecall: Float64Array = new Float64Array(0)
    for (const neighbours of NEIGHBOUR_COUNTS) {
      const blends = BLENDS.filter((blend) => blend.neighbours === neighbours)
      const vectors = await this.vectors(fitting, ids, best.weights, neighbours)
      ndcg.push(...(await this.judge(vectors, this.affordable(this.validation), 'ndcg', blends)))
      const coldVectors = await this.vectors(cold.corpus, ids, cold.weights, neighbours)
      const asked = [...blends, TEXT_ALONE]
      coldRecall.push(...(await this.judge(coldVectors, this.affordable(cold.cases), 'recall', asked)))
      textRecall = coldRecall.pop()!
    }
    const { chosen: blend, trials } = chooseBlend(
      BLENDS,
      ndcg,
      coldRecall,
      textRecall.length === 0 ? 0 : mean(textRecall),
    )
    const hidden = {
      fitted: await this.fitted(cold.corpus, ids, cold.weights, blend),
      items: cold.hidden,
      cases: cold.cases,
    }
    const judged = await this.fitted(fitting, ids, best.weights, blend)
    let final = judged
    if (options.refit) {
      const training = this.corpus(data.training)
      const { weights } = await this.stage('everything', training, ids, best.epochs)
      final = await this.fitted(training, ids, weights, blend)
    }
    const compared = [blend, HEAD_ALONE, TEXT_ALONE]
    const vectors = await this.vectors(fitting, ids, best.weights, blend.neighbours)
    const [blended, , text] = (await this.judge(vectors, this.validation, 'ndcg', compared)).map(mean)
    const coldVectors = await this.vectors(cold.corpus, ids, cold.weights, blend.neighbours)
    const recalls = (await this.judge(coldVectors, cold.cases, 'recall', compared)).map(mean)
    const report: FitReport = {
      epochs: this.memory.epochs,
      ids,
      bestEpoch: best.epochs,
      validation: { trained: best.validation, blended, text },
      cold: { blended: recalls[0] || 0, text: recalls[2] || 0 },
      trials,
      blend,
    }
    return { judged, final, hidden, report }
  }

  async close(): Promise<void> {
    await this.inference?.value.close()
  }

  /** Hides items at random and trains on the rest: the model that is asked how cold items are best scored. */
  private async hiddenRun(ids: boolean, epochs: number) {
    const { data, options } = this
    const { hidden, visible, cases } = hideItems(data.fitting, options.coldShare, options.seed)
    const corpus = this.corpus(visible, withColdTexts(data.texts, data.coldTexts, hidden))
    const { weights } = await this.stage('cold items', corpus, ids, epochs)
    return { corpus, weights, hidden, cases: sample(cases, MOST_CASES, options.seed) }
  }

  /** As many cases as can be judged under every blend in a short time. */
  private affordable(cases: readonly TestCase[]): readonly TestCase[] {
    const most = Math.max(LEAST_CASES, Math.floor(MOST_SCORES / this.data.texts.rows))
    return sample(cases, most, this.options.seed)
  }

  /**
   * Trains from the start, early stopped on validation, or for exactly `epochs`. A finished stage is taken from
   * memory, an interrupted one is gone on with.
   */
  private async stage(name: string, corpus: Corpus, ids: boolean, epochs?: number): Promise<StageResult> {
    const finished = this.memory.done[name]
    if (finished !== undefined) return finished
    const { options, hooks } = this
    const under = this.memory.current?.stage === name ? this.memory.current : undefined
    const shape = this.shape(corpus, ids)
    const { white, warm, histories } = corpus
    const steps = await hooks.step(() =>
      AdapterSteps.create(shape, white, warm, histories, options, under?.state),
    )
    let best: StageResult = under?.best ?? { epochs: 0, validation: -1, weights: {} }
    try {
      const last = epochs ?? options.epochs
      for (let epoch = under?.nextEpoch ?? 0; epoch < last; epoch++) {
        const started = performance.now()
        const { loss, events } = await steps.epoch(epoch, hooks.step, (share, mean) =>
          hooks.progress(name, epoch, share, { loss: mean }),
        )
        const seconds = (performance.now() - started) / 1000
        const record = { stage: name, epoch, loss, rate: Math.round(events / seconds) }
        const weights = await hooks.step(() => steps.weights())
        if (epochs !== undefined) {
          best = { epochs: epoch + 1, validation: 0, weights }
          this.remember([record])
        } else {
          const vectors = await this.vectors(corpus, ids, weights, 0)
          const validation = mean((await this.judge(vectors, this.validation, 'ndcg', [HEAD_ALONE]))[0])
          if (validation > best.validation) best = { epochs: epoch + 1, validation, weights }
          this.remember([{ ...record, validation }])
          hooks.progress(name, epoch, 1, { loss, validation, best: best.validation })
        }
        if (epochs === undefined && epoch + 1 - best.epochs >= options.patience) break
        if (epoch + 1 < last) {
          const state = await hooks.step(() => steps.state())
          this.memory = { ...this.memory, current: { stage: name, nextEpoch: epoch + 1, best, state } }
          await hooks.save(this.memory)
        }
      }
    } finally {
      await steps.close()
    }
    this.memory = { done: { ...this.memory.done, [name]: best }, epochs: this.memory.epochs }
    await hooks.save(this.memory)
    return best
  }

  private remember(records: readonly EpochRecord[]): void {
    this.memory = { ...this.memory, epochs: [...this.memory.epochs, ...records] }
  }

  private corpus(histories: readonly Int32Array[], texts = this.data.texts): Corpus {
    const warm = Int32Array.from(new Set(histories.flatMap((history) => [...history]))).sort()
    const whitening = fitWhitening(texts, warm, this.options.textDim)
    const usable = histories.filter((history) => history.length > 1)
    return { histories: usable, warm, whitening, white: whiten(whitening, texts) }
  }

  private shape({ white, warm }: Corpus, ids: boolean): AdapterShape {
    const { dim, hidden, layers, heads, length, encoder } = this.options
    const idCount = ids ? warm.length : 0
    return { textDim: white.dim, dim, hidden, layers, heads, length, encoder, idCount }
  }

  private async fitted(corpus: Corpus, ids: boolean, weights: Weights, blend: Blend): Promise<Fitted> {
    const { whitening, warm } = corpus
    const { anchors } = await this.vectors(corpus, ids, weights, 0)
    return { shape: this.shape(corpus, ids), whitening, weights, blend, warm, anchors }
  }

  /** The vectors of the whole catalogue under one state of the model. */
  private async vectors(
    corpus: Corpus,
    ids: boolean,
    weights: Weights,
    neighbours: number,
  ): Promise<Vectors> {
    const inference = await this.open(this.shape(corpus, ids))
    const { white, warm } = corpus
    const { step } = this.hooks
    const index = idIndex(warm, white.rows)
    const places = Int32Array.from(warm.keys())
    const warmWhite = rowsAt(white, warm)
    const warmHead = await step(() => inference.itemVectors(weights, warmWhite, places))
    const anchors = { white: warmWhite, head: warmHead }
    const head = await headVectors(inference, weights, white, index, anchors, neighbours, step)
    const isWarm = Uint8Array.from(index, (place) => Number(place >= 0))
    return { inference, weights, anchors, parts: { white, head, isWarm } }
  }

  private judge(
    { inference, weights, parts }: Vectors,
    cases: readonly TestCase[],
    metric: 'ndcg' | 'recall',
    blends: readonly BlendShares[],
  ): Promise<Float64Array[]> {
    return judgeBlends(inference, weights, parts, cases, blends, metric, this.hooks.step)
  }

  private async open(shape: AdapterShape): Promise<Inference> {
    const key = JSON.stringify(shape)
    if (this.inference?.key !== key) {
      const old = this.inference
      this.inference = undefined
      await old?.value.close()
      const value = await this.hooks.step(() => Inference.open(shape, this.options.threads))
      this.inference = { key, value }
    }
    return this.inference.value
  }
}

const HEAD_ALONE: BlendShares = { warm: 1, cold: 1 }
const TEXT_ALONE: BlendShares = { warm: 0, cold: 0 }

interface Vectors {
  readonly inference: Inference
  readonly weights: Weights
  readonly anchors: Anchors
  readonly parts: ItemParts
}

/** Histories with what they need around them. */
interface Corpus {
  readonly histories: readonly Int32Array[]
  /** Items with interactions, ascending. */
  readonly warm: Int32Array
  readonly whitening: Whitening
  /** [items, textDim] */
  readonly white: Matrix
}

/** `texts` with the rows of the hidden items as they look before anybody has taken them. */
export function withColdTexts(texts: Matrix, coldTexts: Matrix | undefined, hidden: Int32Array): Matrix {
  if (coldTexts === undefined) return texts
  const mixed = matrix(texts.rows, texts.dim, texts.data.slice())
  for (const item of hidden) row(mixed, item).set(row(coldTexts, item))
  return mixed
}

/** [items] place among the warm items, -1 for the cold ones. */
export function idIndex(warm: Int32Array, items: number): Int32Array {
  const index = new Int32Array(items).fill(-1)
  for (let i = 0; i < warm.length; i++) index[warm[i]] = i
  return index
}

function sample(cases: readonly TestCase[], most: number, seed: number): readonly TestCase[] {
  if (cases.length <= most) return cases
  return shuffle([...cases], random(seed + 0xca5e)).slice(0, most)
}
