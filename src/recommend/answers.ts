import { TextrecError } from '../errors.js'
import { nearest, show } from '../options.js'
import type { Store } from '../store/index.js'
import type { Answer, Basis, ItemKey, RecommendedItem } from '../types.js'
import { snippetOf } from './snippet.js'

/** Keys with scores, best first. */
export interface Scored {
  readonly keys: Int32Array
  readonly scores: Float32Array
}

/** The public form of a ranking: ids and titles for keys, ranks from 1. Items that are gone are left out. */
export function toAnswer(store: Store, basis: Basis, { keys, scores }: Scored): Answer {
  const items = namesOf(store, keys).flatMap((name, i) => {
    if (name === undefined) return []
    const { itemId, ...words } = name
    return [{ itemId, score: scores[i], rank: i + 1, ...words }]
  })
  return { basis, items }
}

/**
 * [keys] what a person knows an item by: its id, and its title or something in its place. Undefined if it is gone.
 * @param firstRank of the first key; the others follow it
 */
export function namesOf(
  store: Store,
  keys: ArrayLike<number>,
  firstRank = 1,
): (Pick<RecommendedItem, 'itemId' | 'title' | 'snippet'> | undefined)[] {
  return store.itemNames(keys).map((name, i) => {
    if (name === undefined) return undefined
    const { id: itemId, title } = name
    if (title !== undefined) return { itemId, title }
    const snippet = snippetOf(store, keys[i] as ItemKey, firstRank + i)
    return snippet === undefined ? { itemId } : { itemId, snippet }
  })
}

/** Ids that begin alike, of which the nearest is looked for. */
const ALIKE = 1000

/** The key of an item that must exist. @throws NOT_FOUND, naming the nearest id if there is one by little work */
export function requireItem(store: Store, id: string): ItemKey {
  const key = store.itemKey(id)
  if (key !== undefined) return key
  const near = nearestId(store, id)
  throw new TextrecError(
    'NOT_FOUND',
    `There is no item ${show(id)}.`,
    near === undefined
      ? 'Ids are taken as they stand in the files; similarToItem() asks about an item that is not stored.'
      : `Did you mean ${JSON.stringify(near)}?`,
  )
}

/** The same id in other letters, or one within two edits whose first half is the same. */
function nearestId(store: Store, id: string): string | undefined {
  const inOtherLetters = [id.trim(), id.trim().toUpperCase(), id.trim().toLowerCase()]
  const same = inOtherLetters.find((other) => store.itemKey(other) !== undefined)
  return same ?? nearest(id, store.itemIdsFrom(id.slice(0, Math.ceil(id.length / 2)), ALIKE))
}
