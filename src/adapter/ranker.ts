import { rankerOf, type Scorer } from '../ranking.js'
import type { Matrix, Ranker, TimeKind } from '../types.js'
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
  return rankerOf(await adapterScorer(adapter, texts, itemIds, name))
}

/**
 * The adapter's score of every item, for rankers that add others to it. Closing it leaves the adapter open.
 * @param timeKind what the times of people are, where it may be another kind than in training: these are not read
 */
export async function adapterScorer(
  adapter: Adapter,
  texts: Matrix,
  itemIds: readonly string[],
  name = 'adapter',
  timeKind?: TimeKind,
): Promise<Scorer> {
  const trained = adapter.parts.fitted.shape.timeKind
  const readable = timeKind === undefined || timeKind === trained
  const items = await adapter.itemVectors(texts, adapter.idIndex(itemIds))
  const held = await adapter.holdItems(items)
  return {
    name,
    itemCount: itemIds.length,
    scores: (people) =>
      adapter.heldScores(
        held,
        people.map(({ items }) => items),
        readable ? people.map(({ times }) => times) : undefined,
      ),
    close: () => adapter.releaseItems(held),
  }
}
