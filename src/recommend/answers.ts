import { TextrecError } from '../errors.js'
import type { Store } from '../store/index.js'
import type { Answer, Basis, ItemKey } from '../types.js'

/** Keys with scores, best first. */
export interface Scored {
  readonly keys: Int32Array
  readonly scores: Float32Array
}

/** The public form of a ranking: ids and titles for keys, ranks from 1. */
export function toAnswer(store: Store, basis: Basis, { keys, scores }: Scored): Answer {
  const items = store.items(Array.from(keys) as ItemKey[])
  return {
    basis,
    items: items.flatMap((item, i) =>
      item === undefined
        ? []
        : [
            {
              itemId: item.id,
              score: scores[i],
              rank: i + 1,
              ...(item.title === undefined ? {} : { title: item.title }),
            },
          ],
    ),
  }
}

/** The key of an item that must exist. @throws NOT_FOUND */
export function requireItem(store: Store, id: string): ItemKey {
  const key = store.itemKey(id)
  if (key === undefined) {
    throw new TextrecError(
      'NOT_FOUND',
      `There is no item ${JSON.stringify(id)}.`,
      'Ids are taken as they stand in the files; similarToItem() asks about an item that is not stored.',
    )
  }
  return key
}
