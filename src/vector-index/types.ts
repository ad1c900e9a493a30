import type { Matrix } from '../types.js'

export type IndexKind = 'exact' | 'hnsw'

/** The nearest vectors, best first; equal scores go to the smaller key. */
export interface Neighbours {
  readonly keys: Int32Array
  /** Cosines, as float32. */
  readonly scores: Float32Array
}

/** The same keys as a list and as a mask: the index takes what suits it, and asks for the list only then. */
export interface AllowedSet {
  readonly size: number
  readonly mask: Uint8Array
  readonly keys: Int32Array
}

/**
 * Which keys an answer may hold: a list of keys (in any order; those that the index lacks are ignored), a mask
 * with 1 at allowed keys (keys beyond its end are not allowed), both, or a predicate.
 */
export type Allowed = Int32Array | Uint8Array | AllowedSet | ((key: number) => boolean)

/** What one look at a whole index says of a query: enough to answer under filters that are not known yet. */
export interface Survey {
  /** As `search` gives them. */
  readonly nearest: Neighbours
  /** Keys around the query, `nearest` among them, in no order. */
  readonly around: Int32Array
  /** No vector that is not among them scores as high as this; -Infinity where all are among them. */
  readonly bound: number
}

export interface SearchOptions {
  /** All keys when absent. Never fewer than k answers come back when k allowed keys exist. */
  readonly allowed?: Allowed
  /** hnsw only: how many candidates to keep while searching; the value tuned at build time by default. */
  readonly ef?: number
}

/**
 * Unit vectors under keys from 1 to 2^31 - 1, and the nearest of them to a query. Changes count from the next
 * search on; a search that is running may or may not see them. A query may have any length (it is scaled to 1,
 * and a zero query scores 0 everywhere); k may be 0 or beyond the size.
 */
export interface VectorIndex {
  readonly kind: IndexKind
  readonly dim: number
  /** Live vectors. */
  readonly size: number
  /**
   * The share of stored rows that are dead: removed or replaced, and still searched around. Above some 0.3 a
   * rebuild pays.
   */
  readonly deadFraction: number
  /**
   * The share of live vectors that came after the build and are searched beside the graph; always 0 for exact.
   * Above some 0.3 a rebuild pays.
   */
  readonly looseFraction: number
  has(key: number): boolean
  /** The vector under a key: a copy. */
  vector(key: number): Float32Array | undefined
  /** Inner product of a vector of `dim` finite numbers (not checked) with the one under a key, as `search` gives it. */
  score(query: Float32Array, key: number): number | undefined
  /** Adds or replaces. @throws VECTOR_INVALID, DIMENSION_MISMATCH, OPTION_INVALID (key). */
  upsert(key: number, vector: Float32Array): void
  /** False if there was none. */
  remove(key: number): boolean
  /** @throws DIMENSION_MISMATCH, VECTOR_INVALID for a query that is not finite, OPTION_INVALID for k, PROJECT_CLOSED. */
  search(query: Float32Array, k: number, options?: SearchOptions): Promise<Neighbours>
  /** The same for every row of a matrix, faster than one by one. */
  searchMany(queries: Matrix, k: number, options?: SearchOptions): Promise<Neighbours[]>
  /**
   * `search` without a filter, and about so many keys around the query with a bound for the others: as exact as
   * `search`. An index that cannot tell gives no keys and the bound Infinity.
   */
  survey(query: Float32Array, k: number, around: number): Promise<Survey>
  /** The same for every row of a matrix, faster than one by one. */
  surveyMany(queries: Matrix, k: number, around: number): Promise<Survey[]>
  /** Everything in it, keys ascending: what a rebuild starts from. */
  entries(): { readonly keys: Int32Array; readonly vectors: Matrix }
  /** Frees native memory once running searches are done. Searching afterwards is refused. */
  close(): Promise<void>
}
