import { TextrecError } from '../errors.js'
import { show } from '../options.js'
import type { Attributes, AttributeValue } from '../types.js'
import type { Connection, Value } from './sqlite.js'
import { wellFormed } from './text.js'

/** 'n' number, 'b' boolean, 'd' date in milliseconds, 't' text, 'e' an empty list. */
export type AttributeKind = 'n' | 'b' | 'd' | 't' | 'e'

/**
 * Attributes as JSON with sorted names, so that the same attributes give the same text. Dates become
 * { "$date": ISO }, everything else is itself. Undefined or empty attributes give null.
 * @throws RECORD_INVALID for a value that cannot be kept, naming it.
 */
export function encodeAttributes(attributes: Attributes | undefined, record: string): string | null {
  if (attributes === undefined) return null
  const parts: string[] = []
  for (const name of Object.keys(attributes).sort()) {
    const value = attributes[name]
    if (value === undefined) continue
    parts.push(`${JSON.stringify(wellFormed(name))}:${encodeValue(value, record, name)}`)
  }
  return parts.length === 0 ? null : `{${parts.join(',')}}`
}

function encodeValue(value: AttributeValue, record: string, name: string): string {
  if (typeof value === 'string') return JSON.stringify(wellFormed(value))
  if (typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value))) {
    return JSON.stringify(value)
  }
  if (value instanceof Date && !Number.isNaN(value.getTime())) return `{"$date":"${value.toISOString()}"}`
  if (Array.isArray(value) && value.every((element) => typeof element === 'string')) {
    return JSON.stringify(value.map(wellFormed))
  }
  throw new TextrecError(
    'RECORD_INVALID',
    `${record}: attribute ${JSON.stringify(name)} is ${value instanceof Date ? 'an invalid date' : show(value)}.`,
    'Attributes are finite numbers, booleans, dates, texts, or lists of texts.',
  )
}

/** The inverse of `encodeAttributes`; undefined for null. */
export function decodeAttributes(json: string | null): Attributes | undefined {
  if (json === null) return undefined
  const attributes = JSON.parse(json) as { [name: string]: AttributeValue | { $date: string } }
  for (const name of Object.keys(attributes)) {
    const value = attributes[name]
    if (typeof value === 'object' && '$date' in value) {
      // defineProperty, because an attribute may be called __proto__.
      Object.defineProperty(attributes, name, {
        value: new Date(value.$date),
        enumerable: true,
        writable: true,
        configurable: true,
      })
    }
  }
  return attributes as Attributes
}

/** The typed rows of one attribute value, in list order. */
export function attributeRows(value: AttributeValue): { kind: AttributeKind; value: Value }[] {
  if (typeof value === 'string') return [{ kind: 't', value }]
  if (typeof value === 'number') return [{ kind: 'n', value }]
  if (typeof value === 'boolean') return [{ kind: 'b', value: value ? 1 : 0 }]
  if (value instanceof Date) return [{ kind: 'd', value: value.getTime() }]
  if (value.length === 0) return [{ kind: 'e', value: null }]
  return value.map((element) => ({ kind: 't', value: element }))
}

/** Keeps the filter rows of items in step with their attributes. */
export class AttributeRows {
  /** Names seen by this connection. Rows of attribute_name are never deleted, so this cannot go stale. */
  private readonly names = new Map<string, number>()

  constructor(private readonly db: Connection) {
    db.onRollback(() => this.names.clear())
  }

  /** Replaces the rows of `item` by those of the encoded attributes; what is derived (place -1) stays. */
  replace(item: number, json: string | null): void {
    this.db.prepare('DELETE FROM item_attribute WHERE item = ? AND position >= 0').run(item)
    const attributes = decodeAttributes(json)
    if (attributes === undefined) return
    const insert = this.db.prepare('INSERT INTO item_attribute VALUES (?, ?, ?, ?, ?)')
    for (const name of Object.keys(attributes)) {
      const nameKey = this.nameKey(name)
      for (const [position, row] of attributeRows(attributes[name]).entries()) {
        insert.run(item, nameKey, position, row.kind, row.value)
      }
    }
  }

  private nameKey(name: string): number {
    let key = this.names.get(name)
    if (key === undefined) {
      key =
        this.db.prepareRaw<[number]>('SELECT key FROM attribute_name WHERE name = ?').get(name)?.[0] ??
        this.db.prepare('INSERT INTO attribute_name (name) VALUES (?)').insert(name)
      this.names.set(name, key)
    }
    return key
  }
}
