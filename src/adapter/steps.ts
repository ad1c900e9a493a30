import { type Random, random, shuffle } from '../math/random.js'
import type { AdamOptions } from '../onnx/optimizer.js'
import { type Batch, Training, type TrainingState } from '../onnx/optimizer-session.js'
import type { Device, Matrix } from '../types.js'
import { type Candidates, fullCandidates, sampledCandidates } from './candidates.js'
import type { HistoryTimes } from './corpus.js'
import { bucketsOf } from './intervals.js'
import { type AdapterShape, adapterModel } from './model.js'
import { type PackedEvents, packEpoch, rowsOf } from './sequences.js'

/** How an adapter is trained; see TrainOptions for what each means. */
export interface StepOptions {
  readonly seed: number
  readonly rows: number
  readonly learningRate: number
  readonly weightDecay: number
  readonly dropout: number
  /** Share of items whose ID is hidden in a step, so that their text learns to stand alone. */
  readonly idDropout: number
  /** Up to so many warm items all are candidates of every step; beyond, a sample is. */
  readonly fullSoftmaxItems: number
  readonly device: Device
  readonly threads: number
  /**
   * Steps in one run of the graph; when absent 4 for a sample of candidates, whose steps are short, and 1 for all items.
   * Nothing is learnt otherwise, bit for bit; but each run begins and ends with copies of what is trained.
   */
  readonly unroll?: number
}

/** Texts that leave out what a person wrote themselves: nobody may learn to tell them by their words. */
export interface OwnTexts {
  /** Each [items, textDim], whitened: without what one part of the people wrote. */
  readonly texts: readonly Matrix[]
  /** [histories] the part that a history's person is in: the text that it may learn from. */
  readonly part: Int32Array
}

/** The histories of a part of the people, and when their events were, where that is read. */
interface Part {
  readonly histories: readonly Int32Array[]
  readonly times?: readonly Float64Array[]
}

/** Rows of one packed part of the people that make one step. */
interface Step {
  readonly packed: PackedEvents
  readonly from: number
  readonly to: number
  readonly text: number
}

/** Random numbers that dropout masks may start at, beyond the largest mask. */
export const POOL_SLACK = 2 ** 18

/** Steps in one graph where candidates are a sample. */
const UNROLLED_SAMPLES = 4

/** Takes an adapter through its epochs: packs histories, makes batches, steps. */
export class AdapterSteps {
  private constructor(
    private readonly training: Training,
    private readonly unroll: number,
    private readonly candidates: Candidates,
    /** Histories by the text that they may learn from. */
    private readonly parts: readonly Part[],
    private readonly shape: AdapterShape,
    private readonly options: StepOptions,
  ) {}

  /**
   * @param text [items, textDim] whitened, of the whole catalogue
   * @param warm item number of each warm item; ID rows are places in this list
   * @param histories what people took, item numbers, oldest first; every item of them is in `warm`
   * @param own in place of `text`, where people wrote some of it
   * @param when of the events of `histories`, for an encoder that reads it
   */
  static async create(
    shape: AdapterShape,
    text: Matrix,
    warm: Int32Array,
    histories: readonly Int32Array[],
    options: StepOptions,
    state?: TrainingState,
    own: OwnTexts = { texts: [text], part: new Int32Array(histories.length) },
    when?: HistoryTimes,
  ): Promise<AdapterSteps> {
    const { rows, dropout, seed, device, threads, weightDecay } = options
    const candidates =
      warm.length <= options.fullSoftmaxItems
        ? fullCandidates(own.texts, warm)
        : sampledCandidates(own.texts, warm, histories, 2 * rows * shape.length)
    const largest = Math.max(
      candidates.count * shape.hidden,
      rows * shape.length * 2 * shape.dim,
      rows * shape.heads * shape.length ** 2,
    )
    const pool = dropout === 0 ? new Float32Array(0) : dropoutPool(largest + POOL_SLACK, dropout, seed)
    const model = adapterModel(shape, {
      rows,
      candidates: candidates.count,
      dropout,
      pool,
      texts: candidates.texts,
      corrected: candidates.corrected,
    })
    const adam: Partial<AdamOptions> = { weightDecay }
    const unroll = options.unroll ?? (candidates.corrected ? UNROLLED_SAMPLES : 1)
    const training = await Training.create(model, { device, threads, seed, state, adam, unroll })
    const parts = own.texts.map((_, part) => {
      const isMine = (_one: unknown, i: number) => own.part[i] === part
      return { histories: histories.filter(isMine), times: when?.times.filter(isMine) }
    })
    return new AdapterSteps(training, unroll, candidates, parts, shape, options)
  }

