import { TextrecError } from '../errors.js'
import type { Store } from '../store/index.js'
import type { Answer, Basis, ItemKey } from '../types.js'
import type { VectorIndex } from '../vector-index/index.js'
import { requireItem, toAnswer } from './answers.js'

export interface Nearest {
  readonly k: number
  /** Sorted keys that may answer; all may when absent. */
  readonly allowed?: Int32Array
}

/** The items nearest to a stored one, itself left out. @throws NOT_FOUND, NOT_ENOUGH_DATA */
export async function similarItems(
  store: Store,
  index: VectorIndex,
  basis: Basis,
  itemId: string,
  options: Nearest,
): Promise<Answer> {
  const key = requireItem(store, itemId)
  const vector = requireVector(index, key, itemId)
  const found = await index.search(vector, options.k + 1, { allowed: options.allowed })
  const others = Array.from(found.keys.keys())
    .filter((i) => found.keys[i] !== key)
    .slice(0, options.k)
  return toAnswer(store, basis, {
    keys: Int32Array.from(others, (i) => found.keys[i]),
    scores: Float32Array.from(others, (i) => found.scores[i]),
  })
}

/** The vector of a stored item. @throws NOT_ENOUGH_DATA */
export function requireVector(index: VectorIndex, key: ItemKey, itemId: string): Float32Array {
  const vector = index.vector(key)
  if (vector !== undefined) return vector
  throw new TextrecError(
    'NOT_ENOUGH_DATA',
    `Item ${JSON.stringify(itemId)} has no vector: it has no title, description or review, or is not indexed yet.`,
    "Add text to it, or run 'textrec index'.",
  )
}

/** The items nearest to a vector of the index's own space. */
export async function nearestTo(
  store: Store,
  index: VectorIndex,
  basis: Basis,
  vector: Float32Array,
  options: Nearest,
): Promise<Answer> {
  return toAnswer(store, basis, await index.search(vector, options.k, { allowed: options.allowed }))
}
