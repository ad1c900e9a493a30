import { TextrecError } from '../errors.js'
import { row } from '../math/matrix.js'
import type { Matrix } from '../types.js'
import { Best } from './best.js'
import { Block, type BlockScores } from './block.js'
import {
  checkDimension,
  checkEntries,
  checkKey,
  checkNeighbourCount,
  checkStoredRow,
  unitQuery,
} from './checks.js'
import { passesAtMost, rowFilter } from './filter.js'
import { type QuantizedRows, quantizeQuery } from './quantize.js'
import { Rows } from './rows.js'
import { floorOf, KeyList, offerAll, offerPart, partOf, survey } from './select.js'
import type { Allowed, Neighbours, SearchOptions, Survey, VectorIndex } from './types.js'

/** So many rows that are in no block are searched by a plain loop (0.1 ms); beyond it they become a block. */
export const LOOSE_ROWS = 512
/** A list of allowed keys is scored row by row while it is shorter than this share of all rows. */
const FEW = 1 / 40
/** Numbers in the score matrix of one batch: 16 MB. Between batches the event loop gets its turn. */
const BATCH_SCORES = 2 ** 22
export interface ExactOptions {
  /** Threads of one search. Default 1: more only pay for batches. */
  readonly threads?: number
}

interface Question {
  readonly unit: Float32Array
  readonly best: Best
  /** What a survey is after, and finds. */
  readonly around?: { readonly wanted: number; readonly keys: KeyList; bound: number }
}

interface State {
  readonly rows: Rows
  /** Consecutive blocks from row 0 on. */
  readonly blocks: readonly Block[]
}

/**
 * Exact search. Approximate scores of all rows come from an int8 product; every row whose true score could be
 * among the k best, by the known error of its int8 form, is scored again in full. So the answer is that of a
 * plain loop over all vectors, to the last bit (the proof is at `searchBlocks`).
 */
export class ExactIndex implements VectorIndex {
  readonly kind = 'exact' as const
  readonly looseFraction = 0
  private state: State
  private sealing: Promise<void> | undefined
  /** Rows below are in a block, or on the way into one: they are not overwritten. */
  private frozen = 0
  private closed = false
  private readonly threads: number

  private constructor(rows: Rows, options: ExactOptions) {
    this.state = { rows, blocks: [] }
    this.threads = options.threads ?? 1
  }

  static empty(dim: number, options: ExactOptions = {}): ExactIndex {
    return new ExactIndex(new Rows(dim), options)
  }

  /**
   * An index over unit vectors under distinct keys. The matrix is used, not copied: do not change it.
   * @throws VECTOR_INVALID, DIMENSION_MISMATCH, OPTION_INVALID.
   */
  static async create(keys: Int32Array, vectors: Matrix, options: ExactOptions = {}): Promise<ExactIndex> {
    checkEntries(keys, vectors)
    return ExactIndex.trusted(keys, vectors, options)
  }

  /**
   * `create` for entries that were checked before, as those of a published index were.
   * @param quantized the int8 form of all rows, where it is known
   */
  static async trusted(
    keys: Int32Array,
    vectors: Matrix,
    options: ExactOptions = {},
    quantized?: QuantizedRows,
  ): Promise<ExactIndex> {
    const { dim, rows } = vectors
    const index = new ExactIndex(new Rows(dim, keys, vectors.data), options)
    if (quantized === undefined) await index.seal()
    else {
      index.frozen = rows
      const block = await Block.of(0, rows, dim, quantized, index.threads)
      index.state = { ...index.state, blocks: [block] }
    }
    return index
  }

  get dim(): number {
    return this.state.rows.dim
  }

  get size(): number {
    return this.state.rows.live
  }

  get deadFraction(): number {
    const { count, live } = this.state.rows
    return count === 0 ? 0 : (count - live) / count
  }

  has(key: number): boolean {
    return this.state.rows.rowOf(key) !== -1
  }

  vector(key: number): Float32Array | undefined {
    const found = this.state.rows.rowOf(key)
    return found === -1 ? undefined : this.state.rows.view(found).slice()
  }

