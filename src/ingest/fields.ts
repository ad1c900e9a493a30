import type { RecordKind } from './rules.js'

/** The fields textrec knows, by kind of record. Everything else in a record is an attribute. */
export interface FieldNames {
  items: 'id' | 'title' | 'description'
  reviews: 'id' | 'userId' | 'itemId' | 'title' | 'text' | 'rating' | 'time' | 'helpful'
  interactions: 'userId' | 'itemId' | 'value' | 'time'
}
export type FieldName = FieldNames[RecordKind]

const USER = [
  'user_id',
  'user',
  'uid',
  'reviewer_id',
  'reviewer',
  'customer_id',
  'account_id',
  'person',
  'author_id',
]
// Amazon 2023: metadata is keyed by parent_asin, so that is the item; asin names one variant of it.
const ITEM = [
  'item_id',
  'item',
  'iid',
  'parent_asin',
  'asin',
  'movie_id',
  'product_id',
  'product',
  'book_id',
  'isbn',
  'sku',
  'business_id',
  'track_id',
  'article_id',
]
const TIME = [
  'time',
  'timestamp',
  'unix_review_time',
  'unix_time',
  'unix_timestamp',
  'date',
  'datetime',
  'review_time',
  'review_date',
  'created_at',
  'event_time',
]

/**
 * The one table of synonyms. Upper and lower case, '_', '-' and spaces do not count: user_id is userId is 'User
 * ID'. Where a record has several of one field, the first of this order that holds a value is taken, and the
 * others stay as attributes.
 */
export const SYNONYMS: { readonly [K in RecordKind]: { readonly [F in FieldNames[K]]: readonly string[] } } =
  {
    items: {
      id: ['id', ...ITEM],
      title: [
        'title',
        'name',
        'item_title',
        'item_name',
        'product_title',
        'product_name',
        'movie_title',
        'book_title',
      ],
      description: [
        'description',
        'overview',
        'summary',
        'desc',
        'about',
        'synopsis',
        'plot',
        'abstract',
        'product_description',
        'item_description',
        'text',
        'content',
        'body',
      ],
    },
    reviews: {
      id: ['id', 'review_id'],
      userId: USER,
      itemId: ITEM,
      title: ['title', 'summary', 'headline', 'review_title', 'review_headline', 'review_summary'],
      text: ['text', 'review_text', 'review_body', 'review', 'body', 'comment', 'content', 'tag'],
      rating: ['rating', 'overall', 'stars', 'star_rating', 'score'],
      time: TIME,
      helpful: ['helpful', 'helpful_vote', 'helpful_votes', 'vote', 'votes'],
    },
    interactions: {
      userId: USER,
      itemId: ITEM,
      value: ['value', 'rating', 'weight', 'overall', 'stars', 'star_rating', 'score'],
      time: TIME,
    },
  }

/** Without these a record of the kind says nothing. */
export const REQUIRED: { readonly [K in RecordKind]: readonly FieldNames[K][] } = {
  items: ['id'],
  reviews: ['userId', 'itemId'],
  interactions: ['userId', 'itemId'],
}

/** `name` as it is looked up: case and separators do not count. */
export function normalName(name: string): string {
  return name
    .trim()
    .toLowerCase()
    .replace(/[_\-\s]/g, '')
}

interface Meaning {
  readonly field: FieldName
  /** Position among the synonyms of the field: smaller wins. */
  readonly rank: number
}

const MEANINGS: { readonly [K in RecordKind]: ReadonlyMap<string, Meaning> } = {
  items: meanings('items'),
  reviews: meanings('reviews'),
  interactions: meanings('interactions'),
}

function meanings(kind: RecordKind): Map<string, Meaning> {
  const table = new Map<string, Meaning>()
  for (const [field, names] of Object.entries(SYNONYMS[kind])) {
    // The field's own name leads: { userId } is understood as well as { user_id }.
    for (const [rank, name] of [field, ...names].entries()) {
      const normal = normalName(name)
      if (!table.has(normal)) table.set(normal, { field: field as FieldName, rank })
    }
  }
  return table
}

/** The field that a column name or a `--map` key stands for in a record of this kind. */
export function fieldOf(kind: RecordKind, name: string): FieldName | undefined {
  return MEANINGS[kind].get(normalName(name))?.field
}

/** How the values of one layout of columns become a record: indices into the values. */
export interface Plan {
  /** For each field its columns, best first; none where the layout does not have it. */
  readonly columns: { readonly [F in FieldName]?: readonly number[] }
  /** Columns that are attributes outright. */
  readonly rest: readonly number[]
}

/** `map` names columns outright: a mapped field is read from that column and from no other. */
export type FieldMap = { readonly [F in FieldName]?: string }

export function makePlan(kind: RecordKind, names: readonly string[], map: FieldMap): Plan {
  const mappedColumns = new Set(Object.values(map))
  const found = new Map<FieldName, { index: number; rank: number }[]>()
  const rest: number[] = []
  for (const [index, name] of names.entries()) {
    if (mappedColumns.has(name)) continue
    const meaning = MEANINGS[kind].get(normalName(name))
    if (meaning === undefined || map[meaning.field] !== undefined) {
      rest.push(index)
      continue
    }
    const columns = found.get(meaning.field) ?? []
    columns.push({ index, rank: meaning.rank })
    found.set(meaning.field, columns)
  }
  const columns: { [F in FieldName]?: readonly number[] } = {}
  for (const [field, list] of found) {
    columns[field] = list.sort((a, b) => a.rank - b.rank || a.index - b.index).map(({ index }) => index)
  }
  for (const [field, column] of Object.entries(map)) {
    const index = names.indexOf(column)
    columns[field as FieldName] = index < 0 ? [] : [index]
  }
  return { columns, rest }
}

/** The table of synonyms of one kind as an error message prints it. */
export function synonymsText(kind: RecordKind): string {
  return Object.entries(SYNONYMS[kind])
    .map(([field, names]) => `${field}: ${names.join(', ')}`)
    .join('; ')
}
