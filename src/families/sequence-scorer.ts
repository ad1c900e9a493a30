import { type AdapterShape, bucketsOf, noDropout, packedHistories, packTails } from '../adapter/index.js'
import { matrix, row } from '../math/matrix.js'
import { Forward } from '../onnx/forward.js'
import type { Scorer } from '../ranking.js'
import type { Matrix, Person, TimeKind } from '../types.js'
import type { Weights } from './family.js'
import { itemVectors, type SequenceReader } from './sequence-network.js'

/** Events that one run reads, about. */
const EVENTS = 512
/** Items whose vectors one run makes. */
const ITEMS = 8192

/** A catalogue as a trained model sees it. */
export interface SequenceCatalogue {
  readonly items: number
  /** [items, W] whitened; absent for IDs alone. */
  readonly text?: Matrix
  /** [items] rows of the ID table, -1 for items that nobody took; absent for text alone. */
  readonly index?: Int32Array
  readonly timeKind?: TimeKind
}

/** Scores are the products of a person's vector after their last event with every item's. */
export async function sequenceScorer(
  name: string,
  reader: SequenceReader,
  shape: AdapterShape,
  catalogue: SequenceCatalogue,
  weights: Weights,
  threads: number,
): Promise<Scorer> {
  const items = await allItems(name, shape, catalogue, weights, threads)
  const { length, dim } = shape
  const rows = Math.max(1, Math.round(EVENTS / length))
  const people = await Forward.open(
    `${name} people`,
    (scope) => {
      const table = scope.batch('items', 'float32', [items.rows, dim])
      const events = scope.ops.gatherRows(table, scope.batch('events', 'int32', [rows * length]))
      const histories = packedHistories(scope, rows, length, reader.readsTimes)
      return { people: reader.read(scope, shape, events, histories, noDropout) }
    },
    { threads },
  )
  const products = await Forward.open(
    `${name} products`,
    ({ ops, batch }) => {
      const asked = batch('people', 'float32', ['people', dim])
      return {
        scores: ops.matmul(asked, batch('items', 'float32', [items.rows, dim]), { transposeB: true }),
      }
    },
    { threads },
  )
  const vectorsOf = async (asked: readonly Person[]): Promise<Matrix> => {
    const vectors = matrix(asked.length, dim)
    const tails = packTails(
      asked.map((person) => person.items),
      length,
    )
    const last = placesByEvent(asked, length)
    const size = rows * length
    for (let from = 0; from < tails.events.length; from += size) {
      const part = (all: Int32Array, filler: number) => {
        const some = new Int32Array(size).fill(filler)
        some.set(all.subarray(from, from + size))
        return some
      }
      const [events, segments] = [part(tails.events, 0), part(tails.segments, -1)]
      const batch = { items: items.data, events, segments, positions: part(tails.positions, 0) }
      const times = () => Float64Array.from(segments, (segment, i) => last(segment, batch.positions[i]))
      const intervals = () => bucketsOf(times(), segments, length, catalogue.timeKind)
      const read = await people.run(weights, reader.readsTimes ? { ...batch, intervals: intervals() } : batch)
      for (const [person, at] of tails.last.entries()) {
        if (at < from || at >= from + size) continue
        row(vectors, person).set(read.people.subarray((at - from) * dim, (at - from + 1) * dim))
      }
    }
    return vectors
  }
  return {
    name,
    itemCount: items.rows,
    scores: async (asked) => {
      if (asked.length === 0) return matrix(0, items.rows)
      const { data } = await vectorsOf(asked)
      const { scores } = await products.run({}, { people: data, items: items.data })
      return matrix(asked.length, items.rows, scores)
    },
    close: async () => {
      await people.close()
      await products.close()
    },
  }
}

/** When event number `position` of a person's last `length` events was. */
function placesByEvent(
  asked: readonly Person[],
  length: number,
): (person: number, position: number) => number {
  return (person, position) => {
    if (person < 0) return 0
    const { items, times } = asked[person]
    return times?.[Math.max(0, items.length - length) + position] ?? 0
  }
}

/** [items, D] unit rows; zeros for an item that nobody took where IDs are all there is. */
async function allItems(
  name: string,
  shape: AdapterShape,
  { items, text, index }: SequenceCatalogue,
  weights: Weights,
  threads: number,
): Promise<Matrix> {
  const forward = await Forward.open(
    `${name} items`,
    (scope) => {
      const { batch } = scope
      const inputs = {
        text: text && batch('text', 'float32', ['items', shape.textDim]),
        index: index && batch('ids', 'int32', ['items']),
        mask: index && batch('idMask', 'float32', ['items', 1]),
      }
      return { vectors: itemVectors(scope, shape, inputs, noDropout) }
    },
    { threads },
  )
  const vectors = matrix(items, shape.dim)
  for (let from = 0; from < items; from += ITEMS) {
    const to = Math.min(items, from + ITEMS)
    const ids = index?.subarray(from, to)
    const run = await forward.run(weights, {
      ...(text && { text: text.data.subarray(from * text.dim, to * text.dim) }),
      ...(ids && {
        ids: ids.map((id) => Math.max(0, id)),
        idMask: Float32Array.from(ids, (id) => Number(id >= 0)),
      }),
    })
    vectors.data.set(run.vectors, from * shape.dim)
  }
  await forward.close()
  return vectors
}
