import { type RankerRecipe, rankerOf } from '../ranking.js'
import type { Matrix, Ranker } from '../types.js'
import type { Adapter } from './adapter.js'
import type { TrainOptions } from './options.js'
import { trainAdapter } from './train.js'

/**
 * Ranks a catalogue by the adapter's scores. Closing the ranker leaves the adapter open.
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

/**
 * Trains an adapter for an evaluation, on what its split allows.
 * @param texts [items, text] made from what was known at the split, one row per item of the table
 */
export function adapterRecipe(
  texts: Matrix,
  textSpace: string,
  options: Partial<TrainOptions> = {},
): RankerRecipe {
  return {
    name: 'adapter',
    fit: async ({ training, fitting, validation, seed, signal, onProgress }) => {
      const data = { texts, textSpace, training, fitting, validation }
      const { adapter, judged } = await trainAdapter(data, { seed, ...options }, { signal, onProgress })
      await judged.close()
      const ranker = await adapterRanker(adapter, texts, training.itemIds)
      const close = async () => {
        await ranker.close?.()
        await adapter.close()
      }
      return { ...ranker, close }
    },
  }
}
