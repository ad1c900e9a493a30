import type { InteractionTable, ItemKey, TimeKind, UserKey } from '../types.js'
import type { Ids } from './ids.js'
import { NO_TIME } from './schema.js'
import type { Connection } from './sqlite.js'

export interface InteractionRange {
  /** Leave out events valued below this. Events without a value stay: that they happened is all they say. */
  readonly minRating?: number
  /** Only events strictly before this time; events without a time are left out. */
  readonly before?: number
}

/** What one person took, oldest first, then in order of arrival. */
export interface History {
  /** [rows] item keys. */
  readonly items: Int32Array
  /** [rows] milliseconds or position; 0 where there is none. */
  readonly times: Float64Array
  /** [rows] rating or weight; NaN where there is none. */
  readonly values: Float32Array
}

type EventRow = readonly [user: number, item: number, time: number, arrival: number, value: number | null]

const SELECT = 'SELECT user, item, time, arrival, ifnull(value, rating) FROM event'
/** Takes minRating twice, then `before` twice; null for no bound. */
const RANGE = `(? IS NULL OR ifnull(ifnull(value, rating), 1e999) >= ?)
  AND (? IS NULL OR (time < ? AND time <> ${NO_TIME}))`

/** One person's history; empty for an unknown key. */
export function readHistory(db: Connection, user: UserKey): History {
  const rows = db.prepareRaw<EventRow>(`${SELECT} WHERE user = ? ORDER BY time, arrival`).all(user)
  return {
    items: Int32Array.from(rows, (row) => row[1]),
    times: Float64Array.from(rows, (row) => shownTime(row[2])),
    values: Float32Array.from(rows, (row) => row[4] ?? Number.NaN),
  }
}

/** The people with the latest events, at most so many of them; equally late ones by the larger key. */
export function readRecentUsers(db: Connection, most: number): UserKey[] {
  const rows = db
    .prepareRaw<[user: UserKey]>(
      'SELECT user FROM event GROUP BY user ORDER BY max(time) DESC, user DESC LIMIT ?',
    )
    .all(most)
  return rows.map(([user]) => user)
}

/**
 * Everyone's histories in columns, over all items in key order and over the people who have a row.
 * The table's key already brings one person's rows together, so only histories are sorted, not the whole.
 */
export function readInteractions(
  db: Connection,
  itemIds: Ids<ItemKey>,
  userIds: Ids<UserKey>,
  timeKind: TimeKind,
  range: InteractionRange,
): InteractionTable {
  const items = itemIds.all()
  const denseItem = new Int32Array((items.keys.at(-1) ?? 0) + 1)
  for (const [dense, key] of items.keys.entries()) denseItem[key] = dense

  const people: number[] = []
  const rows = new GrowingRows()
  let current = -1
  const { minRating = null, before = null } = range
  const bounds = [minRating, minRating, before, before]
  const statement = db.prepareRaw<EventRow>(`${SELECT} WHERE ${RANGE}`)
  for (const [user, item, time, arrival, value] of statement.each(...bounds)) {
    if (user !== current) {
      people.push(user)
      current = user
    }
    rows.push(people.length - 1, denseItem[item], time, arrival, value ?? Number.NaN)
  }
  return {
    userIds: userIds.ids(people) as string[],
    itemIds: items.ids,
    timeKind,
    ...rows.sortedHistories(),
  }
}

function shownTime(time: number): number {
  return time === NO_TIME ? 0 : time
}

/** Columns that double when they are full. Users arrive in ascending order. */
class GrowingRows {
  private size = 0
  private users = new Int32Array(1024)
  private items = new Int32Array(1024)
  private times = new Float64Array(1024)
  private arrivals = new Float64Array(1024)
  private values = new Float32Array(1024)

  push(user: number, item: number, time: number, arrival: number, value: number): void {
    if (this.size === this.users.length) this.grow()
    const i = this.size++
    this.users[i] = user
    this.items[i] = item
    this.times[i] = time
    this.arrivals[i] = arrival
    this.values[i] = value
  }

  private grow(): void {
    const room = this.size * 2
    const wider = <T extends Int32Array | Float32Array | Float64Array>(from: T, to: T): T => {
      to.set(from)
      return to
    }
    this.users = wider(this.users, new Int32Array(room))
    this.items = wider(this.items, new Int32Array(room))
    this.times = wider(this.times, new Float64Array(room))
    this.arrivals = wider(this.arrivals, new Float64Array(room))
    this.values = wider(this.values, new Float32Array(room))
  }

  /** The columns with each person's rows sorted by time, then arrival. */
  sortedHistories(): Pick<InteractionTable, 'users' | 'items' | 'times' | 'values'> {
    const { size, times, arrivals } = this
    const order = Uint32Array.from({ length: size }, (_, i) => i)
    for (let start = 0; start < size; ) {
      let end = start + 1
      while (end < size && this.users[end] === this.users[start]) end++
      order.subarray(start, end).sort((a, b) => times[a] - times[b] || arrivals[a] - arrivals[b])
      start = end
    }
    const items = new Int32Array(size)
    const shown = new Float64Array(size)
    const values = new Float32Array(size)
    for (let i = 0; i < size; i++) {
      items[i] = this.items[order[i]]
      shown[i] = shownTime(times[order[i]])
      values[i] = this.values[order[i]]
    }
    return { users: this.users.slice(0, size), items, times: shown, values }
  }
}
