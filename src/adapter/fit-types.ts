import type { TrainingState } from '../onnx/optimizer-session.js'
import type { TestCase } from '../ranking.js'
import type { Matrix, TimeKind } from '../types.js'
import type { Blend } from './blend.js'
import type { BlendTrial } from './choose-blend.js'
import type { Anchors } from './cold.js'
import type { Weights } from './inference.js'
import type { AdapterShape } from './model.js'
import type { Whitening } from './whitening.js'

/** What an adapter learns from, on dense item numbers; histories are oldest first. */
export interface FitData {
  /** [items, text] one text vector per item of the catalogue, zeros where an item has no text. */
  readonly texts: Matrix
  /**
   * [items, text] the same items as they look before anybody has taken or reviewed them; `texts` when absent.
   * Items that are hidden to simulate new ones look like this.
   */
  readonly coldTexts?: Matrix
  /**
   * Each [items, text]: `texts` without what a part of the people wrote, person p being in part p modulo the number
   * of these. Training shows a person the texts without their own part only, or it would learn to tell who wrote
   * what they are led to. Absent where nobody wrote anything.
   */
  readonly textsWithout?: readonly Matrix[]
  /** Histories by person number, without what validation asks for. */
  readonly fitting: readonly Int32Array[]
  /** Histories with it. */
  readonly training: readonly Int32Array[]
  readonly validation: readonly TestCase[]
  /** When the events of `fitting` and `training` were; only for an encoder that reads it. */
  readonly times?: {
    readonly kind: TimeKind
    readonly fitting: readonly Float64Array[]
    readonly training: readonly Float64Array[]
  }
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
