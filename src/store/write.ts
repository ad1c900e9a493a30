import type { Interaction, Item, ItemKey, Review, UserKey } from '../types.js'
import type { Ids } from './ids.js'
import { writeInteractions } from './interactions.js'
import type { Items } from './items.js'
import type { Reviews } from './reviews.js'
import type { Connection } from './sqlite.js'
import type { State } from './state.js'
import { TimeKinds } from './time.js'

export interface Records {
  readonly items?: readonly Item[]
  readonly reviews?: readonly Review[]
  readonly interactions?: readonly Interaction[]
}

/** What became of the records of one kind: the three add up to the number of records. */
export interface KindCounts {
  added: number
  /** A record of the same identity was there and said something else, or one that does came later in the same call. */
  replaced: number
  /** A record of the same identity was there, or came later in the same call, and says the same. */
  unchanged: number
}

export interface WriteCounts {
  readonly items: KindCounts
  readonly reviews: KindCounts
  readonly interactions: KindCounts
}

/** What one write transaction carries between the kinds of records. */
export interface Writing {
  readonly times: TimeKinds
  itemKey(id: string): ItemKey
  userKey(id: string): UserKey
  /** The arrival number of the record at this position of its kind's list. */
  arrival(position: number): number
  /** Says that the arrival number of this position was used. */
  arrived(position: number): void
  /** Says that something was altered that does not concern an item's text. */
  change(): void
  /** Says that what an item's vector is made from was altered. */
  touch(item: ItemKey): void
}

/** Writes records of all kinds in one transaction: all of them, or none. */
export class Writer {
  constructor(
    private readonly db: Connection,
    private readonly state: State,
    private readonly itemIds: Ids<ItemKey>,
    private readonly userIds: Ids<UserKey>,
    private readonly items: Items,
    private readonly reviews: Reviews,
  ) {}

  write(records: Records): WriteCounts {
    const { items = [], reviews = [], interactions = [] } = records
    return this.db.write(() => {
      this.itemIds.refresh()
      this.userIds.refresh()
      const touched = new Set<ItemKey>()
      const kindBefore = this.state.counter('time_kind')
      const times = TimeKinds.fromCounter(kindBefore)
      const arrivalBefore = this.state.counter('arrival')
      let arrivalBase = arrivalBefore + 1
      let arrival = arrivalBefore
      let changed = false
      const writing: Writing = {
        times,
        itemKey: (id) => this.items.requireKey(id, writing),
        userKey: (id) => this.requireUser(id, writing),
        arrival: (position) => arrivalBase + position,
        arrived: (position) => {
          arrival = Math.max(arrival, arrivalBase + position)
          changed = true
        },
        change: () => {
          changed = true
        },
        touch: (item) => {
          touched.add(item)
          changed = true
        },
      }
      const counts = { items: this.items.write(items, writing) } as {
        -readonly [K in keyof WriteCounts]: KindCounts
      }
      counts.reviews = this.reviews.write(reviews, writing)
      arrivalBase = arrival + 1
      counts.interactions = writeInteractions(this.db, interactions, writing)
      if (arrival !== arrivalBefore) this.state.setCounter('arrival', arrival)
      if (times.asCounter !== kindBefore) this.state.setCounter('time_kind', times.asCounter)
      if (changed) markTouched(this.db, touched, this.state.nextChange())
      return counts
    })
  }

  private requireUser(id: string, writing: Writing): UserKey {
    const known = this.userIds.knownKey(id)
    if (known !== undefined) return known
    const key = this.db.prepare('INSERT INTO user (id) VALUES (?)').insert(id) as UserKey
    this.userIds.remember(id, key)
    writing.change()
    return key
  }
}

/** Gives items a new text version: their vectors are stale from now on. */
export function markTouched(db: Connection, items: Iterable<ItemKey>, version: number): void {
  const mark = db.prepare(
    `INSERT INTO item_state VALUES (?, ?)
     ON CONFLICT (item) DO UPDATE SET text_version = excluded.text_version`,
  )
  for (const item of items) mark.run(item, version)
}
