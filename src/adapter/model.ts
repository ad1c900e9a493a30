import type { Value } from '../onnx/graph.js'
import type { Ops } from '../onnx/ops.js'
import { geluPerceptron, l2Normalize, linear } from '../onnx/ops-layers.js'
import type { Scope, TrainingModel } from '../onnx/optimizer.js'
import type { TimeKind } from '../types.js'
import { gruEncoder } from './gru-encoder.js'
import { intervalBias } from './intervals.js'
import { candidateLoss, sampledLoss } from './losses.js'

/** The sizes of an adapter. Letters in comments: U items, R rows of L events, D = dim, W = textDim. */
export interface AdapterShape {
  /** Whitened text numbers per item. */
  readonly textDim: number
  /** Numbers per item and person vector. */
  readonly dim: number
  /** Hidden numbers of the item head. */
  readonly hidden: number
  readonly layers: number
  readonly heads: number
  /** Events that the person encoder reads at once. */
  readonly length: number
  /** Items with an ID embedding; 0 for text alone. */
  readonly idCount: number
  /** 'sasrec' and 'gru' read the order of events, 'sasrec-long' how far apart they are too, 'mean' weighs them by recency. */
  readonly encoder: 'sasrec' | 'sasrec-long' | 'gru' | 'mean'
  /** What the times are that 'sasrec-long' was trained with; absent for the others. */
  readonly timeKind?: TimeKind
}

/** Whether an encoder reads when events were. */
export function readsTimes(encoder: AdapterShape['encoder']): boolean {
  return encoder === 'sasrec-long'
}

/** How 'mean' weighs: an event counts this much of the one after it. */
const RECENCY = 0.8

/** Masks random numbers to zero; the identity outside training. */
export type Dropout = (x: Value) => Value
export const noDropout: Dropout = (x) => x

/** What becomes of the last layer's rows: unit length, or nothing where the loss brings them to a length. */
export type Finish = (ops: Ops, rows: Value) => Value
export const asTheyAre: Finish = (_ops, rows) => rows

/**
 * How the perceptron of the item head is laid out: operator by operator, or in fewer passes. Within rounding they are the
 * same; what was measured and recorded of models with all items for candidates was so with the first.
 */
export type HeadLayout = 'plain' | 'few passes'

const ID_TABLE = 'item.ids'
const ID_START = { deviation: 0.02 } as const

/**
 * Item vectors of unit length: normalize(x A + gelu(x B + b) C + c + mask * id), x being whitened text. The
 * last layer of the perceptron starts at zero, so that training starts from a plain projection of the text.
 * @param text [U, W]
 * @param ids rows of the ID table, with `mask` [U, 1] 0 where the ID is not to be used. The rows are those of `index`
 *   [U], or were looked up already, `rows` [U, D]; with neither the U items are the table's rows, in order
 * @returns [U, D]
 */
export function itemHead(
  { ops, parameter }: Scope,
  shape: AdapterShape,
  text: Value,
  dropout: Dropout,
  ids?: { readonly index?: Value; readonly rows?: Value; readonly mask: Value },
  { layout = 'plain', finish = l2Normalize }: { readonly layout?: HeadLayout; readonly finish?: Finish } = {},
): Value {
  const { textDim, dim, hidden, idCount } = shape
  const direct = parameter('item.direct', [textDim, dim], { deviation: 1 / Math.sqrt(dim) })
  const inner = parameter('item.inner', [textDim, hidden], { deviation: 1 / Math.sqrt(textDim) })
  const innerBias = parameter('item.innerBias', [hidden], { fill: 0 })
  const outer = parameter('item.outer', [hidden, dim], { fill: 0 })
  const outerBias = parameter('item.outerBias', [dim], { fill: 0 })
  const bent =
    layout === 'plain'
      ? linear(ops, dropout(ops.gelu(linear(ops, text, inner, innerBias))), outer, outerBias)
      : geluPerceptron(ops, text, [inner, innerBias, outer, outerBias], dropout)
  let vector = ops.add(ops.matmul(text, direct), bent)
  if (ids !== undefined && idCount > 0) {
    const whole = () => parameter(ID_TABLE, [idCount, dim], ID_START)
    const rows = ids.rows ?? (ids.index === undefined ? whole() : ops.gatherRows(whole(), ids.index))
    vector = ops.add(vector, ops.mul(rows, ids.mask))
  }
  return finish(ops, vector)
}

