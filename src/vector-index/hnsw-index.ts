import { setImmediate as nextTurn } from 'node:timers/promises'
import { row } from '../math/matrix.js'
import type { Matrix } from '../types.js'
import { Best } from './best.js'
import { checkDimension, checkKey, checkNeighbourCount, checkStoredRow, unitQuery } from './checks.js'
import { closedError, ExactIndex } from './exact-index.js'
import { rowFilter } from './filter.js'
import type { NativeGraph } from './hnsw-library.js'
import type { Rows } from './rows.js'
import { offerAll } from './select.js'
import type { Allowed, Neighbours, SearchOptions, Survey, VectorIndex } from './types.js'

/** Keeping one more candidate costs as much as scoring so many rows one by one. */
export const ROWS_PER_CANDIDATE = 8
/** Queries answered before the event loop gets its turn. */
const TURN = 32

/**
 * Approximate search in a graph that does not change: removed and replaced vectors are marked dead in it, and
 * what is added is searched exactly beside it. So an update costs microseconds, recall does not fall with
 * updates, and a running process never writes the graph; `deadFraction` and `looseFraction` say when to build a
 * new one. Scores are computed again from the stored vectors: those of a found neighbour are exact.
 */
export class HnswIndex implements VectorIndex {
  readonly kind = 'hnsw' as const
  private readonly added: ExactIndex
  /** Counts changes, to notice those that happen while a search waits. */
  private changes = 0
  private closed = false

  /**
   * @param rows the vectors of the graph, row i under label i.
   * @param ef candidates kept while searching.
   */
  constructor(
    private readonly rows: Rows,
    private readonly graph: NativeGraph,
    readonly ef: number,
  ) {
    this.added = ExactIndex.empty(rows.dim)
  }

  get dim(): number {
    return this.rows.dim
  }

  get size(): number {
    return this.rows.live + this.added.size
  }

  get deadFraction(): number {
    return this.rows.count === 0 ? 0 : (this.rows.count - this.rows.live) / this.rows.count
  }

  get looseFraction(): number {
    return this.size === 0 ? 0 : this.added.size / this.size
  }

  has(key: number): boolean {
    return this.rows.rowOf(key) !== -1 || this.added.has(key)
  }

  vector(key: number): Float32Array | undefined {
    const found = this.rows.rowOf(key)
    return found === -1 ? this.added.vector(key) : this.rows.view(found).slice()
  }

  score(query: Float32Array, key: number): number | undefined {
    const found = this.rows.rowOf(key)
    return found === -1 ? this.added.score(query, key) : this.rows.score(query, found)
  }

  upsert(key: number, vector: Float32Array): void {
    checkKey(key)
    checkDimension(vector.length, this.dim)
    checkStoredRow(vector, 0, vector.length, key)
    this.removeFromGraph(key)
    this.added.upsert(key, vector)
    this.changes++
  }

  remove(key: number): boolean {
    this.changes++
    return this.removeFromGraph(key) || this.added.remove(key)
  }

  async search(query: Float32Array, k: number, options: SearchOptions = {}): Promise<Neighbours> {
    return (await this.searchMany({ data: query, rows: 1, dim: query.length }, k, options))[0]
  }

  async searchMany(queries: Matrix, k: number, options: SearchOptions = {}): Promise<Neighbours[]> {
    checkNeighbourCount(k)
    const units = Array.from({ length: queries.rows }, (_, i) => unitQuery(row(queries, i), this.dim))
    if (this.closed) throw closedError()
    const answers: Neighbours[] = []
    for (let start = 0; start < units.length; start += TURN) {
      if (start > 0) await nextTurn()
      const turn = Math.min(TURN, units.length - start)
      const fresh = await this.searchAdded(queries, start, turn, k, options.allowed)
      for (let i = 0; i < turn; i++) {
        const best = new Best(Math.min(k, this.size))
        fresh[i]?.keys.forEach((key, j) => {
          best.offer(fresh[i].scores[j], key)
        })
        this.searchGraph(units[start + i], best, options)
        answers.push(best.take())
      }
    }
    return answers
  }

  async survey(query: Float32Array, k: number): Promise<Survey> {
    return (await this.surveyMany({ data: query, rows: 1, dim: query.length }, k))[0]
  }

  /** A graph says nothing of what it does not find. */
  async surveyMany(queries: Matrix, k: number): Promise<Survey[]> {
    const found = await this.searchMany(queries, k)
    const nothing = { around: new Int32Array(0), bound: Number.POSITIVE_INFINITY }
    return found.map((nearest) => ({ nearest, ...nothing }))
  }

  entries(): { readonly keys: Int32Array; readonly vectors: Matrix } {
    const keys = new Int32Array(this.size)
    const old = this.rows.entries()
    const added = this.added.entries()
    keys.set(old.keys)
    keys.set(added.keys, old.keys.length)
    const data = new Float32Array(keys.length * this.dim)
    keys.sort().forEach((key, i) => {
      data.set(this.vector(key) as Float32Array, i * this.dim)
    })
    return { keys, vectors: { data, rows: keys.length, dim: this.dim } }
  }

  async close(): Promise<void> {
    this.closed = true
    await this.added.close()
  }

  private removeFromGraph(key: number): boolean {
    const died = this.rows.remove(key)
    if (died === -1) return false
    this.graph.markDelete(died)
    return true
  }

  /**
   * What was added since the build. A vector that is replaced while we wait would be missed here and in the
   * graph: then we look again, some times, since a search may miss what changes under it.
   */
  private async searchAdded(
    queries: Matrix,
    start: number,
    rows: number,
    k: number,
    allowed: Allowed | undefined,
  ): Promise<Neighbours[]> {
    if (this.added.size === 0) return []
    const { dim } = queries
    const some = { data: queries.data.subarray(start * dim, (start + rows) * dim), rows, dim }
    for (let attempt = 0; ; attempt++) {
      const before = this.changes
      const found = await this.added.searchMany(some, k, { allowed })
      if (before === this.changes || attempt === 4) return found
    }
  }

  private searchGraph(unit: Float32Array | undefined, best: Best, options: SearchOptions): void {
    const { rows } = this
    const wanted = Math.min(best.k, rows.live)
    if (wanted === 0) return
    const filter = rowFilter(rows, options.allowed)
    if (unit === undefined) {
      offerAll(rows, new Float32Array(this.dim), filter.list(), best)
      return
    }
    const query = Array.from(unit)
    const share = filter.atMost / rows.live
    let fetch = options.allowed === undefined ? wanted : Math.ceil((1.3 * wanted) / share) + 16
    for (;;) {
      // Filtered answers lie deep in a long list, the end of which is less accurate: keep twice as many.
      const ef = Math.max(options.ef ?? this.ef, options.allowed === undefined ? fetch : 2 * fetch)
      if (ef * ROWS_PER_CANDIDATE >= filter.atMost || fetch > rows.live) {
        offerAll(rows, unit, filter.list(), best)
        return
      }
      this.graph.setEf(ef)
      const found = this.graph.searchKnn(query, fetch).neighbors.filter((label) => filter.test(label))
      if (found.length >= wanted) {
        for (const label of found) best.offer(rows.score(unit, label), rows.keys[label])
        return
      }
      fetch *= 4
    }
  }
}
