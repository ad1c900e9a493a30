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
 * A word in a larger share of the items says nothing about any of them, in whatever language. BM25 knows that
 * of long texts, but in reviews of some twenty words even "to" is rare.
 */
const COMMON_SHARE = 0.15
/** In fewer items than this no word is common: a small catalogue needs every word it gets. */
const COMMON_ITEMS = 20

/** The distinct words of a query: letters, digits and their marks, in lower case. */
export function queryWords(query: string): string[] {
  const words = query.toLowerCase().match(/[\p{L}\p{N}\p{M}\p{Co}]+/gu) ?? []
  return [...new Set(words)].slice(0, MOST_WORDS)
}

/** Text for FTS5's query parser that means "any of these words": each in quotes, so that nothing is syntax. */
export function anyOf(words: readonly string[]): string {
  return words.map((word) => `"${word}"`).join(' OR ')
}

/** The words without those that most items share; all of them if nothing else is left. */
function tellingWords(db: Connection, words: readonly string[]): readonly string[] {
  const items = db.prepareRaw<[number]>('SELECT count(*) FROM item_text').get()?.[0] ?? 0
  const common = Math.max(COMMON_ITEMS, COMMON_SHARE * items)
  const count = db.prepareRaw<[number]>('SELECT count(*) FROM item_text WHERE item_text MATCH ?')
  const telling = words.filter((word) => (count.get(anyOf([word]))?.[0] ?? 0) <= common)
  return telling.length === 0 ? words : telling
}

/**
 * BM25 (SQLite FTS5, https://sqlite.org/fts5.html#the_bm25_function) over title, description and reviews.
 * An item's score is its own text's, plus half of its best review's, a quarter of the next one's and so on:
 * many lukewarm reviews cannot outweigh an item that is about the query.
 * @param allowed item keys in ascending order; everything when absent
 */
export function searchText(db: Connection, query: string, k: number, allowed?: Int32Array): TextHits {
  const words = queryWords(query)
  if (words.length === 0 || k <= 0) return { keys: new Int32Array(0), scores: new Float32Array(0) }
  const mayBe = allowed === undefined ? () => true : (key: number) => contains(allowed, key)
  const scores = new Map<number, number>()
  const { own, reviews } = db.read(() => {
    const match = anyOf(tellingWords(db, words))
    return {
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
    }
  })
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
