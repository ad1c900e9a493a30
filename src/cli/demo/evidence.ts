import type { Answer, Recommender } from '../../index.js'
import type { Book, Bookshelf, Opinion } from './bookshelf.js'

/** Something that can be counted about every book's nearest books, and what chance would give. */
export interface Evidence {
  readonly claim: string
  /** Whether the figures are shares of 1 or numbers of readers. */
  readonly unit: 'share' | 'readers'
  readonly found: number
  /** The same figure for books drawn at random instead: computed exactly, not sampled. */
  readonly chance: number
  /** Books that the figure is a mean over. */
  readonly over: number
}

/** Nearest books that are looked at. */
export const DEPTH = 10
/** A label on more than this share of the books ("classic") says nothing about likeness. */
const COMMONPLACE = 0.25
/** From this rating on, a reader liked the book. */
const LIKED = 4

/**
 * Measures over the whole shelf whether near means alike. For kind and author each book is asked about as if it
 * were new, by its description alone: no author, no genre, no review. For readers the stored books are asked
 * about; who wrote a review is not known to the index.
 */
export async function measure(
  project: Recommender,
  { books, opinions }: Bookshelf,
  { signal, onBook }: { readonly signal: AbortSignal; readonly onBook: (done: number) => void },
): Promise<Evidence[]> {
  const byDescription = new Map<string, string[]>()
  const byItem = new Map<string, string[]>()
  for (const [i, { id, description }] of books.entries()) {
    const options = { k: DEPTH + 1, signal }
    byDescription.set(id, others(id, await project.similarToItem({ description }, options)))
    byItem.set(id, others(id, await project.similarItems(id, options)))
    onBook(i + 1)
  }
  return [genres(books, byDescription), authors(books, byDescription), readers(books, opinions, byItem)]
}

/** The nearest DEPTH books, the one asked about left out. */
function others(id: string, answer: Answer): string[] {
  return answer.items
    .map(({ itemId }) => itemId)
    .filter((itemId) => itemId !== id)
    .slice(0, DEPTH)
}

/** Mean over books of the share of their neighbours that have a telling genre in common with them. */
export function genres(books: readonly Book[], near: ReadonlyMap<string, readonly string[]>): Evidence {
  const counts = new Map<string, number>()
  for (const label of books.flatMap((book) => book.genres)) counts.set(label, (counts.get(label) ?? 0) + 1)
  const telling = new Map(
    books.map(({ id, genres: labels }) => [
      id,
      labels.filter((label) => (counts.get(label) as number) <= COMMONPLACE * books.length),
    ]),
  )
  const asked = books.filter(({ id }) => telling.get(id)?.length)
  const alike = (a: string, b: string): number =>
    telling.get(a)?.some((label) => telling.get(b)?.includes(label)) ? 1 : 0
  return compare('share', 'of the ten nearest are of its kind (share a genre)', asked, books, near, alike)
}

/** Mean over books of the number of readers who liked both the book and its neighbour. */
export function readers(
  books: readonly Book[],
  opinions: readonly Opinion[],
  near: ReadonlyMap<string, readonly string[]>,
): Evidence {
  const fans = new Map<string, Set<string>>(books.map(({ id }) => [id, new Set()]))
  for (const { item_id, user_id, rating } of opinions) {
    if (rating >= LIKED) fans.get(item_id)?.add(user_id)
  }
  const asked = books.filter(({ id }) => (fans.get(id)?.size ?? 0) > 0)
  const common = (a: string, b: string): number => {
    const first = fans.get(a) ?? new Set()
    return [...(fans.get(b) ?? [])].filter((reader) => first.has(reader)).length
  }
  return compare(
    'readers',
    'readers, on average, liked both it and a book near it',
    asked,
    books,
    near,
    common,
  )
}

/** The mean of `value` over every asked book's neighbours, against its mean over all other books. */
function compare(
  unit: Evidence['unit'],
  claim: string,
  asked: readonly Book[],
  books: readonly Book[],
  near: ReadonlyMap<string, readonly string[]>,
  value: (a: string, b: string) => number,
): Evidence {
  const rest = (id: string) => books.map((book) => book.id).filter((other) => other !== id)
  return {
    claim,
    unit,
    found: mean(asked.map(({ id }) => mean((near.get(id) ?? []).map((other) => value(id, other))))),
    chance: mean(asked.map(({ id }) => mean(rest(id).map((other) => value(id, other))))),
    over: asked.length,
  }
}

/** Share of the books by authors of several that find another by the same hand among their neighbours. */
export function authors(books: readonly Book[], near: ReadonlyMap<string, readonly string[]>): Evidence {
  const authorOf = new Map(books.map(({ id, author }) => [id, author]))
  const siblings = ({ author }: Book): number =>
    author === 'Anonymous' ? 0 : books.filter((book) => book.author === author).length - 1
  const asked = books.filter((book) => siblings(book) > 0)
  const hit = ({ id, author }: Book): number =>
    near.get(id)?.some((other) => authorOf.get(other) === author) ? 1 : 0
  return {
    claim: 'find another book by the same author among the ten nearest',
    unit: 'share',
    found: mean(asked.map(hit)),
    chance: mean(asked.map((book) => chanceOfHit(books.length - 1, siblings(book), DEPTH))),
    over: asked.length,
  }
}

/** Probability that `draws` of `total` books, without putting back, hold at least one of `wanted`. */
export function chanceOfHit(total: number, wanted: number, draws: number): number {
  let miss = 1
  for (let i = 0; i < Math.min(draws, total); i++) miss *= Math.max(0, total - wanted - i) / (total - i)
  return 1 - miss
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length
}
