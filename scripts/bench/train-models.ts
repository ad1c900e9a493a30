import { sampledLoss } from '../../src/adapter/losses.js'
import {
  type AdapterShape,
  adapterModel,
  asTheyAre,
  type Finish,
  itemHead,
  noDropout,
} from '../../src/adapter/model.js'
import { type Random, random, shuffle } from '../../src/math/random.js'
import type { Graph, Node, Value } from '../../src/onnx/graph.js'
import type { Scope, TrainingModel } from '../../src/onnx/optimizer.js'
import type { Batch } from '../../src/onnx/optimizer-session.js'

/** A model to be timed: its graph, one batch for it and what a batch teaches. */
export interface TimedCase {
  readonly name: string
  readonly model: TrainingModel
  readonly batch: Batch
  /** Targets in a batch. */
  readonly examples: number
}

/** One that PyTorch can be asked for too. */
export interface TrainingCase extends TimedCase {
  /** What the same step in another library needs beside parameters and batch; see train-torch.py. */
  readonly twin: {
    readonly model: 'in-batch' | 'sequence'
    readonly layers: number
    readonly heads: number
    /** Numbers that the graph holds as constants. */
    readonly constants: {
      readonly [name: string]: { readonly shape: readonly number[]; readonly data: Float32Array }
    }
  }
}

/** The sizes of the in-batch softmax step. */
export interface InBatchSizes {
  /** Persons, and as many items: the others' items are each person's wrong answers. */
  readonly batch: number
  /** Numbers of a text vector, and of what the head makes of it. */
  readonly dim: number
  /** Hidden numbers of the residual head. */
  readonly hidden: number
}

/** The same scope, in which a parameter that is asked for again is the same tensor. */
function sharing(scope: Scope): Scope {
  const known = new Map<string, Value>()
  return {
    ...scope,
    parameter: (name, ...given) => {
      const value = known.get(name) ?? scope.parameter(name, ...given)
      known.set(name, value)
      return value
    },
  }
}

/**
 * The step that shops beyond a full softmax are trained with: the mean text of a history and the text of what came
 * next go through one residual head; softmax over the items of the batch, corrected by how often each is offered.
 */
export function inBatchCase({ batch, dim, hidden }: InBatchSizes, seed = 1): TrainingCase {
  const shape: AdapterShape = {
    ...{ textDim: dim, dim, hidden, idCount: 0 },
    ...{ layers: 1, heads: 1, length: 1, encoder: 'mean' },
  }
  const model: TrainingModel = {
    name: 'in-batch',
    loss: (given) => {
      const scope = sharing(given)
      const { ops } = scope
      const head = (name: string, finish?: Finish) => {
        const text = scope.batch(name, 'float32', [batch, dim])
        return itemHead(scope, shape, text, noDropout, undefined, { layout: 'few passes', finish })
      }
      const targets = ops.graph.constant(
        'targets',
        Int32Array.from({ length: batch }, (_, i) => i),
        [batch],
      )
      const weights = ops.graph.constant('weights', new Float32Array(batch).fill(1), [batch, 1])
      return sampledLoss(
        scope,
        head('persons', asTheyAre),
        head('texts'),
        targets,
        weights,
        scope.batch('logQ', 'float32', [1, batch]),
      )
    },
  }
  const source = random(seed)
  // A person's mean leans towards the item that comes next: a loss that can fall.
  const texts = unitRows(batch, dim, () => source.normal())
  const persons = unitRows(batch, dim, (at) => texts[at] + (2 * source.normal()) / Math.sqrt(dim))
  const logQ = Float32Array.from({ length: batch }, () => Math.log((1 + source.integer(50)) / 5_000))
  const twin = { model: 'in-batch', layers: 0, heads: 0, constants: {} } as const
  return { name: 'in-batch softmax', model, batch: { persons, texts, logQ }, examples: batch, twin }
}

export interface SequenceSizes {
  /** Items that every step's softmax goes over. */
  readonly items: number
  readonly shape: Omit<AdapterShape, 'idCount' | 'encoder'>
  /** Rows of `shape.length` events per step, all of them full. */
  readonly rows: number
  readonly dropout: number
}

