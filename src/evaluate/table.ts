import type { InteractionTable } from '../types.js'

/** The rows of `table` for which `keep` holds, on the same user and item numbers. */
export function selectRows(table: InteractionTable, keep: (row: number) => boolean): InteractionTable {
  const rows = Int32Array.from(table.users.keys()).filter(keep)
  return {
    userIds: table.userIds,
    itemIds: table.itemIds,
    timeKind: table.timeKind,
    users: Int32Array.from(rows, (row) => table.users[row]),
    items: Int32Array.from(rows, (row) => table.items[row]),
    times: Float64Array.from(rows, (row) => table.times[row]),
    values: Float32Array.from(rows, (row) => table.values[row]),
  }
}

/**
 * The table that an evaluation works on: rows rated below `minRating` are left out (rows without a rating stay),
 * and of several rows of one person and item the first is kept.
 */
export function likedOnce(table: InteractionTable, minRating?: number): InteractionTable {
  const lastUser = new Int32Array(table.itemIds.length).fill(-1)
  return selectRows(table, (row) => {
    const item = table.items[row]
    const user = table.users[row]
    if (minRating !== undefined && table.values[row] < minRating) return false
    if (lastUser[item] === user) return false
    lastUser[item] = user
    return true
  })
}

/** [people + 1] person u's rows run from starts[u] to starts[u + 1] - 1. */
export function rowStarts(table: InteractionTable): Int32Array {
  const starts = new Int32Array(table.userIds.length + 1)
  for (const user of table.users) starts[user + 1]++
  for (let u = 0; u < table.userIds.length; u++) starts[u + 1] += starts[u]
  return starts
}

/** [items] how many rows each item has. */
export function itemCounts(table: InteractionTable): Int32Array {
  const counts = new Int32Array(table.itemIds.length)
  for (const item of table.items) counts[item]++
  return counts
}
