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
  readonly threads?: number
  /** The first upsert that the caller has no acknowledgement of. */
  readonly from?: number
}

/** Big enough for some two seconds each. */
export const SHOP: ShopSize = { items: 1000, people: 2000, reviews: 4000, interactions: 60_000 }
export const UPSERTS = 120
/** Items of the graph that 'index' builds and 'compact' makes anew. */
export const GRAPH_ITEMS = 4000
/** Of those, how many have changed before 'compact'. */
export const CHANGED_ITEMS = 2000

/** Trains on the built-in bookshelf: small, and enough to beat what there is. */
export const TRAINING = {
  dim: 16,
  hidden: 16,
  textDim: 32,
  length: 8,
  epochs: 10,
  patience: 20,
  ids: 'off',
  seed: 2,
  threads: 1,
} as const

/** What a child says, one JSON document a line. */
export type Said =
  | { readonly kind: 'begin'; readonly pid: number }
  /** So much is done, and was seen by another connection: it must survive. */
  | { readonly kind: 'acknowledged'; readonly count: number }
  | { readonly kind: 'progress'; readonly what: string }
  | { readonly kind: 'end' }
  | { readonly kind: 'failed'; readonly code: string; readonly fact: string }