/** One packed batch of histories. Several histories may share a row; `segments` keeps them apart. */
export interface PackedHistories {
  /** [R, L] which history an event belongs to (int32), -1 for none. */
  readonly segments: Value
  /** [R, L] place of the event in its history, from 0 (int32). */
  readonly positions: Value
  readonly rows: number
  /** L, where rows are shorter than what the encoder can read. */
  readonly length?: number
  /** [R, L, L] bucket of the interval between two events (int32); for who reads times. */
  readonly intervals?: Value
}

/** As a batch feeds them. */
export function packedHistories(
  { batch }: Scope,
  rows: number,
  length: number,
  withTimes: boolean,
): PackedHistories {
  const segments = batch('segments', 'int32', [rows, length])
  const positions = batch('positions', 'int32', [rows, length])
  if (!withTimes) return { segments, positions, rows, length }
  return { segments, positions, rows, length, intervals: batch('intervals', 'int32', [rows, length, length]) }
}

/** [R, L, L] true where event i may look at event j: the same history, and j not after i. */
function visibleEvents({ ops }: Scope, shape: AdapterShape, { segments, rows }: PackedHistories): Value {
  const { length } = shape
  const causal = Uint8Array.from({ length: length * length }, (_, at) =>
    at % length <= Math.floor(at / length) ? 1 : 0,
  )
  const mine = ops.reshape(segments, [rows, length, 1])
  const other = ops.reshape(segments, [rows, 1, length])
  return ops.and(ops.equal(mine, other), ops.graph.constant('causal', causal, [1, length, length], 'bool'))
}

/**
 * The person's vector after each event: a causal self-attention encoder (SASRec, Kang & McAuley 2018,
 * arXiv:1808.09781; normalized before each block) that feels the intervals between events where they are given, a recurrent
 * network, or a mean by recency.
 * @param events [R * L, D] the item vectors of the events @returns [R * L, D] unit rows
 */
export function personEncoder(
  scope: Scope,
  whole: AdapterShape,
  events: Value,
  histories: PackedHistories,
  dropout: Dropout,
  finish: Finish = l2Normalize,
): Value {
  const { ops } = scope
  const shape = { ...whole, length: histories.length ?? whole.length }
  if (shape.encoder === 'gru') return gruEncoder(scope, shape, events, histories, dropout, finish)
  const visible = visibleEvents(scope, shape, histories)
  if (shape.encoder === 'mean') return finish(ops, recencyMean(scope, shape, events, visible, histories.rows))
  const { dim, layers, length } = shape
  const table = scope.parameter('person.positions', [whole.length, dim], { deviation: 0.02 })
  const places = ops.gatherRows(table, ops.reshape(histories.positions, [histories.rows * length]))
  // Unit vectors have entries of about 1 / sqrt(D): bring them to the size that the layers work with.
  let x = dropout(ops.add(ops.mul(events, Math.sqrt(dim)), places))
  for (let layer = 0; layer < layers; layer++) {
    const name = `person.${layer}`
    const { intervals } = histories
    const bias = intervals && intervalBias(scope, name, shape.heads, intervals)
    const attended = attention(
      scope,
      shape,
      norm(scope, `${name}.norm1`, x, dim),
      visible,
      name,
      dropout,
      bias,
    )
    x = ops.add(x, dropout(attended))
    const inner = dense(scope, `${name}.inner`, norm(scope, `${name}.norm2`, x, dim), dim, 2 * dim)
    x = ops.add(x, dropout(dense(scope, `${name}.outer`, dropout(ops.gelu(inner)), 2 * dim, dim)))
  }
  return finish(ops, norm(scope, 'person.norm', x, dim))
}

function attention(
  scope: Scope,
  { dim, heads, length }: AdapterShape,
  x: Value,
  visible: Value,
  name: string,
  dropout: Dropout,
  bias: Value | undefined,
): Value {
  const { ops } = scope
  const size = dim / heads
  const rows = (x.shape![0] as number) / length
  const split = (part: string) => {
    const flat = dense(scope, `${name}.${part}`, x, dim, dim)
    return ops.transpose(ops.reshape(flat, [rows, length, heads, size]), [0, 2, 1, 3])
  }
  const [q, k, v] = [split('query'), split('key'), split('value')]
  const products = ops.mul(ops.matmul(q, k, { transposeB: true }), 1 / Math.sqrt(size))
  const scores = bias === undefined ? products : ops.add(products, bias)
  const mask = ops.reshape(visible, [rows, 1, length, length])
  const weights = dropout(ops.softmax(ops.where(mask, scores, -1e9)))
  const mixed = ops.transpose(ops.matmul(weights, v), [0, 2, 1, 3])
  return dense(scope, `${name}.mix`, ops.reshape(mixed, [rows * length, dim]), dim, dim)
}

