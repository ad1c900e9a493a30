import { existsSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { TextrecError } from '../errors.js'
import { validateItem, validateReview } from '../ingest/index.js'
import { nearest, show } from '../options.js'
import type { Item, Review } from '../types.js'

/** An item that is asked about and not stored. */
export interface NewItem extends Pick<Item, 'title' | 'description' | 'attributes'> {
  readonly reviews?: readonly Pick<Review, 'title' | 'text' | 'rating' | 'time' | 'helpful'>[]
}

/** What a caller without types may have given instead of a text. @throws OPTION_INVALID */
export function requireText(call: string, what: string, value: unknown): string {
  if (typeof value === 'string') return value
  throw new TextrecError('OPTION_INVALID', `${call}: ${what} is ${show(value)}.`, 'It must be a text.')
}

/** An object with no names but `known`. @throws OPTION_INVALID, OPTION_UNKNOWN naming the nearest known one */
export function requireKnownNames(call: string, value: unknown, known: readonly string[]): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TextrecError(
      'OPTION_INVALID',
      `${call} was given ${show(value)}.`,
      `Pass { ${known.join(', ')} }.`,
    )
  }
  for (const name of Object.keys(value)) {
    if (known.includes(name)) continue
    const near = nearest(name, known)
    throw new TextrecError(
      'OPTION_UNKNOWN',
      `${call}: there is no '${name}'.`,
      near === undefined ? `There are ${known.join(', ')}.` : `Did you mean '${near}'?`,
    )
  }
}

/** The records of one kind, none when absent. @throws RECORD_INVALID for what is no list */
export function requireRecords<T>(call: string, what: string, value: readonly T[] | undefined): readonly T[] {
  if (value === undefined) return []
  // Holes become undefined, which is no record: `map` would pass them over.
  if (Array.isArray(value)) return Array.from(value)
  throw new TextrecError('RECORD_INVALID', `${call}: ${what} is ${show(value)}.`, 'It must be a list.')
}

/** A list of texts. @throws OPTION_INVALID */
export function requireTexts(call: string, what: string, value: unknown): readonly string[] {
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value
  throw new TextrecError(
    'OPTION_INVALID',
    `${call}: ${what} is ${show(value)}.`,
    'It must be a list of texts.',
  )
}

/** The item as it would be stored, checked field by field like one of a file. @throws RECORD_INVALID */
export function checkedNewItem(call: string, given: unknown): NewItem {
  requireKnownNames(call, given, ['title', 'description', 'attributes', 'reviews'])
  const { reviews = [], ...rest } = given as NewItem
  if (!Array.isArray(reviews)) {
    throw new TextrecError('RECORD_INVALID', `${call}: reviews is ${show(reviews)}.`, 'It must be a list.')
  }
  const { title, description, attributes } = validateItem({ ...rest, id: 'new item' })
  return {
    title,
    description,
    attributes,
    reviews: reviews.map((review) => {
      requireKnownNames(`${call}: a review`, review, ['title', 'text', 'rating', 'time', 'helpful'])
      return validateReview({ ...(review as object), userId: 'somebody', itemId: 'new item' })
    }),
  }
}

/** A folder of a model by its whole path, so that the project can be opened from anywhere; names stay names. */
export function encoderName(name: string | undefined): string | undefined {
  return name !== undefined && existsSync(name) && statSync(name).isDirectory() ? resolve(name) : name
}