  /**
   * One pass over all histories. What it does depends on the seed, the epoch and the state alone, so that a run
   * that was cut off can repeat it.
   * @param around called around each run of a graph, which blocks; may throw to stop
   * @param progress called after each run with the share of the epoch that is done and the mean loss so far
   * @returns the mean loss, and how many events were predicted
   */
  async epoch(
    number: number,
    around: <T>(work: () => Promise<T>) => Promise<T>,
    progress: (share: number, loss: number) => void,
  ): Promise<{ loss: number; events: number }> {
    const { learningRate, seed } = this.options
    const source = random(seed * 100_003 + number)
    const steps = this.plan(source)
    let sum = 0
    let events = 0
    for (let taken = 0; taken < steps.length; ) {
      const some = steps.slice(taken, taken + (steps.length - taken < this.unroll ? 1 : this.unroll))
      const batches = some.map((step) => this.batch(step, source))
      // The first epoch warms up: Adam's early steps are large and rest on few gradients.
      const rates = some.map((_, i) =>
        number === 0 ? (learningRate * (taken + i + 1)) / steps.length : learningRate,
      )
      const results = await around(() => this.training.several(batches, rates))
      for (const [i, { loss }] of results.entries()) {
        const size = batches[i].weights.reduce((total, weight) => total + weight, 0)
        sum += loss * size
        events += size
      }
      taken += some.length
      progress(taken / steps.length, sum / events)
    }
    return { loss: sum / events, events }
  }

  weights(): Promise<{ [parameter: string]: Float32Array }> {
    return this.training.weights()
  }

  state(): Promise<TrainingState> {
    return this.training.state()
  }

  close(): Promise<void> {
    return this.training.close()
  }

  /** The steps of one epoch, of equal size within a part, parts mixed. */
  private plan(source: Random): Step[] {
    const steps = this.parts.flatMap(({ histories, times }, text) => {
      if (histories.length === 0) return []
      const packed = packEpoch(histories, this.shape.length, source, times)
      const count = Math.ceil(packed.rows / this.options.rows)
      const cut = (b: number) => Math.round((b * packed.rows) / count)
      return Array.from({ length: count }, (_, b) => ({ packed, from: cut(b), to: cut(b + 1), text }))
    })
    return this.parts.length === 1 ? steps : shuffle(steps, source)
  }

  private batch(
    { packed, from, to, text }: Step,
    source: Random,
  ): Batch & { readonly weights: Float32Array } {
    const part = rowsOf(packed, from, to, this.options.rows)
    const { times, segments, length } = part
    return {
      ...this.candidates.of(part, source, text),
      segments: part.segments,
      positions: part.positions,
      weights: part.weights,
      ...(times && { intervals: bucketsOf(times, segments, length, this.shape.timeKind) }),
      ...this.draws(source),
    }
  }

  /** Where each dropout mask starts in the pool, and which IDs are hidden. */
  private draws(source: Random): Batch {
    const batch: { [name: string]: BigInt64Array | Float32Array } = {}
    for (const { name } of this.training.definition.batch) {
      if (name.startsWith('dropout')) batch[name] = BigInt64Array.of(BigInt(source.integer(POOL_SLACK)))
    }
    if (this.shape.idCount > 0) {
      const { idDropout } = this.options
      batch.idMask = Float32Array.from({ length: this.candidates.count }, () =>
        Number(source.next() >= idDropout),
      )
    }
    return batch
  }
}

/** Zeros with probability `dropout`, otherwise 1 / (1 - dropout), so that means stay. */
export function dropoutPool(size: number, dropout: number, seed: number): Float32Array {
  const source = random(seed + 0x5eed)
  const kept = 1 / (1 - dropout)
  return Float32Array.from({ length: size }, () => (source.next() < dropout ? 0 : kept))
}