function recencyMean(
  { ops }: Scope,
  { length, dim }: AdapterShape,
  events: Value,
  visible: Value,
  rows: number,
): Value {
  const decay = Float32Array.from(
    { length: length * length },
    (_, at) => RECENCY ** Math.max(0, Math.floor(at / length) - (at % length)),
  )
  const weights = ops.where(visible, ops.graph.constant('decay', decay, [1, length, length]), 0)
  const sums = ops.matmul(weights, ops.reshape(events, [rows, length, dim]))
  return ops.reshape(sums, [rows * length, dim])
}

function dense(scope: Scope, name: string, x: Value, from: number, to: number): Value {
  const weight = scope.parameter(`${name}.weight`, [from, to], { deviation: Math.sqrt(2 / (from + to)) })
  return linear(scope.ops, x, weight, scope.parameter(`${name}.bias`, [to], { fill: 0 }))
}

function norm(scope: Scope, name: string, x: Value, dim: number): Value {
  const scale = scope.parameter(`${name}.scale`, [dim], { fill: 1 })
  return scope.ops.layerNorm(x, scale, scope.parameter(`${name}.bias`, [dim], { fill: 0 }))
}

/** What one training step reads, beside the parameters. */
export interface StepSizes {
  /** Rows of events per step. */
  readonly rows: number
  /** Candidates per step. */
  readonly candidates: number
  readonly dropout: number
  /** Numbers in the random pool that dropout masks are cut from. */
  readonly pool: Float32Array
  /** Candidate texts that are the same in every step, [candidates, textDim]; fed with each batch if absent. */
  readonly texts?: Float32Array
  /** Candidates are a sample, named by 'ids' and with a correction each; otherwise all warm items, in order. */
  readonly corrected: boolean
}

/** The whole training forward pass. */
export function adapterModel(shape: AdapterShape, sizes: StepSizes): TrainingModel {
  return {
    name: 'adapter',
    loss: (scope) => {
      const { ops, batch } = scope
      const { rows, candidates, corrected } = sizes
      const { length, textDim, idCount } = shape
      const dropout = pooledDropout(scope, sizes)
      const text =
        sizes.texts === undefined
          ? batch('texts', 'float32', [candidates, textDim])
          : ops.graph.constant('texts', sizes.texts, [candidates, textDim])
      const ids =
        idCount === 0
          ? undefined
          : {
              ...(corrected
                ? { rows: scope.rows(ID_TABLE, [idCount, shape.dim], ID_START, 'ids', candidates) }
                : {}),
              mask: batch('idMask', 'float32', [candidates, 1]),
            }
      const layout = corrected ? 'few passes' : 'plain'
      const items = itemHead(scope, shape, text, dropout, ids, { layout })
      const events = ops.gatherRows(items, batch('events', 'int32', [rows * length]))
      const histories = packedHistories(scope, rows, length, readsTimes(shape.encoder))
      const finish = corrected ? asTheyAre : l2Normalize
      const persons = personEncoder(scope, shape, events, histories, dropout, finish)
      const targets = batch('targets', 'int32', [rows * length])
      const weights = batch('weights', 'float32', [rows * length, 1])
      if (!corrected) return candidateLoss(scope, persons, items, targets, weights)
      return sampledLoss(scope, persons, items, targets, weights, batch('logQ', 'float32', [1, candidates]))
    },
  }
}

/**
 * Dropout without a random operator (webgpu has none): each use cuts its mask out of one fixed pool of scaled
 * zeros and ones, at a place that the caller draws anew for each step ('dropout' [uses], int64).
 */
export function pooledDropout(
  { ops, batch }: Scope,
  { dropout, pool }: Pick<StepSizes, 'dropout' | 'pool'>,
): Dropout {
  if (dropout === 0) return noDropout
  const masks = ops.graph.constant('pool', pool, [pool.length])
  let uses = 0
  return (x) => {
    const shape = x.shape as number[]
    const size = shape.reduce((product, dim) => product * dim, 1)
    const start = batch(`dropout${uses++}`, 'int64', [1])
    const end = ops.graph.node('Add', [start, ops.graph.int64([size])], { shape: [1] })
    const mask = ops.graph.node('Slice', [masks, start, end, ops.graph.int64([0])], { shape: [size] })
    return ops.mul(x, ops.reshape(mask, shape))
  }
}
