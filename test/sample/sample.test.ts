import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'

interface Book {
  readonly id: string
  readonly title: string
  readonly author: string
  readonly year: number
  readonly language: string
  readonly genres: readonly string[]
  readonly pages: number
  readonly description: string
}
interface Review {
  readonly user_id: string
  readonly item_id: string
  readonly rating: number
  readonly title?: string
  readonly text: string
  readonly date: string
  readonly helpful?: number
}

const lines = <T>(url: URL): T[] =>
  readFileSync(url, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as T)
const books = lines<Book>(new URL('../../src/sample/books.jsonl', import.meta.url))
const reviews = lines<Review>(new URL('../../src/sample/reviews.jsonl', import.meta.url))

const words = (text: string): string[] =>
  text
    .toLowerCase()
    .normalize('NFKD')
    .replace(/['’]/g, '')
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim()
    .split(' ')

/** Runs of six words that occur in two different texts. */
function sharedRuns(texts: readonly string[]): string[] {
  const owner = new Map<string, number>()
  const shared: string[] = []
  texts.forEach((text, index) => {
    const list = words(text)
    for (let i = 0; i + 6 <= list.length; i++) {
      const run = list.slice(i, i + 6).join(' ')
      const first = owner.get(run)
      if (first === undefined) owner.set(run, index)
      else if (first !== index) shared.push(run)
    }
  })
  return shared
}

function grouped<K extends 'user_id' | 'item_id'>(key: K): Map<string, Review[]> {
  const groups = new Map<string, Review[]>()
  for (const review of reviews) groups.set(review[key], [...(groups.get(review[key]) ?? []), review])
  return groups
}
const byReader = grouped('user_id')
const byBook = grouped('item_id')
const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length

test('the check for shared runs sees one', () => {
  expect(sharedRuns(['One, two three four five: six!', 'zero one two three four five six'])).toEqual([
    'one two three four five six',
  ])
  expect(sharedRuns(['one two three four five six', 'one two three four five seven'])).toEqual([])
})

describe('books', () => {
  test('there are enough of them, with unique ids and titles', () => {
    expect(books.length).toBeGreaterThanOrEqual(160)
    expect(new Set(books.map((book) => book.id)).size).toBe(books.length)
    expect(new Set(books.map((book) => book.title)).size).toBe(books.length)
  })

  test.each(books.map((book) => [book.id, book] as const))('%s has plausible fields', (_id, book) => {
    expect(book.id).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/)
    expect(book.title).not.toBe('')
    expect(book.author).not.toBe('')
    expect(book.language).toMatch(/^[A-Z]/)
    expect(Number.isInteger(book.year) && book.year >= -800 && book.year < 1929).toBe(true)
    expect(Number.isInteger(book.pages) && book.pages >= 20 && book.pages <= 2000).toBe(true)
    expect(book.genres.length).toBeGreaterThanOrEqual(1)
    expect(book.genres.length).toBeLessThanOrEqual(4)
    expect(new Set(book.genres).size).toBe(book.genres.length)
    const sentences = book.description.split(/(?<=[.!?])\s+/)
    expect(sentences.length).toBeGreaterThanOrEqual(2)
    expect(sentences.length).toBeLessThanOrEqual(3)
    expect(book.description).toMatch(/[.!?]$/)
  })

  test('no two descriptions share six words in a row', () => {
    expect(sharedRuns(books.map((book) => book.description))).toEqual([])
  })

  test('some have no reviews, some very many, most a few', () => {
    const counts = books.map((book) => byBook.get(book.id)?.length ?? 0)
    expect(counts.filter((count) => count === 0).length).toBeGreaterThanOrEqual(10)
    expect(counts.filter((count) => count >= 15).length).toBeGreaterThanOrEqual(10)
    expect(counts.filter((count) => count >= 1 && count <= 4).length).toBeGreaterThan(books.length / 2)
  })
})

describe('reviews', () => {
  test('there are enough of them, by enough readers', () => {
    expect(reviews.length).toBeGreaterThanOrEqual(940)
    expect(byReader.size).toBeGreaterThanOrEqual(66)
    for (const [reader, list] of byReader) {
      expect(list.length, reader).toBeGreaterThanOrEqual(8)
      expect(list.length, reader).toBeLessThanOrEqual(28)
    }
  })

  test('each is of a known book, once per reader, with a valid rating, date and votes', () => {
    const ids = new Set(books.map((book) => book.id))
    const seen = new Set<string>()
    for (const review of reviews) {
      const name = `${review.user_id} on ${review.item_id}`
      expect(seen.has(name), name).toBe(false)
      seen.add(name)
      expect(ids.has(review.item_id), name).toBe(true)
      expect([1, 2, 3, 4, 5], name).toContain(review.rating)
      expect(new Date(review.date).toISOString().slice(0, 10), name).toBe(review.date)
      expect(review.date >= '2019-01-01' && review.date <= '2025-06-30', name).toBe(true)
      expect(words(review.text).length, name).toBeGreaterThanOrEqual(12)
      expect(words(review.text).length, name).toBeLessThanOrEqual(60)
      expect(review.title, name).not.toBe('')
      expect(
        review.helpful === undefined || (Number.isInteger(review.helpful) && review.helpful > 0),
        name,
      ).toBe(true)
    }
  })

  test('they are in order of date and each reader is spread over years', () => {
    expect(reviews.map((review) => review.date)).toEqual(reviews.map((review) => review.date).sort())
    for (const [reader, list] of byReader) {
      const years = new Set(list.map((review) => review.date.slice(0, 4)))
      expect(years.size, reader).toBeGreaterThanOrEqual(4)
    }
  })

  test('ratings use the whole scale and lean friendly', () => {
    const ratings = reviews.map((review) => review.rating)
    expect(new Set(ratings).size).toBe(5)
    expect(mean(ratings)).toBeGreaterThan(3.7)
    expect(mean(ratings)).toBeLessThan(4.15)
    const readerMeans = [...byReader.values()].map((list) => mean(list.map((review) => review.rating)))
    expect(Math.min(...readerMeans)).toBeLessThan(3)
  })

  test('no two share six words in a row, nor do a review and a description', () => {
    expect(
      sharedRuns([...reviews.map((review) => review.text), ...books.map((book) => book.description)]),
    ).toEqual([])
  })
})

describe('tastes', () => {
  const readers = [...byReader.values()].map((list) => {
    const half = Math.floor(list.length / 2)
    return { early: list.slice(0, half), late: list.slice(half) }
  })
  const genresOf = new Map(books.map((book) => [book.id, book.genres]))

  test('many pairs of readers have read the same books', () => {
    const sets = [...byReader.values()].map((list) => new Set(list.map((review) => review.item_id)))
    let pairs = 0
    for (let a = 0; a < sets.length; a++)
      for (let b = a + 1; b < sets.length; b++)
        if ([...sets[a]].filter((id) => sets[b].has(id)).length >= 3) pairs++
    expect(pairs).toBeGreaterThanOrEqual(300)
  })

  // Other readers' pasts carry the popularity of the well-known books too, so a gap between the two is taste.
  test("a reader's earlier genres foretell the later ones better than other readers' do", () => {
    const profile = (list: readonly Review[]): Map<string, number> => {
      const weights = new Map<string, number>()
      for (const review of list)
        for (const genre of genresOf.get(review.item_id)!) weights.set(genre, (weights.get(genre) ?? 0) + 1)
      return weights
    }
    const cosine = (a: Map<string, number>, b: Map<string, number>): number => {
      const norm = (map: Map<string, number>) => Math.hypot(...map.values())
      let dot = 0
      for (const [genre, weight] of a) dot += weight * (b.get(genre) ?? 0)
      return dot / (norm(a) * norm(b))
    }
    const early = readers.map((reader) => profile(reader.early))
    const late = readers.map((reader) => profile(reader.late))
    const own = mean(late.map((map, reader) => cosine(map, early[reader])))
    const others = mean(
      late.map((map, reader) =>
        mean(early.filter((_, other) => other !== reader).map((past) => cosine(map, past))),
      ),
    )
    expect(own).toBeGreaterThan(others + 0.1)
  })

  test('readers who shared books early go on to share more later than readers who did not', () => {
    const share = (a: readonly Review[], b: readonly Review[]): number =>
      a.filter((review) => b.some((other) => other.item_id === review.item_id)).length
    const near: number[] = []
    const far: number[] = []
    for (let a = 0; a < readers.length; a++)
      for (let b = a + 1; b < readers.length; b++) {
        const later = share(readers[a].late, readers[b].late)
        if (share(readers[a].early, readers[b].early) >= 2) near.push(later)
        else if (share(readers[a].early, readers[b].early) === 0) far.push(later)
      }
    expect(near.length).toBeGreaterThan(50)
    expect(mean(near)).toBeGreaterThan(1.3 * mean(far))
  })
})
