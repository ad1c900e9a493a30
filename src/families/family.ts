import type { Random } from '../math/random.js'
import type { TrainingModel } from '../onnx/optimizer.js'
import type { Batch } from '../onnx/optimizer-session.js'
import type { Scorer } from '../ranking.js'
import type { Matrix, TimeKind } from '../types.js'
import type { FamilyOptions } from './options.js'

/** Who took what, on dense numbers. */
export interface Pairs {
  /** [pairs] */
  readonly users: Int32Array
  /** [pairs] */
  readonly taken: Int32Array
}

/** What a family learns from: plain data that a worker can be sent. */
export interface FamilyData extends Pairs {
  readonly people: number
  readonly items: number
  /** [pairs] when each was, as in InteractionTable; one person's pairs are in the order of time in any case. */
  readonly times?: Float64Array
  readonly timeKind?: TimeKind
  /** [items, dim] what is known of the items beforehand, such as whitened text; a row of zeros: nothing. */
  readonly vectors?: Matrix
  /**
   * Each [items, dim]: `vectors` without what a part of the people wrote, person p being in part p modulo the number
   * of these. A step is about people of one part and knows the items without it, or a model would learn who wrote what.
   * Absent where nobody wrote anything.
   */
  readonly vectorsWithout?: readonly Matrix[]
  readonly words?: WordTexts
  /** What parameters of these names start from, of a model that learned elsewhere. */
  readonly pretrained?: Weights
}

/** The words of each item's text, as rows of a table of word vectors. */
export interface WordTexts {
  /** [words + 1, dim]; row 0 stands for no word. */
  readonly table: Matrix
  /** Words of one text. */
  readonly length: number
  /** [items, length] the beginning of each text; 0 in front of a shorter one. */
  readonly tokens: Int32Array
  /** Each as `tokens`, without what a part of the people wrote; see FamilyData.vectorsWithout. */
  readonly without?: readonly Int32Array[]
}

export type Weights = { readonly [parameter: string]: Float32Array }

/** A family with its sizes: how a step computes, what it is fed, and how its weights score. */
export interface FamilyModel {
  /** The forward pass down to the loss; all else of a training step is derived from it. */
  readonly training: TrainingModel
  /** The same pass without what is random while training; `training` itself where nothing is. */
  readonly evaluation?: TrainingModel
  /** Over so many steps the learning rate rises to what it is: Adam's first steps are large and rest on few gradients. */
  readonly warmUpSteps?: number
  /** The batches of one pass over `pairs`: those learned from, or those of validation. Drawn anew from `source`. */
  batches(pairs: Pairs, source: Random): Iterable<Batch>
  /** Scores people with these weights. Blocks its thread while it computes. */
  scorer(weights: Weights): Promise<Scorer>
}

/** A way of learning who takes what: a forward pass, its batches and its scorer. The loop is the same for all. */
export interface Family {
  readonly name: string
  /** What this family is trained with where the table of options says otherwise. */
  readonly defaults: Partial<FamilyOptions>
  /**
   * Settings that validation chooses among, line by line: each line is tried on top of what was best so far. Where
   * it cannot choose, the first of each line is taken.
   */
  readonly candidates: readonly (readonly Partial<FamilyOptions>[])[]
  /** Whether it cannot do without `FamilyData.vectors`. */
  readonly needsVectors?: (options: FamilyOptions) => boolean
  /** Whether it cannot do without `FamilyData.words`. */
  readonly needsWords?: true
  prepare(data: FamilyData, options: FamilyOptions): FamilyModel
}
