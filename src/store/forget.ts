import { TextrecError } from '../errors.js'
import type { ItemKey, Review, UserKey } from '../types.js'
import type { Ids } from './ids.js'
import { settleTimeKind } from './remove.js'
import type { Reviews, StoredReview } from './reviews.js'
import type { Connection } from './sqlite.js'
import type { State } from './state.js'
import { textHash } from './text.js'
import { markTouched } from './write.js'

export interface ForgetOptions {
  /** The texts that are embedded for a review. Default: headline, body, and both joined by a line break. */
  readonly textsOf?: (review: Review) => readonly string[]
}

/** What was deleted with a person. All zero if the person was not known. */
export interface ForgetCounts {
  readonly users: number
  readonly reviews: number
  readonly interactions: number
  /** Vectors of texts that nobody else wrote, over all spaces. */
  readonly embeddings: number
  /** Planned batches that were dropped for containing such a text; they are planned anew. */
  readonly plannedBatches: number
  /** Items whose vectors are stale now. */
  readonly items: number
}

/**
 * Deletes a person and everything that only they brought, then rewrites the file so that no copy is left in
 * free space, in the full-text index's dictionaries or in the log.
 *
 * secure_delete blanks what is deleted, but not the copies that SQLite leaves in the slack of pages when it
 * moves rows between them; only VACUUM does. So forgetting takes time and, for a moment, room in proportion to
 * the whole catalogue, and calling it again for the same person finishes what a full disk interrupted.
 * @throws DATABASE_BUSY if another process keeps the log from being emptied; the rows are gone all the same.
 */
export function forgetUser(
  db: Connection,
  state: State,
  userIds: Ids<UserKey>,
  reviews: Reviews,
  id: string,
  options: ForgetOptions,
): ForgetCounts {
  const textsOf = options.textsOf ?? defaultTexts
  const counts = db.write(() => {
    const user = userIds.key(id)
    if (user === undefined) {
      return { users: 0, reviews: 0, interactions: 0, embeddings: 0, plannedBatches: 0, items: 0 }
    }
    const written = reviews.by(user)
    const traces = deleteTexts(db, textsOnlyIn(db, reviews, user, written, textsOf))
    const touched = new Set<ItemKey>(written.map((review) => review.itemKey))
    const interactions =
      db.prepareRaw<[number]>('SELECT count(*) FROM event WHERE user = ?').get(user)?.[0] ?? 0
    db.prepare('DELETE FROM review WHERE user = ?').run(user)
    db.prepare('DELETE FROM event WHERE user = ?').run(user)
    db.prepare('DELETE FROM user WHERE key = ?').run(user)
    userIds.forget()
    markTouched(db, touched, state.nextChange())
    settleTimeKind(db, state)
    return { users: 1, reviews: written.length, interactions, ...traces, items: touched.size }
  })
  scrub(db)
  return counts
}

function defaultTexts({ title = '', text = '' }: Review): string[] {
  return [title, text, [title.trim(), text.trim()].filter((part) => part !== '').join('\n')]
}

/** The texts of `written` that come from no other person's review and are no item's own. */
function textsOnlyIn(
  db: Connection,
  reviews: Reviews,
  user: UserKey,
  written: readonly StoredReview[],
  textsOf: (review: Review) => readonly string[],
): string[] {
  const texts = new Set(written.flatMap(textsOf))
  texts.delete('')
  if (texts.size === 0) return []
  const parts = JSON.stringify(written.flatMap(({ title, text }) => [title, text]).filter(Boolean))
  for (const other of reviews.sharing(user, parts)) for (const text of textsOf(other)) texts.delete(text)
  const itemTexts = db.prepareRaw<[string]>(
    `SELECT title FROM item WHERE title IN (SELECT value FROM json_each(?))
     UNION SELECT description FROM item WHERE description IN (SELECT value FROM json_each(?))`,
  )
  const own = JSON.stringify([...texts])
  for (const [text] of itemTexts.all(own, own)) texts.delete(text)
  return [...texts]
}

function deleteTexts(
  db: Connection,
  texts: readonly string[],
): Pick<ForgetCounts, 'embeddings' | 'plannedBatches'> {
  let embeddings = 0
  const batches = new Set<string>()
  const spaces = db.prepareRaw<[number]>('SELECT key FROM space').all()
  for (const text of texts) {
    const hash = textHash(text)
    for (const [space] of spaces) {
      embeddings += db.prepare('DELETE FROM embedding WHERE space = ? AND hash = ?').run(space, hash)
    }
    for (const [space, batch] of db
      .prepareRaw<[number, number]>('SELECT space, batch FROM planned_text WHERE hash = ? OR text = ?')
      .all(hash, text)) {
      batches.add(`${space}/${batch}`)
    }
  }
  for (const name of batches) {
    const [space, batch] = name.split('/').map(Number)
    db.prepare('DELETE FROM planned_text WHERE space = ? AND batch = ?').run(space, batch)
  }
  return { embeddings, plannedBatches: batches.size }
}

/** Leaves no byte of deleted rows in the database file, nor in its log. */
function scrub(db: Connection): void {
  // Merges the index into one new segment: words of deleted rows can live on as separators between its pages.
  db.exec("INSERT INTO review_text (review_text) VALUES ('optimize')")
  db.exec('VACUUM')
  if (db.pragma('wal_checkpoint(TRUNCATE)') !== 0) {
    throw new TextrecError(
      'DATABASE_BUSY',
      `The person is deleted, but another process is reading ${db.path}, so its log still holds old pages.`,
      'Close the other process, then forget the same person again to empty the log.',
    )
  }
}
