import { readFileSync } from 'node:fs'
import { sampleFiles } from 'textrec'
import { describe, expect, test } from 'vitest'
import type { Book } from '#src/cli/demo/bookshelf.js'
import { authors, chanceOfHit, genres, readers } from '#src/cli/demo/evidence.js'
import { KNOWN_BOOK, NEW_BOOK } from '#src/cli/demo/questions.js'

const book = (id: string, author: string, ...labels: string[]): Book => ({
  id,
  author,
  genres: labels,
  title: id,
  description: '',
})

/** Two sea books by one hand, two others; 'old' is on every book and must not count. */
const BOOKS = [
  book('s1', 'Melville', 'sea', 'old'),
  book('s2', 'Melville', 'sea', 'old'),
  book('l1', 'Austen', 'love', 'old'),
  book('w1', 'Tolstoy', 'war', 'old'),
  book('w2', 'Crane', 'war', 'old'),
  book('x1', 'Marx', 'politics', 'old'),
  book('x2', 'Mill', 'essays', 'old'),
  book('x3', 'Muir', 'nature', 'old'),
]

describe('evidence, on a shelf whose answers can be worked out', () => {
  const near = new Map([
    ['s1', ['s2', 'l1']],
    ['s2', ['l1', 'w1']],
    ['l1', ['s1', 's2']],
    ['w1', ['w2', 's1']],
    ['w2', ['w1', 'x1']],
    ['x1', ['x2', 'x3']],
    ['x2', ['x1', 'x3']],
    ['x3', ['x1', 'x2']],
  ])

  test('genres: mean over books of the share of neighbours of their kind', () => {
    const { found, chance, over } = genres(BOOKS, near)
    expect(over).toBe(8)
    expect(found).toBeCloseTo((1 / 2 + 0 + 0 + 1 / 2 + 1 / 2 + 0 + 0 + 0) / 8)
    expect(chance).toBeCloseTo((4 * (1 / 7)) / 8) // s1, s2, w1, w2 have one like them among seven
  })

  test('authors: share of the books by authors of several that find another', () => {
    const { found, over, chance } = authors(BOOKS, near)
    expect(over).toBe(2)
    expect(found).toBe(0.5)
    expect(chance).toBe(1) // ten draws from seven books hold them all
  })

  test('readers: mean number of readers who liked both', () => {
    const opinions = [
      { user_id: 'u', item_id: 's1', rating: 5 },
      { user_id: 'u', item_id: 's2', rating: 4 },
      { user_id: 'u', item_id: 'l1', rating: 2 },
      { user_id: 'v', item_id: 's1', rating: 4 },
    ]
    const { found, chance, over } = readers(BOOKS, opinions, near)
    expect(over).toBe(2)
    expect(found).toBeCloseTo((1 / 2 + 0) / 2)
    expect(chance).toBeCloseTo(1 / 7)
  })
})

test('chanceOfHit is the hypergeometric one', () => {
  expect(chanceOfHit(4, 1, 2)).toBeCloseTo(1 / 2)
  expect(chanceOfHit(5, 2, 2)).toBeCloseTo(1 - (3 / 5) * (2 / 4))
  expect(chanceOfHit(10, 0, 5)).toBe(0)
})

test('the demo asks for a book that the sample holds and for one that it does not', () => {
  const books = readFileSync(sampleFiles().items, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Book)
  expect(books.map(({ id }) => id)).toContain(KNOWN_BOOK)
  expect(books.map(({ title }) => title)).not.toContain(NEW_BOOK.title)
})
