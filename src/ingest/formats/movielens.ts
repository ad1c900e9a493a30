import type { RecordKind } from '../rules.js'
import type { Layout } from './format.js'

/**
 * MovieLens (GroupLens): the CSV files with a header, the `::` .dat files without one, and u.data (ML-100K, four
 * numbers between tabs). Genres 'a|b' are a list, the year at the end of a title is an attribute too, and a tag
 * is a review without a rating; one person may give a film several tags in one second, so person, film and tag
 * together identify it.
 */
export function isMovieLens(header: readonly string[]): boolean {
  const names = new Set(header)
  return names.has('movieId') && ['genres', 'rating', 'tag'].some((name) => names.has(name))
}

/** The columns of files without a header. */
export const MOVIELENS_COLUMNS: { readonly [K in RecordKind]: readonly string[] } = {
  items: ['movieId', 'title', 'genres'],
  reviews: ['userId', 'movieId', 'tag', 'timestamp'],
  interactions: ['userId', 'movieId', 'rating', 'timestamp'],
}

const YEAR = /\((\d{4})\)\s*$/
const NO_GENRES = '(no genres listed)'
const MAX_TAG_ID = 200

export function movieLensLayout(header: readonly string[], kind: RecordKind): Layout {
  const width = header.length
  const genres = header.indexOf('genres')
  const title = header.indexOf('title')
  const tag = header.indexOf('tag')
  if (kind === 'items' && title >= 0) {
    const values = (row: readonly string[]): unknown[] => {
      const record: unknown[] = [...row]
      if (genres >= 0) record[genres] = row[genres] === NO_GENRES ? undefined : row[genres].split('|')
      const year = YEAR.exec(row[title].slice(-12))
      return [...record, year === null ? undefined : Number(year[1])]
    }
    return { names: [...header, 'year'], types: 'content', width, values }
  }
  if (kind === 'reviews' && tag >= 0) {
    const user = header.indexOf('userId')
    const movie = header.indexOf('movieId')
    const values = (row: readonly string[]): unknown[] => {
      const id = `${row[user]}/${row[movie]}/${encodeURIComponent(row[tag])}`
      return [...row, row[tag].length > MAX_TAG_ID ? undefined : id]
    }
    return { names: [...header, 'review_id'], types: 'content', width, values }
  }
  return { names: header, types: 'content', width }
}
