import type { Interaction } from '../types.js'
import { PackedInteractions } from './packed.js'

/**
 * So many rows are put in order at a time. A table of ten million takes 120,000 pages: fewer rows would touch most of
 * them once more.
 */
const HELD_ROWS = 500_000
/** Long rows are written earlier: after so many bytes of the file. */
const HELD_BYTES = 32 * 2 ** 20
/** Rows are held where more than one in so many belongs before the row ahead of it. */
const IN_ORDER = 10

/** Above every key: keys are below 2^31. */
const FIRST_NEWCOMER = 2 ** 31
/** More than the rows held: a row's place and its number share one exact double. */
const NUMBERS = 2 ** 21

/**
 * Interactions held back to be written in the order of the store's table, which goes by person. In a file that goes by
 * time, a batch of some thousand rows touches as many pages of a large table, and each page is written anew with every
 * batch; half a million rows in order touch it once.
 *
 * The order is: people whom the store knows by their keys, newcomers as they came, and what one person did as it came.
 * It is the same after an earlier run broke off, because newcomers are given keys in that very order: a rerun goes
 * through the same transactions.
 */
export class HeldInteractions {
  private batches: { readonly rows: PackedInteractions; readonly places: Float64Array }[] = []
  private rows = 0
  private bytes = 0
  private placeOf = new Map<string, number>()
  private newcomers = 0

  /** @param userKeys [ids] the key of each person, undefined for those whom the store does not know */
  constructor(private readonly userKeys: (ids: readonly string[]) => readonly (number | undefined)[]) {}

  get isFull(): boolean {
    return this.rows >= HELD_ROWS || this.bytes >= HELD_BYTES
  }

  get isEmpty(): boolean {
    return this.rows === 0
  }

  /**
   * Holds the next rows of the file, read from so many bytes. False where nothing is held and they are in order: then
   * they are to be written as they are.
   */
  hold(rows: readonly Interaction[], bytes: number): boolean {
    const places = this.placesOf(rows)
    const steppedBack = places.filter((place, i) => i > 0 && place < places[i - 1]).length
    if (this.isEmpty && steppedBack * IN_ORDER <= rows.length) {
      this.forget()
      return false
    }
    this.batches.push({ rows: new PackedInteractions(rows), places })
    this.rows += rows.length
    this.bytes += bytes
    return true
  }

  /** Everything held, in order, so many rows at a time; nothing is held afterwards. */
  *taken(size: number): Generator<Interaction[], void, undefined> {
    const { batches } = this
    const order = new Float64Array(this.rows)
    const batchOf = new Uint16Array(this.rows)
    const firsts: number[] = []
    let number = 0
    for (const [batch, { places }] of batches.entries()) {
      firsts.push(number)
      for (const place of places) {
        batchOf[number] = batch
        order[number] = place * NUMBERS + number
        number++
      }
    }
    this.forget()
    order.sort()
    for (let start = 0; start < order.length; start += size) {
      yield Array.from(order.subarray(start, start + size), (packed) => {
        const row = packed % NUMBERS
        return batches[batchOf[row]].rows.row(row - firsts[batchOf[row]])
      })
    }
  }

  /** [rows] */
  private placesOf(rows: readonly Interaction[]): Float64Array {
    const strangers = new Set<string>()
    for (const { userId } of rows) if (!this.placeOf.has(userId)) strangers.add(userId)
    const ids = [...strangers]
    for (const [i, key] of this.userKeys(ids).entries()) {
      this.placeOf.set(ids[i], key ?? FIRST_NEWCOMER + this.newcomers++)
    }
    return Float64Array.from(rows, ({ userId }) => this.placeOf.get(userId) as number)
  }

  private forget(): void {
    this.batches = []
    this.rows = 0
    this.bytes = 0
    this.placeOf = new Map()
    this.newcomers = 0
  }
}
