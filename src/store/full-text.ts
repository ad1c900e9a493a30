import type { Connection } from './sqlite.js'

/** Items for a query, best first; equal scores by the smaller key. */
export interface TextHits {
  readonly keys: Int32Array
  readonly scores: Float32Array
}

/** Words of a query beyond these are ignored: a page pasted into the search box must not take minutes. */
const MOST_WORDS = 64

/** BM25 weights of an item's own columns: a word in the title says more than one in the description. */
const TITLE_WEIGHT = 3
const DESCRIPTION_WEIGHT = 1

/** What the best matching review adds; each further one counts half as much as the one before. */
const BEST_REVIEW_WEIGHT = 0.5

/**
 * Text for FTS5's query parser that means "any of these words" whatever the user typed: only letters, digits
 * and their marks survive, each word in quotes. Undefined if nothing is left.
 */
export function matchExpression(query: string): string | undefined {
  const words = query.toLowerCase().match(/[\p{L}\p{N}\p{M}\p{Co}]+/gu) ?? []
  const distinct = [...new Set(words)].slice(0, MOST_WORDS)
  return distinct.length === 0 ? undefined : distinct.map((word) => `"${word}"`).join(' OR ')
}

/**
 * BM25 (SQLite FTS5, https://sqlite.org/fts5.html#the_bm25_function) over title, description and reviews.
 * An item's score is its own text's, plus half of its best review's, a quarter of the next one's and so on:
 * many lukewarm reviews cannot outweigh an item that is about the query.
 * @param allowed item keys in ascending order; everything when absent
 */
export function searchText(db: Connection, query: string, k: number, allowed?: Int32Array): TextHits {
  const match = matchExpression(query)
  if (match === undefined || k <= 0) return { keys: new Int32Array(0), scores: new Float32Array(0) }
  const mayBe = allowed === undefined ? () => true : (key: number) => contains(allowed, key)
  const scores = new Map<number, number>()
  const { own, reviews } = db.read(() => ({
    own: db
      .prepareRaw<[number, number]>(
        `SELECT rowid, -bm25(item_text, ${TITLE_WEIGHT}, ${DESCRIPTION_WEIGHT}) FROM item_text WHERE item_text MATCH ?`,
      )
      .all(match),
    reviews: db
      .prepareRaw<[number, number]>(
        `SELECT r.item, -f.rank FROM review_text f CROSS JOIN review r ON r.key = f.rowid
         WHERE f.review_text MATCH ? ORDER BY f.rank`,
      )
      .all(match),
  }))
  for (const [key, score] of own) if (mayBe(key)) scores.set(key, score)
  const nextWeight = new Map<number, number>()
  for (const [key, score] of reviews) {
    if (!mayBe(key)) continue
    const weight = nextWeight.get(key) ?? BEST_REVIEW_WEIGHT
    nextWeight.set(key, weight / 2)
    scores.set(key, (scores.get(key) ?? 0) + weight * score)
  }
  const best = [...scores].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, k)
  return {
    keys: Int32Array.from(best, ([key]) => key),
    scores: Float32Array.from(best, ([, score]) => score),
  }
}

/** Binary search in ascending numbers. */
function contains(sorted: Int32Array, key: number): boolean {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (sorted[middle] < key) low = middle + 1
    else high = middle
  }
  return sorted[low] === key
}