  score(query: Float32Array, key: number): number | undefined {
    const { rows } = this.state
    const found = rows.rowOf(key)
    return found === -1 ? undefined : rows.score(query, found)
  }

  upsert(key: number, vector: Float32Array): void {
    checkKey(key)
    checkDimension(vector.length, this.dim)
    checkStoredRow(vector, 0, vector.length, key)
    this.state.rows.upsert(key, vector, this.frozen)
  }

  remove(key: number): boolean {
    return this.state.rows.remove(key) !== -1
  }

  async search(query: Float32Array, k: number, options: SearchOptions = {}): Promise<Neighbours> {
    return (await this.searchMany({ data: query, rows: 1, dim: query.length }, k, options))[0]
  }

  async searchMany(queries: Matrix, k: number, options: SearchOptions = {}): Promise<Neighbours[]> {
    checkNeighbourCount(k)
    const units = Array.from({ length: queries.rows }, (_, i) => unitQuery(row(queries, i), this.dim))
    if (this.closed) throw closedError()
    await this.seal()
    const { rows, blocks } = this.state
    const questions = units.map((unit) => ({ unit, best: new Best(Math.min(k, rows.live)) }))
    const few = passesAtMost(options.allowed, rows.live * FEW)
    const isFast = ({ unit }: { unit?: Float32Array }) => unit !== undefined && !few && blocks.length > 0
    const plain = questions.filter((question) => !isFast(question))
    if (plain.length > 0 && k > 0) {
      const zero = new Float32Array(this.dim)
      const allowed = rowFilter(rows, options.allowed).list()
      for (const { unit, best } of plain) offerAll(rows, unit ?? zero, allowed, best)
    }
    const fast = questions.filter(isFast) as Question[]
    if (fast.length > 0 && k > 0) await this.searchBlocks({ rows, blocks }, fast, options.allowed)
    return questions.map(({ best }) => best.take())
  }

  async survey(query: Float32Array, k: number, wanted: number): Promise<Survey> {
    return (await this.surveyMany({ data: query, rows: 1, dim: query.length }, k, wanted))[0]
  }

  async surveyMany(queries: Matrix, k: number, wanted: number): Promise<Survey[]> {
    checkNeighbourCount(k)
    const units = Array.from({ length: queries.rows }, (_, i) => unitQuery(row(queries, i), this.dim))
    if (this.closed) throw closedError()
    await this.seal()
    const { rows, blocks } = this.state
    const questions = units.map((unit) => {
      if (unit === undefined || blocks.length === 0) return undefined
      const keys = new KeyList(2 * Math.min(wanted, rows.live) + LOOSE_ROWS)
      return {
        unit,
        best: new Best(Math.min(k, rows.live)),
        around: { wanted, keys, bound: Number.NEGATIVE_INFINITY },
      }
    })
    const fast = questions.filter((question) => question !== undefined)
    if (fast.length > 0) await this.searchBlocks({ rows, blocks }, fast, undefined)
    const plain = questions.some((question) => question === undefined)
      ? await this.searchMany(queries, k)
      : undefined
    return questions.map((question, i) => {
      if (question !== undefined) {
        const { around, best } = question
        return { nearest: best.take(), around: around.keys.take(), bound: around.bound }
      }
      const around = rows.keys.subarray(0, rows.count).filter((key) => key !== 0)
      return { nearest: (plain as Neighbours[])[i], around, bound: Number.NEGATIVE_INFINITY }
    })
  }

  entries(): { readonly keys: Int32Array; readonly vectors: Matrix } {
    return this.state.rows.entries()
  }

  async close(): Promise<void> {
    if (this.closed) return
    this.closed = true
    await this.sealing?.catch(() => undefined)
    for (const block of this.state.blocks) await block.retire()
    this.state = { rows: new Rows(this.dim), blocks: [] }
  }

