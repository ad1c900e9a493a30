import { isTextrecError } from '../errors.js'
import type { Connection } from './sqlite.js'

/** Problems beyond these say nothing new. */
const MOST_PROBLEMS = 20

/**
 * Everything SQLite can find wrong with the file, and whether what is derived inside it agrees with its
 * source: foreign keys, full text, attribute rows, events. Empty if all is well. Reads the whole file.
 */
export function checkCatalog(db: Connection): string[] {
  const problems: string[] = []
  const examine = (what: string, look: () => readonly string[]) => {
    try {
      problems.push(...look())
    } catch (error) {
      if (!isTextrecError(error)) throw error
      problems.push(`${what}: ${error.fact}`)
    }
  }
  // A copy that is only read may be gone from its place.
  if (!db.readonly && !db.isInPlace)
    problems.push(`${db.path} was removed, moved or replaced after it was opened`)
  examine('pages', () =>
    db
      .prepareRaw<[string]>(`PRAGMA integrity_check(${MOST_PROBLEMS})`)
      .all()
      .map(([line]) => line)
      .filter((line) => line !== 'ok'),
  )
  examine('references', () =>
    db
      .prepareRaw<[string, number | null, string]>('PRAGMA foreign_key_check')
      .all()
      .slice(0, MOST_PROBLEMS)
      .map(([table, row, parent]) => `Row ${row ?? ''} of ${table} refers to a missing ${parent}.`),
  )
  examine('counts', () => disagreements(db))
  // integrity_check also runs the full-text tables' own check of their structure.
  return problems.slice(0, MOST_PROBLEMS)
}

/** Places where derived rows and their source say different things. */
function disagreements(db: Connection): string[] {
  const count = (sql: string) => db.prepareRaw<[number]>(sql).get()?.[0] ?? 0
  const questions: [problem: string, sql: string][] = [
    [
      'items have no text version',
      'SELECT count(*) FROM item WHERE key NOT IN (SELECT item FROM item_state)',
    ],
    [
      'rated reviews have no event',
      `SELECT count(*) FROM review r WHERE rating IS NOT NULL AND NOT EXISTS (
         SELECT 1 FROM event e WHERE e.user = r.user AND e.item = r.item AND e.time = r.time)`,
    ],
    [
      'events name a missing item or person',
      `SELECT count(*) FROM event WHERE item NOT IN (SELECT key FROM item)
         OR user NOT IN (SELECT key FROM user)`,
    ],
    ['events have no source', 'SELECT count(*) FROM event WHERE recorded = 0 AND rating IS NULL'],
    [
      'items lack their attribute rows',
      `SELECT count(*) FROM item WHERE (attributes IS NOT NULL)
         <> EXISTS (SELECT 1 FROM item_attribute a WHERE a.item = item.key AND a.position >= 0)`,
    ],
  ]
  return questions
    .map(([problem, sql]) => [problem, count(sql)] as const)
    .filter(([, n]) => n > 0)
    .map(([problem, n]) => `${n} ${problem}.`)
}
