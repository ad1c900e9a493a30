import type { Encoder } from '../encode/index.js'
import { throwIfAborted } from '../errors.js'
import { validateInteraction, validateItem, validateReview } from '../ingest/index.js'
import type { KindCounts, Store, WriteCounts } from '../store/index.js'
import type { Interaction, Item, Review } from '../types.js'
import { requireRecords } from './arguments.js'
import type { LongRun } from './defaults.js'
import { encodeNow, type ServedSpace } from './item-vectors.js'
import { type LiveState, liveState } from './live-index.js'

/** Attributes are typed like those of a JSON line that is imported: the same record gives the same item either way. */
export interface Records {
  readonly items?: readonly Item[]
  readonly reviews?: readonly Review[]
  readonly interactions?: readonly Interaction[]
}

export interface UpsertReport {
  readonly items: KindCounts
  readonly reviews: KindCounts
  readonly interactions: KindCounts
  /** Items whose vector was brought up to date, and which answer with it from the next call on. */
  readonly encoded: number
}

/** What serves at this moment, and so where new vectors go. */
export interface ServedNow {
  readonly state: LiveState
  /** The encoder of `state`. */
  readonly encoder: Encoder
  /** Where items are served in another space than the encoder's own. */
  readonly space: ServedSpace | undefined
}

/** Runs `work` with what serves now, kept open until it is done; undefined before the first index(). */
export type WithServed = <T>(work: (now: ServedNow | undefined) => Promise<T>) => Promise<T>

/**
 * Adds or replaces records, in one transaction, and gives every item that they touch its new vector at once,
 * so that the next call finds it without a rebuild. Should another process publish another encoder or adapter
 * meanwhile, the vectors are made again for what serves then. Before the first index() the records are only
 * stored.
 * @throws RECORD_INVALID naming record and field, for a field of another type too; nothing is stored then.
 */
export async function upsertRecords(
  store: Store,
  records: Records,
  withServed: WithServed,
  long: LongRun = {},
): Promise<UpsertReport> {
  const items = requireRecords('upsert', 'items', records.items).map(validateItem)
  const reviews = requireRecords('upsert', 'reviews', records.reviews).map(validateReview)
  const interactions = requireRecords('upsert', 'interactions', records.interactions).map(validateInteraction)
  throwIfAborted(long.signal, 'The upsert')
  const said = [...items.map(({ id }) => id), ...reviews.map(({ itemId }) => itemId)]
  const touched = [...new Set([...said, ...interactions.map(({ itemId }) => itemId)])]
  let counts: WriteCounts | undefined
  const write = () => {
    counts ??= store.write({ items, reviews, interactions })
    return counts
  }
  if (said.length === 0) {
    // Interactions change no vector. Only where they name items for the first time is there something to make.
    const written = write()
    const space = liveState(store)?.space
    const keys = store.itemKeys(touched).filter((key) => key !== undefined)
    if (space === undefined || store.staleItemsAmong(space, keys).length === 0)
      return { ...written, encoded: 0 }
  }
  for (;;) {
    const report = await withServed(async (now) => {
      const written = write()
      const isServed = () => liveState(store)?.space === now?.state.space
      if (now === undefined) return isServed() ? { ...written, encoded: 0 } : undefined
      const encoded = await encodeNow(store, now.encoder, touched, now.space, isServed, long)
      return encoded === undefined ? undefined : { ...written, encoded }
    })
    if (report !== undefined) return report
  }
}
