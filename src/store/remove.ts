import type { ItemKey } from '../types.js'
import type { Ids } from './ids.js'
import type { VectorTable } from './item-vectors.js'
import { NO_TIME } from './schema.js'
import type { Connection } from './sqlite.js'
import type { State } from './state.js'

/**
 * Deletes items with their reviews, events, attributes and vectors, in one transaction. Unknown ids are left
 * out; people stay.
 * @returns how many items were deleted
 */
export function removeItems(
  db: Connection,
  state: State,
  itemIds: Ids<ItemKey>,
  vectors: VectorTable,
  ids: readonly string[],
): number {
  return db.write(() => {
    const keys = [...new Set(itemIds.keys(ids).filter((key) => key !== undefined))]
    if (keys.length === 0) return 0
    vectors.bury(keys, state.nextChange())
    const gone = JSON.stringify(keys)
    // Their triggers look after the events that reviews made; what is left is one scan for all items.
    db.prepare('DELETE FROM review WHERE item IN (SELECT value FROM json_each(?))').run(gone)
    db.prepare('DELETE FROM event WHERE item IN (SELECT value FROM json_each(?))').run(gone)
    for (const key of keys) db.prepare('DELETE FROM item WHERE key = ?').run(key)
    itemIds.forget()
    settleTimeKind(db, state)
    return keys.length
  })
}

/** After deletions: a catalogue without any time has no kind of time. */
export function settleTimeKind(db: Connection, state: State): void {
  const timed = db
    .prepareRaw<[number]>(
      `SELECT EXISTS (SELECT 1 FROM event WHERE time <> ${NO_TIME})
       OR EXISTS (SELECT 1 FROM review WHERE time <> ${NO_TIME})`,
    )
    .get()?.[0]
  if (timed === 0) state.setCounter('time_kind', 0)
}
