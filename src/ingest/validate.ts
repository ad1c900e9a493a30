import { TextrecError } from '../errors.js'
import { isPlainObject, nearest, show } from '../options.js'
import type { Attributes, AttributeValue, Interaction, Item, Review } from '../types.js'
import { AttributeCollector } from './attributes.js'
import { type FieldName, type FieldNames, REQUIRED, SYNONYMS } from './fields.js'
import { picture, shorten } from './rejects.js'
import { type RecordKind, Refusal } from './rules.js'
import { parseHelpful, parseId, parseText, parseTime, parseValue } from './values.js'

/**
 * The record of a library call as it will be stored: what an import makes of the same record as a JSON line, but that
 * its fields must have their types (the text '5' is no rating), and that HTML entities stay as they are.
 * @param at its place in a list, for the message
 * @throws TextrecError RECORD_INVALID naming field, expected and received
 */
export function validateItem(record: unknown, at?: number): Item {
  return validated('items', record, at, (fields) => ({
    id: parseId('id', fields.id),
    title: parseText('title', fields.title, 'library'),
    description: parseText('description', fields.description, 'library'),
  }))
}

/** As validateItem. */
export function validateReview(record: unknown, at?: number): Review {
  return validated('reviews', record, at, (fields) => ({
    id: fields.id === undefined || fields.id === null ? undefined : parseId('id', fields.id),
    userId: parseId('userId', fields.userId),
    itemId: parseId('itemId', fields.itemId),
    title: parseText('title', fields.title, 'library'),
    text: parseText('text', fields.text, 'library'),
    rating: parseValue('rating', fields.rating),
    time: parseTime('time', fields.time),
    helpful: parseHelpful('helpful', fields.helpful),
  }))
}

/** As validateItem. */
export function validateInteraction(record: unknown, at?: number): Interaction {
  return validated('interactions', record, at, (fields) => ({
    userId: parseId('userId', fields.userId),
    itemId: parseId('itemId', fields.itemId),
    value: parseValue('value', fields.value),
    time: parseTime('time', fields.time),
  }))
}

/**
 * The attribute that a CSV file with this text in the column `name` gives: a number, a boolean, a date, a list or a
 * text, by its form; undefined for nothing. For texts whose type nobody knows: flags, forms, query strings.
 * @throws TextrecError RECORD_INVALID for a text that is too long
 */
export function attributeFromText(name: string, text: string): AttributeValue | undefined {
  const collector = new AttributeCollector('library')
  try {
    collector.add(name, text, 'content')
  } catch (cause) {
    throw cause instanceof Refusal ? recordInvalid(cause, 'this item') : cause
  }
  return collector.result()?.[name]
}

const SINGULAR: { readonly [K in RecordKind]: string } = {
  items: 'item',
  reviews: 'review',
  interactions: 'interaction',
}

interface FieldType {
  readonly expected: string
  readonly accepts: (value: unknown) => boolean
}

const TEXT: FieldType = { expected: 'a text', accepts: (value) => typeof value === 'string' }
const NUMBER: FieldType = { expected: 'a number', accepts: (value) => typeof value === 'number' }
const TIME: FieldType = {
  expected: 'a number (seconds or milliseconds since 1970, or a position below 1e8) or a Date',
  accepts: (value) => typeof value === 'number' || value instanceof Date,
}

/** A file cannot always say what its values are, so import reads numbers from texts; a caller can. */
const TYPES: { readonly [F in FieldName]: FieldType } = {
  ...{ id: TEXT, userId: TEXT, itemId: TEXT },
  ...{ title: TEXT, description: TEXT, text: TEXT },
  ...{ rating: NUMBER, value: NUMBER, helpful: NUMBER },
  time: TIME,
}

function validated<K extends RecordKind, R extends object>(
  kind: K,
  record: unknown,
  at: number | undefined,
  parse: (fields: { readonly [F in FieldNames[K]]?: unknown }) => R,
): R {
  const which = at === undefined ? `this ${SINGULAR[kind]}` : `${kind}[${at}]`
  try {
    if (typeof record !== 'object' || record === null || Array.isArray(record)) {
      throw new Refusal('record', 'an object', record)
    }
    const given = record as { readonly [F in FieldNames[K] | 'attributes']?: unknown }
    requireKnownFields(kind, which, given)
    requireTypes(given)
    for (const field of REQUIRED[kind]) {
      if (given[field] === undefined || given[field] === null) throw new Refusal(field, 'an id', given[field])
    }
    const fields = parse(given)
    const present = Object.entries({ ...fields, attributes: attributesOf(given.attributes) })
    return Object.fromEntries(present.filter(([, value]) => value !== undefined)) as unknown as R
  } catch (cause) {
    throw cause instanceof Refusal ? recordInvalid(cause, which) : cause
  }
}

function recordInvalid({ field, expected, received }: Refusal, which: string): TextrecError {
  const shown = typeof received === 'string' ? show(received) : shorten(picture(received))
  return new TextrecError(
    'RECORD_INVALID',
    `The field '${field}' of ${which} is ${shown}.`,
    `Expected: ${expected}.`,
  )
}

function requireKnownFields(kind: RecordKind, which: string, given: object): void {
  const known = [...Object.keys(SYNONYMS[kind]), 'attributes']
  for (const name of Object.keys(given)) {
    if (known.includes(name)) continue
    const near = nearest(name, known)
    throw new TextrecError(
      'RECORD_INVALID',
      `There is no field '${name}' for ${which}.`,
      near === undefined
        ? `There are ${known.join(', ')}; the rest goes under attributes.`
        : `Did you mean '${near}'?`,
    )
  }
}

function requireTypes(given: object): void {
  for (const [name, value] of Object.entries(given)) {
    if (name === 'attributes' || value === undefined || value === null) continue
    const { accepts, expected } = TYPES[name as FieldName]
    if (!accepts(value)) throw new Refusal(name, expected, value)
  }
}

function attributesOf(value: unknown): Attributes | undefined {
  if (value === undefined || value === null) return undefined
  if (!isPlainObject(value)) {
    throw new Refusal('attributes', 'an object { name: value }', value)
  }
  const collector = new AttributeCollector('library')
  for (const [name, attribute] of Object.entries(value)) collector.add(name, attribute, 'json')
  return collector.result()
}
