import { matrix } from '../math/matrix.js'
import { Forward } from '../onnx/forward.js'
import { Graph } from '../onnx/graph.js'
import type { Batch } from '../onnx/optimizer-session.js'
import { serializeModel } from '../onnx/protobuf.js'
import { Session, tensor } from '../onnx/session.js'
import type { Matrix } from '../types.js'
import { bucketsOf, timeOf } from './intervals.js'
import {
  type AdapterShape,
  itemHead,
  noDropout,
  packedHistories,
  personEncoder,
  readsTimes,
} from './model.js'
import { packTails } from './sequences.js'

export type Weights = { readonly [parameter: string]: Float32Array }

/** Rows of events encoded by one run for many people, and about how many events; a question about one person is one row. */
const ROWS = 16
const EVENTS = 512
/** Few events of a person are read in a row of so many: most people have no more, and long rows take their time. */
const SHORT = 32
/** Items encoded by one run. */
const ITEMS = 8192

/**
 * The forward passes of an adapter with weights that may change between calls (validation during training).
 * Calls block the thread while they compute.
 */
export class Inference {
  private constructor(
    readonly shape: AdapterShape,
    private readonly rows: number,
    private readonly items: Forward,
    private readonly persons: Forward,
    private readonly person: Forward,
    private readonly shortPerson: Forward | undefined,
    private readonly products: Session,
  ) {}

  static async open(shape: AdapterShape, threads: number): Promise<Inference> {
    const items = await Forward.open(
      'items',
      (scope) => {
        const text = scope.batch('text', 'float32', ['items', shape.textDim])
        const ids =
          shape.idCount === 0
            ? undefined
            : {
                index: scope.batch('ids', 'int32', ['items']),
                mask: scope.batch('idMask', 'float32', ['items', 1]),
              }
        return { vectors: itemHead(scope, shape, text, noDropout, ids) }
      },
      { threads },
    )
    // Attention goes by the square of a row: what long ones take of memory stays in bounds.
    const rows = Math.max(1, Math.min(ROWS, Math.round(EVENTS / shape.length)))
    const persons = await openPersons(shape, rows, shape.length, threads)
    const person = await openPersons(shape, 1, shape.length, threads)
    const short = shape.length > SHORT ? await openPersons(shape, 1, SHORT, threads) : undefined
    return new Inference(shape, rows, items, persons, person, short, await openProducts(threads))
  }

  /**
   * [items, dim] unit rows. @param text [items, textDim] whitened
   * @param idIndex [items] row of the ID table, -1 for an item without an ID (cold)
   */
  async itemVectors(weights: Weights, text: Matrix, idIndex: Int32Array | undefined): Promise<Matrix> {
    const { dim, textDim, idCount } = this.shape
    const result = matrix(text.rows, dim)
    for (let from = 0; from < text.rows; from += ITEMS) {
      const to = Math.min(text.rows, from + ITEMS)
      const count = to - from
      const batch: { [name: string]: Batch[string] } = {
        text: text.data.subarray(from * textDim, to * textDim),
      }
      if (idCount > 0) {
        const ids = idIndex?.subarray(from, to) ?? new Int32Array(count).fill(-1)
        batch.ids = ids.map((id) => Math.max(0, id))
        batch.idMask = Float32Array.from(ids, (id) => Number(id >= 0))
      }
      result.data.set((await this.items.run(weights, batch)).vectors, from * dim)
    }
    return result
  }

  /**
   * [people, dim] unit rows; zero for an empty history.
   * @param histories rows of `items`, oldest first; the last `shape.length` of them count
   * @param times [people] when the events of each history were; read by 'sasrec-long' only
   */
  async personVectors(
    weights: Weights,
    items: Matrix,
    histories: readonly Int32Array[],
    times: readonly (Float64Array | undefined)[] = [],
  ): Promise<Matrix> {
    const { dim } = this.shape
    const result = matrix(histories.length, dim)
    const { packed, forward, rows, length } = this.rowsFor(histories)
    const vectors = new Float32Array(Math.ceil(packed.rows / rows) * rows * length * dim)
    for (let from = 0; from < packed.rows; from += rows) {
      const part = (all: Int32Array, filler: number) => {
        const some = new Int32Array(rows * length).fill(filler)
        some.set(all.subarray(from * length, (from + rows) * length))
        return some
      }
      const batch = {
        items: items.data,
        events: part(packed.events, 0),
        segments: part(packed.segments, -1),
        positions: part(packed.positions, 0),
      }
      const fed = readsTimes(this.shape.encoder)
        ? { ...batch, intervals: this.intervals(batch, length, histories, times) }
        : batch
      vectors.set((await forward.run(weights, fed)).vectors, from * length * dim)
    }
    for (const [h, last] of packed.last.entries()) {
      if (last >= 0) result.data.set(vectors.subarray(last * dim, (last + 1) * dim), h * dim)
    }
    return result
  }

  /** The histories in rows, and the pass that reads them. */
  private rowsFor(histories: readonly Int32Array[]) {
    const { length } = this.shape
    const events = histories.reduce((sum, history) => sum + history.length, 0)
    if (this.shortPerson !== undefined && events > 0 && events <= SHORT) {
      return { packed: packTails(histories, SHORT), forward: this.shortPerson, rows: 1, length: SHORT }
    }
    const packed = packTails(histories, length)
    if (packed.rows === 1) return { packed, forward: this.person, rows: 1, length }
    return { packed, forward: this.persons, rows: this.rows, length }
  }

  /** [rows, L, L] @param segments and `positions` as `packTails` makes them of the histories */
  private intervals(
    { segments, positions }: { readonly segments: Int32Array; readonly positions: Int32Array },
    length: number,
    histories: readonly Int32Array[],
    times: readonly (Float64Array | undefined)[],
  ): Int32Array {
    const { timeKind } = this.shape
    const moments = Float64Array.from(segments, (person, i) => {
      if (person < 0) return 0
      const cutOff = Math.max(0, histories[person].length - length)
      return timeOf(times[person], cutOff + positions[i], timeKind)
    })
    return bucketsOf(moments, segments, length, timeKind)
  }

  /** [people, items] inner products. */
  async scores(persons: Matrix, items: Matrix): Promise<Matrix> {
    const out = await this.products.run({
      a: tensor('float32', persons.data, [persons.rows, persons.dim]),
      b: tensor('float32', items.data, [items.rows, items.dim]),
    })
    return matrix(persons.rows, items.rows, out.c.data as Float32Array)
  }

  async close(): Promise<void> {
    const all = [this.items, this.persons, this.person, this.shortPerson, this.products]
    await Promise.all(all.map((one) => one?.close()))
  }
}

/** A pass for a fixed number of rows of `length` events. */
function openPersons(shape: AdapterShape, rows: number, length: number, threads: number): Promise<Forward> {
  const { dim } = shape
  return Forward.open(
    'persons',
    (scope) => {
      const items = scope.batch('items', 'float32', ['items', dim])
      const events = scope.ops.gatherRows(items, scope.batch('events', 'int32', [rows * length]))
      const histories = packedHistories(scope, rows, length, readsTimes(shape.encoder))
      return { vectors: personEncoder(scope, shape, events, histories, noDropout) }
    },
    { threads },
  )
}

function openProducts(threads: number): Promise<Session> {
  const graph = new Graph('scores')
  const a = graph.input('a', 'float32', ['people', 'dim'])
  const b = graph.input('b', 'float32', ['items', 'dim'])
  graph.output('c', graph.node('Gemm', [a, b], { attributes: { transB: 1 }, shape: ['people', 'items'] }))
  return Session.create(serializeModel(graph), { threads })
}