/** The adapter's own step over whole sequences, every warm item a candidate. */
export function sequenceCase({ items, shape: sizes, rows, dropout }: SequenceSizes, seed = 1): TrainingCase {
  const shape: AdapterShape = { ...sizes, idCount: items, encoder: 'sasrec' }
  const { length, textDim, heads } = shape
  const source = random(seed)
  const pool = poolOf(shape, rows, items, dropout, source)
  const texts = unitRows(items, textDim, () => source.normal())
  const model = adapterModel(shape, { rows, candidates: items, dropout, pool, texts, corrected: false })
  const batch = eventsOf(shape, rows, items, source)
  const constants = {
    texts: { shape: [items, textDim], data: texts },
    pool: { shape: [pool.length], data: pool },
  }
  const twin = { model: 'sequence', layers: shape.layers, heads, constants } as const
  return { name: 'sequence model', model, batch, examples: rows * length, twin }
}

/** The adapter's own step where candidates are a sample, twice as many as events, out of a large catalogue. */
export function sampledCase(
  { items, shape: sizes, rows, dropout }: SequenceSizes,
  seed = 1,
): TimedCase & { readonly candidates: number } {
  const shape: AdapterShape = { ...sizes, idCount: items, encoder: 'sasrec' }
  const { length, textDim } = shape
  const source = random(seed)
  const events = rows * length
  const candidates = 2 * events
  const pool = poolOf(shape, rows, candidates, dropout, source)
  const model = adapterModel(shape, { rows, candidates, dropout, pool, corrected: true })
  const ids = Int32Array.from({ length: items }, (_, i) => i)
  const batch = {
    ...eventsOf(shape, rows, candidates, source),
    ids: shuffle(ids, source).slice(0, candidates),
    texts: unitRows(candidates, textDim, () => source.normal()),
    logQ: Float32Array.from({ length: candidates }, () => Math.log((1 + source.integer(50)) / 5_000)),
  }
  return { name: 'sequence model of a large catalogue', model, batch, examples: events, candidates }
}

/** Room in the pool of dropout masks beyond the largest of them. */
const SLACK = 1024

function poolOf(
  { hidden, dim, heads, length }: AdapterShape,
  rows: number,
  candidates: number,
  dropout: number,
  source: Random,
): Float32Array {
  const most = Math.max(candidates * hidden, rows * length * 2 * dim, rows * heads * length ** 2)
  return Float32Array.from({ length: dropout === 0 ? 0 : most + SLACK }, () =>
    source.next() < dropout ? 0 : 1 / (1 - dropout),
  )
}

/** One history in each row, as long as the row. */
function eventsOf({ length }: AdapterShape, rows: number, candidates: number, source: Random): Batch {
  const events = rows * length
  const drawn = () => Int32Array.from({ length: events }, () => source.integer(candidates))
  const batch: { [name: string]: Batch[string] } = {
    events: drawn(),
    targets: drawn(),
    segments: new Int32Array(events),
    positions: Int32Array.from({ length: events }, (_, i) => i % length),
    weights: new Float32Array(events).fill(1),
    idMask: Float32Array.from({ length: candidates }, () => Number(source.next() < 0.7)),
  }
  for (let use = 0; use < 100; use++) batch[`dropout${use}`] = BigInt64Array.of(BigInt(source.integer(SLACK)))
  return batch
}

/** Multiplications and additions in the matrix products of a graph, two per product of numbers. */
export function matrixOperations({ nodes }: Graph): number {
  return nodes.reduce((sum, node) => sum + operationsOf(node), 0)
}

/** Of one node. */
export function operationsOf({ op, inputs, outputs, attributes }: Node): number {
  if (op !== 'MatMul' && op !== 'Gemm') return 0
  const left = inputs[0]!.shape as readonly number[]
  const inner = attributes.transA === 1 ? left[0] : left[left.length - 1]
  return (outputs[0].shape as readonly number[]).reduce((product, dim) => product * dim, 2 * inner)
}

/** [rows, dim] rows of unit length. */
function unitRows(rows: number, dim: number, draw: (at: number) => number): Float32Array {
  const data = Float32Array.from({ length: rows * dim }, (_, at) => draw(at))
  for (let row = 0; row < rows; row++) {
    const part = data.subarray(row * dim, (row + 1) * dim)
    const length = Math.hypot(...part)
    for (let d = 0; d < dim; d++) part[d] /= length
  }
  return data
}
