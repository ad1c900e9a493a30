import { matrix, row } from '../../math/matrix.js'
import { topK } from '../../math/top-k.js'
import { chooseParameters, type RankerRecipe, rankerOf, type Scorer } from '../../ranking.js'
import { type ToWords, words } from './words.js'

/** Full-text search over the catalogue: dense item numbers, best first. */
export type TextSearch = (
  query: string,
  k: number,
) => { readonly items: Int32Array; readonly scores: Float32Array }

/** How many of the newest items are looked up. */
const RECENT = [1, 3, 10] as const
/** Hits kept per item that is looked up. */
const HITS = 1000

/**
 * Each of the person's newest items is a query, and what it finds is summed up.
 * @param search SQLite's FTS5, or `bm25Search`.
 * @param queryOf the text to look for on behalf of an item: its title, most often.
 */
export function bm25Recipe(search: TextSearch, queryOf: (item: number) => string): RankerRecipe {
  return {
    name: 'bm25',
    seedless: true,
    fit: async (context) => {
      const itemCount = context.training.itemIds.length
      const hits = new Map<number, ReturnType<TextSearch>>()
      const hitsOf = (item: number) => {
        const found = hits.get(item) ?? search(queryOf(item), HITS)
        hits.set(item, found)
        return found
      }
      const fit = async (recent: number) => rankerOf(newestItems(itemCount, recent, hitsOf))
      return fit((await chooseParameters(RECENT, fit, context)).best)
    },
  }
}

function newestItems(
  itemCount: number,
  recent: number,
  hitsOf: (item: number) => ReturnType<TextSearch>,
): Scorer {
  return {
    name: 'bm25',
    itemCount,
    scores: async (people) => {
      const scores = matrix(people.length, itemCount)
      people.forEach((person, i) => {
        const target = row(scores, i)
        for (const item of new Set(person.items.slice(-recent))) {
          const hits = hitsOf(item)
          for (let j = 0; j < hits.items.length; j++) target[hits.items[j]] += hits.scores[j]
        }
      })
      return scores
    },
  }
}

/**
 * Okapi BM25 in memory (Robertson & Zaragoza 2009, k1 = 1.2, b = 0.75, the idf of Lucene, which is never
 * negative): for catalogues that are not in a database. A repeated word of the query counts once.
 * @param texts [items] @param wordsOf what becomes of texts and queries before they are compared
 */
export function bm25Search(texts: readonly string[], wordsOf: ToWords = words): TextSearch {
  const k1 = 1.2
  const b = 0.75
  const postings = new Map<string, Map<number, number>>()
  const lengths = texts.map((text, item) => {
    const found = wordsOf(text)
    for (const word of found) {
      const counts = postings.get(word) ?? new Map<number, number>()
      counts.set(item, (counts.get(item) ?? 0) + 1)
      postings.set(word, counts)
    }
    return found.length
  })
  const meanLength = lengths.reduce((sum, length) => sum + length, 0) / Math.max(1, texts.length)
  return (query, k) => {
    const scores = new Float64Array(texts.length)
    for (const word of new Set(wordsOf(query))) {
      const counts = postings.get(word)
      if (counts === undefined) continue
      const idf = Math.log(1 + (texts.length - counts.size + 0.5) / (counts.size + 0.5))
      for (const [item, count] of counts) {
        scores[item] += (idf * count * (k1 + 1)) / (count + k1 * (1 - b + (b * lengths[item]) / meanLength))
      }
    }
    const items = topK(scores, k).filter((item) => scores[item] > 0)
    return { items, scores: Float32Array.from(items, (item) => scores[item]) }
  }
}
