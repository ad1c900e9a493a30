import { TextrecError } from '../errors.js'
import type { InteractionTable } from '../types.js'

/**
 * Who has what, each pair once, on numbers of the warm items only (items with at least one interaction).
 * Row lists are compressed: person u's items are items[starts[u]] .. items[starts[u + 1] - 1].
 */
export interface Pairs {
  /** [warm] dense item number of each warm item, ascending. */
  readonly warm: Int32Array
  /** All items of the catalogue, warm or not. */
  readonly itemCount: number
  /** [people + 1] */
  readonly starts: Int32Array
  /** [pairs] warm item numbers, in the order of the history. */
  readonly items: Int32Array
}

/** @throws NOT_ENOUGH_DATA for a table without interactions. */
export function distinctPairs(table: InteractionTable): Pairs {
  const itemCount = table.itemIds.length
  const warmOf = new Int32Array(itemCount).fill(-1)
  for (const item of table.items) warmOf[item] = 0
  const warm = Int32Array.from(warmOf.keys()).filter((item) => warmOf[item] === 0)
  if (warm.length === 0) {
    throw new TextrecError(
      'NOT_ENOUGH_DATA',
      'There are no interactions to learn from.',
      'Import interactions or rated reviews.',
    )
  }
  for (let i = 0; i < warm.length; i++) warmOf[warm[i]] = i
  const starts = new Int32Array(table.userIds.length + 1)
  const items = new Int32Array(table.items.length)
  const lastUser = new Int32Array(warm.length).fill(-1)
  let size = 0
  let at = 0
  for (let user = 0; user < table.userIds.length; user++) {
    // Rows are sorted by user, so one pass is enough.
    for (; at < table.users.length && table.users[at] === user; at++) {
      const item = warmOf[table.items[at]]
      if (lastUser[item] === user) continue
      lastUser[item] = user
      items[size++] = item
    }
    starts[user + 1] = size
  }
  return { warm, itemCount, starts, items: items.slice(0, size) }
}

/** The same pairs by item: item j's people are people[starts[j]] .. people[starts[j + 1] - 1], ascending. */
export function byItem(
  pairs: Pick<Pairs, 'starts' | 'items'>,
  warmCount: number,
): {
  readonly starts: Int32Array
  readonly people: Int32Array
} {
  const starts = new Int32Array(warmCount + 1)
  for (const item of pairs.items) starts[item + 1]++
  for (let j = 0; j < warmCount; j++) starts[j + 1] += starts[j]
  const fill = starts.slice()
  const people = new Int32Array(pairs.items.length)
  for (let user = 0; user + 1 < pairs.starts.length; user++) {
    for (let at = pairs.starts[user]; at < pairs.starts[user + 1]; at++)
      people[fill[pairs.items[at]]++] = user
  }
  return { starts, people }
}
