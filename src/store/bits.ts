import type { Connection, Value } from './sqlite.js'
import type { State } from './state.js'

/** A set of items: [largest key + 1 or more], 1 at the key of every member. */
export type Bits = Uint8Array

/** A set of items that does not change: asked by its mask, listed only where a list is wanted. */
export class KeySet {
  readonly size: number
  private list: Int32Array | undefined

  constructor(readonly mask: Bits) {
    this.size = count(mask)
  }

  static of(keys: Int32Array): KeySet {
    const mask = new Uint8Array(keys.reduce((most, key) => Math.max(most, key), 0) + 1)
    for (const key of keys) mask[key] = 1
    return new KeySet(mask)
  }

  has(key: number): boolean {
    return this.mask[key] === 1
  }

  /** Ascending: do not change them. */
  get keys(): Int32Array {
    this.list ??= keysOf(this.mask, this.size)
    return this.list
  }
}

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

  /** Inside a read transaction: the length of a set of items, in whole words of four bytes. */
  size(): number {
    const largest = this.db.prepareRaw<[number | null]>('SELECT max(item) FROM item_state').get()?.[0] ?? 0
    return 4 * Math.ceil((largest + 1) / 4)
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

function keysOf(bits: Bits, size: number): Int32Array {
  const keys = new Int32Array(size)
  let found = 0
  for (let key = 0; found < size; key++) if (bits[key] === 1) keys[found++] = key
  return keys
}

/** Four bytes at a time: no byte of a sum of 255 words overflows. */
function count(bits: Bits): number {
  const words = new Uint32Array(bits.buffer, bits.byteOffset, bits.length >> 2)
  let total = 0
  for (let start = 0; start < words.length; start += 255) {
    let sum = 0
    const end = Math.min(words.length, start + 255)
    for (let i = start; i < end; i++) sum = (sum + words[i]) >>> 0
    total += (sum & 255) + ((sum >>> 8) & 255) + ((sum >>> 16) & 255) + (sum >>> 24)
  }
  for (let key = words.length * 4; key < bits.length; key++) total += bits[key]
  return total
}
