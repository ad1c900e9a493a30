import type { Matrix } from '../types.js'
import { KeyTable } from './key-table.js'

/**
 * The inner product of a query and one row, in float64, rounded to float32: the one definition of a score, so
 * that every way to find a neighbour gives it the same score to the last bit.
 */
export function innerProduct(query: Float32Array, data: Float32Array, start: number): number {
  const dim = query.length
  const whole = dim - (dim % 4)
  let a = 0
  let b = 0
  let c = 0
  let d = 0
  for (let i = 0; i < whole; i += 4) {
    a += query[i] * data[start + i]
    b += query[i + 1] * data[start + i + 1]
    c += query[i + 2] * data[start + i + 2]
    d += query[i + 3] * data[start + i + 3]
  }
  for (let i = whole; i < dim; i++) a += query[i] * data[start + i]
  return Math.fround(a + b + (c + d))
}

/**
 * Vectors in rows that keep their number: a removed row dies and is not used again, a replaced one dies and
 * the new one is appended (unless it is young enough to be overwritten). Rows are what the fast searches see;
 * keys are what callers see.
 */
export class Rows {
  /** All rows ever, dead ones too. */
  count: number
  live: number
  /** [count] the key of a row, 0 when it is dead. */
  keys: Int32Array
  private readonly base: Float32Array
  private readonly baseRows: number
  private tail: Float32Array
  private readonly table: KeyTable

  /** Starts from unit vectors under distinct keys; the matrix is used, not copied, and must not change. */
  constructor(
    readonly dim: number,
    keys: Int32Array = new Int32Array(0),
    data: Float32Array = new Float32Array(0),
  ) {
    this.count = keys.length
    this.live = keys.length
    this.keys = keys.slice()
    this.base = data
    this.baseRows = keys.length
    this.tail = new Float32Array(0)
    this.table = new KeyTable(keys.length)
    for (let row = 0; row < keys.length; row++) this.table.set(keys[row], row)
  }

  /** -1 if there is none. */
  rowOf(key: number): number {
    return this.table.get(key)
  }

  score(query: Float32Array, row: number): number {
    return row < this.baseRows
      ? innerProduct(query, this.base, row * this.dim)
      : innerProduct(query, this.tail, (row - this.baseRows) * this.dim)
  }

  /** A view: valid until the next upsert. */
  view(row: number): Float32Array {
    return row < this.baseRows
      ? this.base.subarray(row * this.dim, (row + 1) * this.dim)
      : this.tail.subarray((row - this.baseRows) * this.dim, (row - this.baseRows + 1) * this.dim)
  }

  /** @param frozen rows below this number are not overwritten. */
  upsert(key: number, vector: Float32Array, frozen: number): void {
    const known = this.rowOf(key)
    if (known >= Math.max(frozen, this.baseRows)) {
      this.tail.set(vector, (known - this.baseRows) * this.dim)
      return
    }
    if (known !== -1) this.keys[known] = 0
    else this.live++
    const row = this.count++
    const tailRows = this.count - this.baseRows
    if (tailRows * this.dim > this.tail.length) {
      const grown = new Float32Array(Math.max(64, 2 * tailRows) * this.dim)
      grown.set(this.tail)
      this.tail = grown
    }
    if (this.count > this.keys.length) {
      const grown = new Int32Array(Math.max(64, this.count + this.count / 4))
      grown.set(this.keys)
      this.keys = grown
    }
    this.keys[row] = key
    this.tail.set(vector, (row - this.baseRows) * this.dim)
    this.table.set(key, row)
  }

  /** The row that died, or -1. */
  remove(key: number): number {
    const row = this.rowOf(key)
    if (row === -1) return -1
    this.keys[row] = 0
    this.table.delete(key)
    this.live--
    return row
  }

  /** Live entries, keys ascending, copied. */
  entries(): { keys: Int32Array; vectors: Matrix } {
    const keys = this.keys
      .subarray(0, this.count)
      .filter((key) => key !== 0)
      .sort()
    const data = new Float32Array(keys.length * this.dim)
    keys.forEach((key, i) => {
      data.set(this.view(this.rowOf(key)), i * this.dim)
    })
    return { keys, vectors: { data, rows: keys.length, dim: this.dim } }
  }
}
