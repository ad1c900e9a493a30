import type { Rows } from './rows.js'
import type { Allowed } from './types.js'

/**
 * `Allowed`, in terms of rows as they are now: make a new one after every `await`. Dead rows are never allowed.
 */
export interface RowFilter {
  test(row: number): boolean
  /** How many rows pass at most, where that is known without looking at all of them. */
  readonly atMost: number
  /** Every row that passes, ascending. */
  list(): Int32Array
}

export function rowFilter(rows: Rows, allowed: Allowed | undefined): RowFilter {
  if (allowed === undefined) {
    const test = (row: number) => rows.keys[row] !== 0
    return { test, atMost: rows.live, list: () => collect(rows.count, test) }
  }
  if (allowed instanceof Int32Array) return listFilter(rows, allowed)
  if (typeof allowed === 'object' && 'mask' in allowed) {
    return {
      ...maskFilter(rows, allowed.mask),
      atMost: Math.min(allowed.size, rows.live),
      list: () => rowsOf(rows, allowed.keys),
    }
  }
  if (allowed instanceof Uint8Array) return maskFilter(rows, allowed)
  const test = (row: number) => rows.keys[row] !== 0 && allowed(rows.keys[row])
  return { test, atMost: rows.live, list: () => collect(rows.count, test) }
}

/** Whether a filter is known to let so few pass. */
export function passesAtMost(allowed: Allowed | undefined, few: number): boolean {
  if (allowed instanceof Int32Array) return allowed.length <= few
  return typeof allowed === 'object' && 'mask' in allowed && allowed.size <= few
}

function maskFilter(rows: Rows, mask: Uint8Array): RowFilter {
  const test = (row: number) => rows.keys[row] !== 0 && mask[rows.keys[row]] === 1
  return { test, atMost: rows.live, list: () => collect(rows.count, test) }
}

function listFilter(rows: Rows, allowed: Int32Array): RowFilter {
  let mask: Uint8Array | undefined
  const maskOfRows = () => {
    if (mask === undefined) {
      mask = new Uint8Array(rows.count)
      for (let i = 0; i < allowed.length; i++) {
        const row = rows.rowOf(allowed[i])
        if (row !== -1) mask[row] = 1
      }
    }
    return mask
  }
  return {
    test: (row) => maskOfRows()[row] === 1,
    atMost: Math.min(allowed.length, rows.live),
    list: () => rowsOf(rows, allowed),
  }
}

function rowsOf(rows: Rows, keys: Int32Array): Int32Array {
  const found = new Set<number>()
  for (let i = 0; i < keys.length; i++) {
    const row = rows.rowOf(keys[i])
    if (row !== -1) found.add(row)
  }
  return Int32Array.from(found).sort()
}

function collect(count: number, test: (row: number) => boolean): Int32Array {
  const found = new Int32Array(count)
  let size = 0
  for (let row = 0; row < count; row++) if (test(row)) found[size++] = row
  return found.slice(0, size)
}
