import type { ItemKey, Review, UserKey } from '../types.js'
import { decodeAttributes, encodeAttributes } from './attributes.js'
import { chunks } from './ids.js'
import { NO_TIME } from './schema.js'
import type { Connection } from './sqlite.js'
import { numberOrNull, requireId, textOrNull } from './text.js'
import { givenTime, storedTime } from './time.js'
import type { KindCounts, Writing } from './write.js'

/** A review with the keys of its item and its writer. */
export interface StoredReview extends Review {
  readonly itemKey: ItemKey
  readonly userKey: UserKey
}

/** What of an item's reviews may be known: for profiles that must not look ahead. */
export interface ReviewRange {
  /** Only reviews strictly before this time; reviews without a time are left out. */
  readonly before?: number
  /** Leave this person's reviews out. */
  readonly exceptUser?: UserKey
}

type ReviewRow = readonly [
  item: ItemKey,
  user: UserKey,
  itemId: string,
  userId: string,
  time: number,
  rating: number | null,
  helpful: number | null,
  id: string,
  title: string | null,
  text: string | null,
  attributes: string | null,
]

const SELECT = `SELECT r.item, r.user, i.id, u.id, r.time, r.rating, r.helpful, r.id, r.title, r.text, r.attributes
  FROM review r JOIN item i ON i.key = r.item JOIN user u ON u.key = r.user`

const CHUNK = 200

/** What people wrote. A rated review is an event too: triggers keep the table `event` in step. */
export class Reviews {
  constructor(private readonly db: Connection) {}

  /**
   * Adds or replaces reviews. A review is known by its id, else by person, item and time. Of several with one
   * identity in `reviews` the last counts; the others are `replaced` where the review after them says something
   * else, else `unchanged`.
   */
  write(reviews: readonly Review[], writing: Writing): KindCounts {
    const counts = { added: 0, replaced: 0, unchanged: 0 }
    const last = new Map<string, { review: Review; position: number }>()
    for (const [i, review] of reviews.entries()) {
      const identity = identityOf(review, `Review ${i + 1}`)
      const earlier = last.get(identity)
      if (earlier !== undefined) {
        counts[sameReview(earlier.review, review, `Review ${i + 1}`) ? 'unchanged' : 'replaced']++
      }
      last.set(identity, { review, position: earlier?.position ?? i })
    }
    for (const { review, position } of last.values()) counts[this.writeOne(review, position, writing)]++
    return counts
  }

