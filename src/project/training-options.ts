import { TRAIN_OPTIONS, type TrainOptions } from '../adapter/index.js'
import { choice, longRunning, number, type OptionTable, optional, text } from '../options.js'
import type { DeviceChoice } from '../types.js'
import type { LongOptions } from './defaults.js'
import { TRAINABLE_NAMES, type TrainableModel } from './trainable-models.js'

/** Everything of the adapter's training (see TrainOptions), and what is decided around it. */
export interface TrainCallOptions
  extends LongOptions,
    Omit<TrainOptions, 'checkpoint' | 'device' | 'refit' | 'textDim'> {
  readonly device: DeviceChoice
  /** What to train, by name (see TRAINABLE_MODELS); 'encoder' and 'ids' decide when absent: sasrec, as they stand. */
  readonly model: TrainableModel | undefined
  /** Directions of whitened text that are kept; chosen on validation when absent. */
  readonly textDim: number | undefined
  /** From which rating an interaction counts as liked. The middle of the catalogue's own scale when absent. */
  readonly minRating: number | undefined
  /** File for a report in HTML, with curves, that needs no network. */
  readonly report: string | undefined
}

const { checkpoint: _, device: __, refit: ___, ...adapterOptions } = TRAIN_OPTIONS

export const TRAIN: OptionTable<TrainCallOptions> = {
  ...adapterOptions,
  ...(longRunning as OptionTable<LongOptions>),
  textDim: optional(TRAIN_OPTIONS.textDim),
  device: choice('auto', ['auto', 'cpu', 'webgpu', 'cuda']),
  model: optional(choice<TrainableModel>('sasrec', TRAINABLE_NAMES)),
  minRating: optional(number(0, -1e9, 1e9)),
  report: optional(text('')),
}
