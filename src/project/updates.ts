import type { Encoder } from '../encode/index.js'
import { throwIfAborted } from '../errors.js'
import { validateInteraction, validateItem, validateReview } from '../ingest/index.js'
import type { KindCounts, Store } from '../store/index.js'
import type { Interaction, Item, Review } from '../types.js'
import type { LongRun } from './defaults.js'
import { encodeNow, type ServedSpace } from './item-vectors.js'

export interface Records {
  readonly items?: readonly Item[]
  readonly reviews?: readonly Review[]
  readonly interactions?: readonly Interaction[]
}

export interface UpsertReport {
  readonly items: KindCounts
  readonly reviews: KindCounts
  readonly interactions: KindCounts
  /** Items whose vector was made anew, and which answer with it from the next call on. */
  readonly encoded: number
}

/**
 * Adds or replaces records, in one transaction, and gives every item that they touch its new vector at once,
 * so that the next call finds it without a rebuild. Before the first index() the records are only stored.
 * @throws RECORD_INVALID naming the field; nothing is stored then.
 */
export async function upsertRecords(
  store: Store,
  records: Records,
  encoder: Encoder | undefined,
  served: ServedSpace | undefined,
  long: LongRun = {},
): Promise<UpsertReport> {
  const items = (records.items ?? []).map(validateItem)
  const reviews = (records.reviews ?? []).map(validateReview)
  const interactions = (records.interactions ?? []).map(validateInteraction)
  throwIfAborted(long.signal, 'The upsert')
  const counts = store.write({ items, reviews, interactions })
  if (encoder === undefined) return { ...counts, encoded: 0 }
  const touched = [...new Set([...items.map(({ id }) => id), ...reviews.map(({ itemId }) => itemId)])]
  const encoded = await encodeNow(store, encoder, touched, served, long)
  return { ...counts, encoded }
}
