import { mean } from '../math/statistics.js'
import type { TestCase } from '../ranking.js'
import type { Blend, BlendPath, BlendShares } from './blend.js'
import { type Anchors, headVectors, rowsAt } from './cold.js'
import { type Corpus, idIndex } from './corpus.js'
import type { EpochRecord, FitHooks, FitMemory, Fitted, StageResult } from './fit-types.js'
import { Inference, type Weights } from './inference.js'
import { type ItemParts, judgeBlends, type Metric } from './judge.js'
import type { AdapterShape } from './model.js'
import type { TrainOptions } from './options.js'
import { AdapterSteps } from './steps.js'

/** The trained part of the vectors, and the whitened text, each on its own. */
export const HEAD_ALONE: BlendShares = { warm: 1, cold: 1 }
export const TEXT_ALONE: BlendShares = { warm: 0, cold: 0 }

/** The model as it is trained. */
const ENCODER_ALONE: BlendPath = { neighbours: 0, mean: 0 }

/** How long a stage trains: until validation has had no better epoch for a while, or so many epochs. */
export type Until = { readonly validation: readonly TestCase[] } | { readonly epochs: number }

/** All vectors of a catalogue under one state of a model, ready to be judged. */
export interface Vectors {
  readonly inference: Inference
  readonly weights: Weights
  readonly anchors: Anchors
  readonly parts: ItemParts
}

/** Trains models one after the other, remembers where it was, and computes and judges their vectors. */
export class Stages {
  private inference: { readonly key: string; readonly value: Inference } | undefined

  /** @param memory what an interrupted run remembered */
  constructor(
    private readonly options: TrainOptions,
    private readonly hooks: FitHooks,
    private memory: FitMemory,
  ) {}

  /** All epochs so far, of all stages. */
  get epochs(): readonly EpochRecord[] {
    return this.memory.epochs
  }

  /** Trains a model from its start. A finished stage is taken from memory, an interrupted one is gone on with. */
  async train(name: string, corpus: Corpus, ids: boolean, until: Until): Promise<StageResult> {
    const finished = this.memory.done[name]
    if (finished !== undefined) return finished
    const { options, hooks } = this
    const under = this.memory.current?.stage === name ? this.memory.current : undefined
    const { white, warm, histories, own, when } = corpus
    const shape = this.shape(corpus, ids)
    const steps = await hooks.step(() =>
      AdapterSteps.create(shape, white, warm, histories, options, under?.state, own, when),
    )
    let best: StageResult = under?.best ?? { epochs: 0, validation: -1, weights: {} }
    try {
      const last = 'epochs' in until ? until.epochs : options.epochs
      for (let epoch = under?.nextEpoch ?? 0; epoch < last; epoch++) {
        const started = performance.now()
        const { loss, events } = await steps.epoch(epoch, hooks.step, (share, meanLoss) =>
          hooks.progress(name, epoch, share, { loss: meanLoss }),
        )
        const seconds = (performance.now() - started) / 1000
        const record = { stage: name, epoch, loss, rate: Math.round(events / seconds) }
        const weights = await hooks.step(() => steps.weights())
        if ('epochs' in until) {
          best = { epochs: epoch + 1, validation: 0, weights }
          this.remember(record)
        } else {
          const vectors = await this.vectors(corpus, ids, weights, ENCODER_ALONE)
          const validation = mean((await this.judge(vectors, until.validation, 'ndcg', [HEAD_ALONE]))[0])
          // Where nothing can be asked the figure is no number: the first epoch then stands.
          if (best.epochs === 0 || validation > best.validation)
            best = { epochs: epoch + 1, validation, weights }
          this.remember({ ...record, validation })
          hooks.progress(name, epoch, 1, { loss, validation, best: best.validation })
          if (epoch + 1 - best.epochs >= options.patience) break
        }
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

  async vectors(corpus: Corpus, ids: boolean, weights: Weights, path: BlendPath): Promise<Vectors> {
    const inference = await this.open(this.shape(corpus, ids))
    const { white, warm } = corpus
    const { step } = this.hooks
    const index = idIndex(warm, white.rows)
    const places = Int32Array.from(warm.keys())
    const warmWhite = rowsAt(white, warm)
    const warmHead = await step(() => inference.itemVectors(weights, warmWhite, places))
    const anchors = { white: warmWhite, head: warmHead }
    const head = await headVectors(inference, weights, white, index, anchors, path.neighbours, step)
    const isWarm = Uint8Array.from(index, (place) => Number(place >= 0))
    return { inference, weights, anchors, parts: { white, head, isWarm, mean: path.mean } }
  }

  /** One value per person under each blend; see `judgeBlends`. */
  judge(
    { inference, weights, parts }: Vectors,
    cases: readonly TestCase[],
    metric: Metric,
    blends: readonly BlendShares[],
  ): Promise<Float64Array[]> {
    return judgeBlends(inference, weights, parts, cases, blends, metric, this.hooks.step)
  }

  async fitted(corpus: Corpus, ids: boolean, weights: Weights, blend: Blend): Promise<Fitted> {
    const { whitening, warm } = corpus
    const { anchors } = await this.vectors(corpus, ids, weights, ENCODER_ALONE)
    return { shape: this.shape(corpus, ids), whitening, weights, blend, warm, anchors }
  }

  async close(): Promise<void> {
    await this.inference?.value.close()
  }

  private remember(record: EpochRecord): void {
    this.memory = { ...this.memory, epochs: [...this.memory.epochs, record] }
  }

  private shape({ white, warm, when }: Pick<Corpus, 'white' | 'warm' | 'when'>, ids: boolean): AdapterShape {
    const { dim, hidden, layers, heads, length, encoder } = this.options
    const idCount = ids ? warm.length : 0
    const shape = { textDim: white.dim, dim, hidden, layers, heads, length, encoder, idCount }
    return when === undefined ? shape : { ...shape, timeKind: when.kind }
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
