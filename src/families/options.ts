import { choice, integer, number, type OptionTable } from '../options.js'
import type { Device } from '../types.js'

/** What every family is trained with; a family reads what it has a use for. */
export interface FamilyOptions {
  /** Decides every random choice: the same seed, data and device give the same model. */
  readonly seed: number
  /** Numbers per person and per item. */
  readonly factors: number
  /** Layers of propagation (LightGCN), of the perceptron (NeuMF), or of what reads the events. */
  readonly layers: number
  /** Passes over all pairs, at most. */
  readonly epochs: number
  /** Passes where there is no validation to say when to stop. */
  readonly blindEpochs: number
  /** Stop after so many epochs without a better validation NDCG@10. */
  readonly patience: number
  /** Pairs (events, people) in one step; fewer where the table has fewer. */
  readonly batch: number
  /** Items drawn for each pair that the person does not have. */
  readonly negatives: number
  readonly learningRate: number
  /** Weight of the squared length of what a pair touches. */
  readonly regularization: number
  /** Decoupled decay of every matrix, times the learning rate (AdamW). */
  readonly weightDecay: number
  /** The global norm that gradients are scaled down to; 0 leaves them alone. */
  readonly clipNorm: number
  /** How tables that could start from vectors made beforehand do start, and whether the items' table then learns. */
  readonly start: 'fine-tuned' | 'frozen' | 'random'
  /** What RecommenderNet makes small: the cross entropy of a sigmoid, or the squared error. */
  readonly loss: 'bce' | 'mse'
  /** What a sequence model knows an item by: its text, an ID embedding of its own, or both. */
  readonly inputs: 'both' | 'text' | 'ids'
  /** Hidden numbers of the perceptron through which a sequence model reads text; 0: twice `factors`. */
  readonly hidden: number
  /** Events that a sequence model reads: the newest ones. */
  readonly length: number
  /** Heads of attention; `factors` is a multiple of it. */
  readonly heads: number
  readonly dropout: number
  /** Share of IDs hidden in each step of a model that has text too. */
  readonly idDropout: number
  /** Share of what a pretrained model started from in the weights that score; 0 keeps what was learned here alone. */
  readonly keep: number
  /** Likes, at most, that a person is known by while meta-learning. */
  readonly support: number
  /** Steps by which meta-learning adapts a person. */
  readonly innerSteps: number
  /** Words of a text that a model of words reads, from its beginning. */
  readonly words: number
  /** Most items for which every step's softmax goes over all of them. */
  readonly fullSoftmaxItems: number
  readonly device: Device
  /** CPU threads; 0 lets ONNX Runtime choose. */
  readonly threads: number
}

export const FAMILY_OPTIONS: OptionTable<FamilyOptions> = {
  seed: integer(1, 0, 2 ** 31),
  factors: integer(64, 1, 4096),
  layers: integer(3, 1, 12),
  epochs: integer(100, 1, 10_000),
  blindEpochs: integer(40, 1, 10_000),
  patience: integer(5, 1, 10_000),
  batch: integer(1024, 1, 1_000_000),
  negatives: integer(1, 1, 1000),
  learningRate: number(5e-3, 1e-6, 1),
  regularization: number(0.03, 0, 1),
  weightDecay: number(0, 0, 1),
  clipNorm: number(0, 0, 1e6),
  start: choice('fine-tuned', ['fine-tuned', 'frozen', 'random']),
  loss: choice('bce', ['bce', 'mse']),
  inputs: choice('both', ['both', 'text', 'ids']),
  hidden: integer(0, 0, 8192),
  length: integer(32, 2, 1024),
  heads: integer(2, 1, 64),
  dropout: number(0.3, 0, 0.9),
  idDropout: number(0.3, 0, 1),
  keep: number(0, 0, 1),
  support: integer(8, 1, 256),
  innerSteps: integer(3, 1, 100),
  words: integer(100, 5, 10_000),
  fullSoftmaxItems: integer(50_000, 0, 10_000_000),
  device: choice('cpu', ['cpu', 'webgpu', 'cuda']),
  threads: integer(0, 0, 1024),
}
