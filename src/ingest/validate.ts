import { TextrecError } from '../errors.js'
import { nearest } from '../options.js'
import type { Attributes, Interaction, Item, Review } from '../types.js'
import { AttributeCollector } from './attributes.js'
import { type FieldNames, REQUIRED, SYNONYMS } from './fields.js'
import { picture, shorten } from './rejects.js'
import { type RecordKind, Refusal } from './rules.js'
import { parseHelpful, parseId, parseText, parseTime, parseValue } from './values.js'

/** The record as it will be stored. @throws TextrecError RECORD_INVALID naming field, expected and received */
export function validateItem(record: unknown): Item {
  return validated('items', record, (fields) => ({
    id: parseId('id', fields.id),
    title: parseText('title', fields.title, 'library'),
    description: parseText('description', fields.description, 'library'),
  }))
}

/** As validateItem. */
export function validateReview(record: unknown): Review {
  return validated('reviews', record, (fields) => ({
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
export function validateInteraction(record: unknown): Interaction {
  return validated('interactions', record, (fields) => ({
    userId: parseId('userId', fields.userId),
    itemId: parseId('itemId', fields.itemId),
    value: parseValue('value', fields.value),
    time: parseTime('time', fields.time),
  }))
}

const SINGULAR: { readonly [K in RecordKind]: string } = {
  items: 'item',
  reviews: 'review',
  interactions: 'interaction',
}

function validated<K extends RecordKind, R extends object>(
  kind: K,
  record: unknown,
  parse: (fields: { readonly [F in FieldNames[K]]?: unknown }) => R,
): R {
  try {
    if (typeof record !== 'object' || record === null || Array.isArray(record)) {
      throw new Refusal('record', 'an object', record)
    }
    const given = record as { readonly [F in FieldNames[K] | 'attributes']?: unknown }
    const known = [...Object.keys(SYNONYMS[kind]), 'attributes']
    for (const name of Object.keys(given)) {
      if (known.includes(name)) continue
      const near = nearest(name, known)
      const hint =
        near === undefined ? `only ${known.join(', ')}, and the rest under attributes` : `'${near}'`
      throw new Refusal(name, hint, 'an unknown field')
    }
    for (const field of REQUIRED[kind]) {
      if (given[field] === undefined || given[field] === null) throw new Refusal(field, 'an id', given[field])
    }
    const fields = parse(given)
    const present = Object.entries({ ...fields, attributes: attributesOf(given.attributes) })
    return Object.fromEntries(present.filter(([, value]) => value !== undefined)) as unknown as R
  } catch (cause) {
    if (!(cause instanceof Refusal)) throw cause
    const { field, expected, received } = cause
    throw new TextrecError(
      'RECORD_INVALID',
      `The field '${field}' of this ${SINGULAR[kind]} is ${shorten(picture(received))}.`,
      `Expected: ${expected}.`,
    )
  }
}

function attributesOf(value: unknown): Attributes | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new Refusal('attributes', 'an object { name: value }', value)
  }
  const collector = new AttributeCollector('library')
  for (const [name, attribute] of Object.entries(value)) collector.add(name, attribute, 'json')
  return collector.result()
}
