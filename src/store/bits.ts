import type { Connection, Value } from './sqlite.js'
import type { State } from './state.js'

/** A set of items: [largest key + 1], 1 at the key of every member. */
export type Bits = Uint8Array

const COMMA = 44
const ZERO = 48

/**
 * Adds the keys that a statement gives as one text, "1,5,7": a tenth of the time that as many rows take.
 * @param sql a query for one value, made by SQLite's group_concat
 */
export function addKeys(bits: Bits, db: Connection, sql: string, values: readonly Value[]): void {
  const keys = db.prepareRawPassing<[string | number | null]>(sql).get(...values)?.[0]
  if (keys === null || keys === undefined) return
  const text = String(keys)
  let key = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === COMMA) {
      bits[key] = 1
      key = 0
    } else key = key * 10 + code - ZERO
  }
  bits[key] = 1
}

/** The set of all items, read again only when the catalogue has changed. */
export class AllItems {
  private change = -1
  private bits: Bits = new Uint8Array(1)

  constructor(
    private readonly db: Connection,
    private readonly state: State,
  ) {}

  /** Inside a read transaction. Not to be written to. */
  get(): Bits {
    const change = this.state.counter('change')
    if (change !== this.change) {
      this.bits = new Uint8Array(this.size())
      addKeys(this.bits, this.db, 'SELECT group_concat(item) FROM item_state', [])
      this.change = change
    }
    return this.bits
  }

  /** Inside a read transaction: the length of a set of items. */
  size(): number {
    return (this.db.prepareRaw<[number | null]>('SELECT max(item) FROM item_state').get()?.[0] ?? 0) + 1
  }
}

// Plain loops: these run over every key of the catalogue.

export function both(a: Bits, b: Bits): Bits {
  const bits = new Uint8Array(a.length)
  for (let key = 0; key < bits.length; key++) bits[key] = a[key] & b[key]
  return bits
}

export function either(a: Bits, b: Bits): Bits {
  const bits = new Uint8Array(a.length)
  for (let key = 0; key < bits.length; key++) bits[key] = a[key] | b[key]
  return bits
}

export function without(a: Bits, b: Bits): Bits {
  const bits = new Uint8Array(a.length)
  for (let key = 0; key < bits.length; key++) bits[key] = a[key] & ~b[key]
  return bits
}

export function keysOf(bits: Bits): Int32Array {
  const keys = new Int32Array(bits.length)
  let count = 0
  for (let key = 0; key < bits.length; key++) if (bits[key] === 1) keys[count++] = key
  return keys.slice(0, count)
}
