import { rankerOf } from '../ranking.js'
import type { Matrix, Ranker } from '../types.js'
import type { Adapter } from './adapter.js'

/**
 * Ranks a catalogue by the adapter's scores.
 * @param texts [items, text] one row per item of `itemIds`
 */
export async function adapterRanker(
  adapter: Adapter,
  texts: Matrix,
  itemIds: readonly string[],
  name = 'adapter',
): Promise<Ranker> {
  const items = await adapter.itemVectors(texts, adapter.idIndex(itemIds))
  const held = await adapter.holdItems(items)
  return rankerOf({
    name,
    itemCount: itemIds.length,
    scores: (people) =>
      adapter.heldScores(
        held,
        people.map((person) => person.items),
      ),
    close: () => adapter.releaseItems(held),
  })
}