  /**
   * Answers questions with the help of the blocks.
   *
   * With q the query, v a row, q' and v' their int8 forms: q.v = q'.v' + (q - q').v' + q.(v - v'), so by
   * Cauchy-Schwarz the approximate score q'.v' misses by at most |q - q'| |v'| + |q| |v - v'|, all of which are
   * known. First the k rows of best approximate score are scored in full: the worst of them is a floor that the
   * true k-th score cannot be below. Then every row whose approximate score plus its error reaches the floor is
   * scored in full. What is left out lies below the floor for certain. Chunks whose best approximate score
   * cannot reach it are skipped as a whole.
   */
  private async searchBlocks(
    { rows, blocks }: State,
    questions: readonly Question[],
    allowed: Allowed | undefined,
  ): Promise<void> {
    const widest = Math.max(...blocks.map(({ quantized }) => quantized.padded))
    const step = Math.max(1, Math.floor(BATCH_SCORES / widest))
    for (const block of blocks) block.hold()
    try {
      for (let start = 0; start < questions.length; start += step) {
        const batch = questions.slice(start, start + step)
        const levels = new Uint8Array(batch.length * this.dim)
        const forms = batch.map(({ unit }, i) => quantizeQuery(unit, blocks[0].levels, levels, i * this.dim))
        const results: BlockScores[] = []
        for (const block of blocks) results.push(await block.scores(levels, batch.length))
        // No waiting from here to the end of the batch: a row that is replaced meanwhile would be missed in
        // its old place and its new one.
        const filter = rowFilter(rows, allowed)
        batch.forEach(({ around, best, unit }, i) => {
          const parts = blocks.map((block, b) => partOf(block, results[b], i))
          const floor = floorOf(rows, parts, unit, best.k, filter)
          for (let one = rowsIn(blocks); one < rows.count; one++) {
            if (filter.test(one)) best.offer(rows.score(unit, one), rows.keys[one])
          }
          for (const part of parts) offerPart(rows, part, { unit, ...forms[i] }, floor, filter, best)
          if (around === undefined) return
          around.bound = survey(rows, parts, forms[i], around.wanted, around.keys)
          for (let one = rowsIn(blocks); one < rows.count; one++) {
            if (rows.keys[one] !== 0) around.keys.add(rows.keys[one])
          }
        })
        blocks.forEach((block, b) => {
          block.reuse(results[b])
        })
      }
    } finally {
      for (const block of blocks) await block.letGo()
    }
  }

  /** Makes a block of the rows that are in none, once there are enough of them. One at a time. */
  private async seal(): Promise<void> {
    while (this.sealing !== undefined) await this.sealing
    const { rows, blocks } = this.state
    if (rows.count - rowsIn(blocks) <= LOOSE_ROWS) return
    this.sealing = this.addBlock().finally(() => {
      this.sealing = undefined
    })
    await this.sealing
  }

  private async addBlock(): Promise<void> {
    if (this.state.rows.live < this.state.rows.count / 2) {
      // Mostly dead rows: start again from the live ones. Changes from here on go to the new rows; searches
      // under way finish on the old.
      const { keys, vectors } = this.state.rows.entries()
      const old = this.state.blocks
      this.state = { rows: new Rows(this.dim, keys, vectors.data), blocks: [] }
      this.frozen = 0
      for (const block of old) await block.retire()
      if (keys.length <= LOOSE_ROWS) return
    }
    const { rows, blocks } = this.state
    // Blocks that are no larger than what comes after them are merged with it: so there are few blocks
    // (log2 of the rows), and a row is moved as few times.
    let first = rowsIn(blocks)
    const kept = [...blocks]
    while (kept.length > 0 && kept[kept.length - 1].rows <= rows.count - first) {
      first = (kept.pop() as Block).first
    }
    const end = rows.count
    this.frozen = end
    const block = await Block.create(first, end - first, this.dim, (one) => rows.view(one), this.threads)
    this.state = { rows, blocks: [...kept, block] }
    for (const merged of blocks.slice(kept.length)) await merged.retire()
  }
}

function rowsIn(blocks: readonly Block[]): number {
  const last = blocks[blocks.length - 1]
  return last === undefined ? 0 : last.first + last.rows
}

export function closedError(): TextrecError {
  return new TextrecError('PROJECT_CLOSED', 'This vector index has been closed.', 'Open it again.')
}
