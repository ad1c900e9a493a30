import { boolean, choice, integer, number, type OptionTable, optional, text } from '../options.js'
import type { Device } from '../types.js'
import type { AdapterShape } from './model.js'

export interface TrainOptions {
  /** Decides every random choice: the same seed, data and device give the same adapter. */
  readonly seed: number
  /** Passes over all histories, at most. */
  readonly epochs: number
  /** Stop after so many epochs without a better validation NDCG@10. */
  readonly patience: number
  /**
   * Whether items have an ID embedding beside their text; 'auto' trains both ways and asks validation. With IDs a
   * model needs half the epochs on catalogues with many interactions, and was nowhere worse by more than noise.
   */
  readonly ids: 'auto' | 'on' | 'off'
  /** How a history becomes a person's vector. */
  readonly encoder: AdapterShape['encoder']
  /** Numbers in the trained part of a vector; a multiple of `heads`. */
  readonly dim: number
  /** Directions of whitened text that are kept. */
  readonly textDim: number
  /** Hidden numbers of the item head. */
  readonly hidden: number
  readonly layers: number
  readonly heads: number
  /** Events that the person encoder reads: the newest ones. 32, and 200 where 'encoder' is 'sasrec-long'. */
  readonly length: number
  /** Rows of `length` events per step. 32, and 8 where 'encoder' is 'sasrec-long'. */
  readonly rows: number
  readonly learningRate: number
  readonly weightDecay: number
  readonly dropout: number
  /** Share of IDs hidden in each step. */
  readonly idDropout: number
  /** Share of items hidden in the run that decides how cold items are scored. */
  readonly coldShare: number
  /** Most items for which every step's softmax goes over all of them. */
  readonly fullSoftmaxItems: number
  /** Train once more on everything, validation included, for as many epochs as were best. */
  readonly refit: boolean
  readonly device: Device
  /** CPU threads; 0 lets ONNX Runtime choose. */
  readonly threads: number
  /**
   * Folder for a checkpoint after each epoch; a later run with the same inputs goes on from it. It stays when the
   * training is over, for the caller to remove: what is done with the adapter may be cut off too.
   */
  readonly checkpoint: string | undefined
}

export const ENCODERS: readonly AdapterShape['encoder'][] = ['sasrec', 'sasrec-long', 'gru', 'mean']

export const TRAIN_OPTIONS: OptionTable<TrainOptions> = {
  seed: integer(1, 0, 2 ** 31),
  epochs: integer(60, 1, 10_000),
  patience: integer(6, 1, 10_000),
  ids: choice('on', ['auto', 'on', 'off']),
  encoder: choice('sasrec', ENCODERS),
  dim: integer(128, 2, 4096),
  textDim: integer(256, 1, 4096),
  hidden: integer(256, 1, 8192),
  layers: integer(2, 1, 12),
  heads: integer(2, 1, 64),
  length: integer(32, 2, 1024),
  rows: integer(32, 1, 4096),
  learningRate: number(2e-3, 1e-6, 1),
  weightDecay: number(0.01, 0, 1),
  dropout: number(0.3, 0, 0.9),
  idDropout: number(0.3, 0, 1),
  coldShare: number(0.1, 0.01, 0.5),
  fullSoftmaxItems: integer(50_000, 0, 10_000_000),
  refit: boolean(true),
  device: choice('cpu', ['cpu', 'webgpu', 'cuda']),
  threads: integer(0, 0, 1024),
  checkpoint: optional(text('')),
}

/** Defaults of their own that some encoders have. */
const ENCODER_DEFAULTS: { readonly [encoder in AdapterShape['encoder']]?: Partial<TrainOptions> } = {
  'sasrec-long': { length: 200, rows: 8 },
}

/** `options` with the defaults of their encoder, where the caller has `given` nothing else. */
export function withEncoderDefaults<O extends Pick<TrainOptions, 'encoder' | 'length' | 'rows'>>(
  options: O,
  given: Partial<O>,
): O {
  const own = Object.entries(ENCODER_DEFAULTS[options.encoder] ?? {})
  return { ...options, ...Object.fromEntries(own.filter(([name]) => given[name as keyof O] === undefined)) }
}