  private writeOne(review: Review, position: number, writing: Writing): keyof KindCounts {
    const record = `Review ${position + 1}`
    const item = writing.itemKey(requireId(review.itemId, record, 'itemId'))
    const user = writing.userKey(requireId(review.userId, record, 'userId'))
    const id = review.id ?? ''
    const time = storedTime(review.time, record)
    writing.times.accept(time, record)
    const values = [
      item,
      user,
      time,
      numberOrNull(review.rating, record, 'rating'),
      numberOrNull(review.helpful, record, 'helpful'),
      id,
      textOrNull(review.title),
      textOrNull(review.text),
      encodeAttributes(review.attributes, record),
    ] as const
    const added = this.db
      .prepare(
        `INSERT INTO review (key, item, user, time, rating, helpful, id, title, text, attributes)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
      )
      .run(writing.arrival(position), ...values)
    if (added > 0) {
      writing.arrived(position)
      writing.touch(item)
      return 'added'
    }
    const held = this.find(id, user, item, time)
    if (held[1] === item && values.slice(1).every((value, i) => value === held[i + 2])) return 'unchanged'
    this.db
      .prepare(
        `UPDATE review SET item = ?, user = ?, time = ?, rating = ?, helpful = ?, id = ?, title = ?, text = ?,
         attributes = ? WHERE key = ?`,
      )
      .run(...values, held[0])
    writing.touch(held[1])
    writing.touch(item)
    return 'replaced'
  }

  /** The stored review of the same identity: key, then the columns in the order that `writeOne` binds them. */
  private find(id: string, user: UserKey, item: ItemKey, time: number) {
    type Held = readonly [key: number, item: ItemKey, ...rest: (string | number | null)[]]
    const columns = 'SELECT key, item, user, time, rating, helpful, id, title, text, attributes FROM review'
    const held =
      id === ''
        ? this.db
            .prepareRaw<Held>(`${columns} WHERE user = ? AND item = ? AND time = ? AND id = ''`)
            .get(user, item, time)
        : this.db.prepareRaw<Held>(`${columns} WHERE id = ? AND id <> ''`).get(id)
    return held as Held
  }

  /** An item's reviews, oldest first, then in order of arrival. */
  of(item: ItemKey, range: ReviewRange = {}): StoredReview[] {
    return this.ofMany([item], range).get(item) ?? []
  }

  /** At most so many of an item's reviews, the newest first. */
  newestOf(item: ItemKey, most: number): StoredReview[] {
    return this.db
      .prepareRaw<ReviewRow>(`${SELECT} WHERE r.item = ? ORDER BY r.time DESC, r.key DESC LIMIT ?`)
      .all(item, most)
      .map(storedReview)
  }

  /** Reviews by item, each oldest first, then in order of arrival. Items without any are absent. */
  ofMany(items: ArrayLike<number>, range: ReviewRange = {}): Map<ItemKey, StoredReview[]> {
    const byItem = new Map<ItemKey, StoredReview[]>()
    const statement = this.db.prepareRaw<ReviewRow>(
      `${SELECT} WHERE r.item IN (SELECT value FROM json_each(?)) AND (? IS NULL OR (r.time < ? AND r.time <> ${NO_TIME}))
       AND r.user IS NOT ? ORDER BY r.item, r.time, r.key`,
    )
    const before = range.before ?? null
    for (const chunk of chunks(items, CHUNK)) {
      for (const row of statement.all(JSON.stringify(chunk), before, before, range.exceptUser ?? null)) {
        const review = storedReview(row)
        const list = byItem.get(review.itemKey)
        if (list === undefined) byItem.set(review.itemKey, [review])
        else list.push(review)
      }
    }
    return byItem
  }

  /** Other people's reviews whose headline or text is one of these (a JSON array of texts). */
  *sharing(user: UserKey, parts: string): Generator<StoredReview, void, undefined> {
    const rows = this.db.prepareRaw<ReviewRow>(
      `${SELECT} WHERE r.user <> ? AND (r.text IN (SELECT value FROM json_each(?))
       OR r.title IN (SELECT value FROM json_each(?)))`,
    )
    for (const row of rows.each(user, parts, parts)) yield storedReview(row)
  }

  /** Everything one person wrote. */
  by(user: UserKey): StoredReview[] {
    return this.db
      .prepareRaw<ReviewRow>(`${SELECT} WHERE r.user = ? ORDER BY r.time, r.key`)
      .all(user)
      .map(storedReview)
  }
}

function identityOf(review: Review, record: string): string {
  if (review.id !== undefined) return `i${requireId(review.id, record, 'id')}`
  // The lengths keep ids that contain separators apart.
  return `e${review.userId.length}:${review.userId}${review.itemId.length}:${review.itemId}${review.time ?? ''}`
}

/** Whether two reviews of one identity would be stored alike. */
function sameReview(a: Review, b: Review, record: string): boolean {
  const stored = (review: Review) => [
    review.itemId,
    review.userId,
    storedTime(review.time, record),
    review.rating ?? null,
    review.helpful ?? null,
    textOrNull(review.title),
    textOrNull(review.text),
    encodeAttributes(review.attributes, record),
  ]
  const other = stored(b)
  return stored(a).every((value, i) => value === other[i])
}

function storedReview(row: ReviewRow): StoredReview {
  const [itemKey, userKey, itemId, userId, time, rating, helpful, id, title, text, json] = row
  const given = givenTime(time)
  const attributes = decodeAttributes(json)
  return {
    itemKey,
    userKey,
    itemId,
    userId,
    ...(id === '' ? {} : { id }),
    ...(given === undefined ? {} : { time: given }),
    ...(rating === null ? {} : { rating }),
    ...(helpful === null ? {} : { helpful }),
    ...(title === null ? {} : { title }),
    ...(text === null ? {} : { text }),
    ...(attributes === undefined ? {} : { attributes }),
  }
}
