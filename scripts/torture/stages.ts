/**
 * The six stages that are killed, stopped and starved: what is done in each, by a child process, on a project of
 * its own. `stage-child.ts` runs one and says over its standard output how far it is.
 */
import type { ShopFiles, ShopSize } from './shop.js'

export const STAGES = ['import', 'encode', 'index', 'upsert', 'compact', 'train'] as const
export type Stage = (typeof STAGES)[number]

/** The whole argument of a child: one JSON document on its command line. */
export interface StageCall {
  readonly stage: Stage
  readonly folder: string
  /** What 'import' reads. */
  readonly files?: ShopFiles
  /** Of the encoder: planned runs repeat exactly in both. */
  readonly dtype: 'int8' | 'fp32'
  readonly size: Size
  readonly threads?: number
  /** The first upsert that the caller has no acknowledgement of. */
  readonly from?: number
  /** Nothing is done before a tracer is attached. */
  readonly waitsForTracer?: boolean
}

/** How much a stage has to do. */
export interface StageSize {
  /** What is imported, and whose items are encoded. */
  readonly shop: ShopSize
  readonly upserts: number
  /** Items of the graph that 'index' builds and 'compact' makes anew. */
  readonly graphItems: number
  /** Of those, how many have changed before 'compact'. */
  readonly changedItems: number
  /** Enough to beat what there is: a training that publishes no adapter shows nothing. */
  readonly training: { readonly epochs: number; readonly learningRate: number }
}

/** 'long' takes two seconds of processor time and more in every stage; 'brief' takes the same steps, fewer of each. */
export const SIZES = {
  long: {
    shop: { items: 1200, people: 2000, reviews: 4000, interactions: 350_000 },
    upserts: 520,
    graphItems: 4000,
    changedItems: 2100,
    training: { epochs: 20, learningRate: 0.01 },
  },
  brief: {
    shop: { items: 150, people: 100, reviews: 300, interactions: 12_000 },
    upserts: 12,
    graphItems: 1200,
    changedItems: 600,
    training: { epochs: 1, learningRate: 0.03 },
  },
} as const satisfies { readonly [name: string]: StageSize }
export type Size = keyof typeof SIZES

/** Of every size; trains on the built-in bookshelf. */
export const TRAINING = {
  dim: 16,
  hidden: 16,
  textDim: 32,
  length: 8,
  patience: 20,
  ids: 'off',
  seed: 2,
  threads: 1,
} as const

/** What a child says, one JSON document a line. */
export type Said =
  /** For the tracer. */
  | { readonly kind: 'waiting'; readonly pid: number }
  | { readonly kind: 'begin'; readonly pid: number }
  /** So much is done, and was seen by another connection: it must survive. */
  | { readonly kind: 'acknowledged'; readonly count: number }
  | { readonly kind: 'progress'; readonly what: string }
  | { readonly kind: 'end' }
  | { readonly kind: 'failed'; readonly code: string; readonly fact: string }
