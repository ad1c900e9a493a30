import { gradients } from './gradient.js'
import { type Dim, type ElementType, Graph, type Value } from './graph.js'
import { overwritable } from './in-place.js'
import { Ops } from './ops.js'
import { fedName, nextName, STATE_KINDS, stateName } from './step-names.js'
import { type Lookup, type TableHolder, TableRows } from './table-rows.js'

/** How a parameter starts: all of one number, normal with this deviation, or given numbers. */
export type Initial =
  | { readonly fill: number }
  | { readonly deviation: number }
  | { readonly data: Float32Array }

/** A trained tensor of a model. */
export interface ParameterSpec {
  readonly name: string
  readonly shape: readonly number[]
  readonly initial: Initial
  /** Whether weight decay pulls it towards zero: matrices yes; biases, scales and temperatures no. */
  readonly decay: boolean
}

/** A tensor that is fed anew for each step. */
export interface BatchSpec {
  readonly name: string
  readonly type: 'float32' | 'int32' | 'int64'
  readonly shape: readonly number[]
}

/** What a forward pass asks for: its parameters and its batch. The same pass serves training and inference. */
export interface Scope {
  readonly ops: Ops
  parameter(name: string, shape: readonly number[], initial: Initial, decay?: boolean): Value
  /** Sizes must be numbers in training; in inference they may be names. */
  batch(name: string, type: BatchSpec['type'], shape: readonly Dim[]): Value
  /**
   * [count, ...] the rows of a table [rows, ...] that a step looks at, where these are few of many. Only they are
   * trained in that step, moments included (lazy Adam, as PyTorch's SparseAdam): a step costs what its rows cost, however
   * long the table is.
   * @param index names the part of the batch, [count] (int32), that says which rows: in training none of them twice
   */
  rows(
    name: string,
    shape: readonly [number, ...number[]],
    initial: Initial,
    index: string,
    count: number,
  ): Value
}

/** A model to train: its forward pass, down to a scalar loss. Everything else is derived. */
export interface TrainingModel {
  readonly name: string
  readonly loss: (scope: Scope) => Value
}

export interface AdamOptions {
  /** Decay of the mean and of the mean square of gradients. */
  readonly beta1: number
  readonly beta2: number
  readonly epsilon: number
  /** Decoupled weight decay (AdamW), times the learning rate. */
  readonly weightDecay: number
  /** The global norm that gradients are scaled down to; 0 leaves them alone. */
  readonly clipNorm: number
}

export const ADAM_DEFAULTS: AdamOptions = {
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0.01,
  clipNorm: 1,
}

export interface TrainingStep {
  readonly graph: Graph
  /** Steps in the graph. */
  readonly unroll: number
  readonly parameters: readonly ParameterSpec[]
  /** Once per step in the graph; of several steps, with '#0', '#1' and so on behind the name. */
  readonly batch: readonly BatchSpec[]
  readonly lookups: readonly Lookup[]
  /** State names whose output may be written over its input: all other reads come first. */
  readonly inPlace: ReadonlySet<string>
}

/**
 * One graph that computes the loss, all gradients and the AdamW update (Loshchilov & Hutter 2019,
 * arXiv:1711.05101; PyTorch's formula), once or several times after each other.
 *
 * Inputs: the batches; 'w:', 'm:', 'v:' + name per parameter; 'rate' [unroll], and 'bias' [2 * unroll] from
 * `stepScalars`. Outputs: 'loss' and 'norm' (of all gradients, before clipping), [unroll] each, and 'next:' + state
 * name.
 * @param unroll steps in the one graph
 * @param holder of tables of which each step looks at few rows
 */
export function trainingStep(
  model: TrainingModel,
  options: Partial<AdamOptions> = {},
  unroll = 1,
  holder: TableHolder = 'graph',
): TrainingStep {
  const adam = { ...ADAM_DEFAULTS, ...options }
  const graph = new Graph(model.name)
  const ops = new Ops(graph)
  const parameters: ParameterSpec[] = []
  const batch: BatchSpec[] = []
  const state = new Map<string, Value>()
  const tables = new Map<string, TableRows>()
  const rates = graph.input('rate', 'float32', [unroll])
  const biases = graph.input('bias', 'float32', [2 * unroll])
  const scalar = (values: Value, at: number) => ops.reshape(ops.slice(values, 0, at, at + 1), [])
  const losses: Value[] = []
  const norms: Value[] = []
  for (let step = 0; step < unroll; step++) {
    const weights: Value[] = []
    const feed = (name: string, type: BatchSpec['type'], shape: readonly Dim[]) => {
      const fed = fedName(name, step, unroll)
      batch.push({ name: fed, type, shape: shape as readonly number[] })
      return graph.input(fed, type as ElementType, shape)
    }
    const loss = model.loss({
      ops,
      parameter(name, shape, initial, decay = shape.length > 1) {
        if (step === 0) {
          parameters.push({ name, shape, initial, decay })
          for (const kind of STATE_KINDS) {
            const held = stateName(kind, name)
            state.set(held, graph.input(held, 'float32', shape))
          }
        }
        weights.push(state.get(stateName('w', name))!)
        return weights.at(-1)!
      },
      rows(name, shape, initial, index, count) {
        if (step === 0) {
          const [tableRows, ...dims] = shape
          parameters.push({ name, shape, initial, decay: shape.length > 1 })
          const lookup = { parameter: name, index, count: Math.min(unroll * count, tableRows), tableRows }
          tables.set(name, new TableRows(ops, state, lookup, dims, holder))
        }
        weights.push(tables.get(name)!.open(feed(index, 'int32', [count])))
        return weights.at(-1)!
      },
      batch: feed,
    })
    losses.push(ops.reshape(loss, [1]))
    const raw = gradients(graph, loss, weights)
    const norm = globalNorm(ops, raw)
    norms.push(ops.reshape(norm, [1]))
    const corrections = [scalar(biases, 2 * step), scalar(biases, 2 * step + 1)]
    update(ops, adam, { parameters, state, raw, norm, rate: scalar(rates, step), corrections })
    for (const table of tables.values()) table.close()
  }
  for (const table of tables.values()) table.write()
  graph.output('loss', ops.concat(losses, 0))
  graph.output('norm', ops.concat(norms, 0))
  for (const [name, value] of state) graph.output(nextName(name), value)
  const lookups = Array.from(tables.values(), ({ lookup }) => lookup)
  return { graph, unroll, parameters, batch, lookups, inPlace: overwritable(graph, state) }
}

interface Update {
  readonly parameters: readonly ParameterSpec[]
  /** By state name: what is known before the update, and after it what has become of it. */
  readonly state: Map<string, Value>
  /** The gradient of each parameter. */
  readonly raw: readonly Value[]
  readonly norm: Value
  readonly rate: Value
  /** `stepScalars`, one by one. */
  readonly corrections: readonly Value[]
}

function update(
  ops: Ops,
  adam: AdamOptions,
  { parameters, state, raw, norm, rate, corrections }: Update,
): void {
  const [bias1, bias2] = corrections
  const clip = adam.clipNorm > 0 ? ops.div(adam.clipNorm, maximum(ops, norm, adam.clipNorm)) : ops.value(1)
  // Scalars are multiplied with each other first: every operation on a table is a pass over it.
  const meanShare = ops.mul(clip, 1 - adam.beta1)
  const squareShare = ops.mul(ops.mul(clip, clip), 1 - adam.beta2)
  const keep = ops.sub(1, ops.mul(rate, adam.weightDecay))
  const stepSize = ops.div(ops.mul(rate, bias1), bias2)
  const epsilon = ops.div(adam.epsilon, bias2)
  for (const [i, { name, decay }] of parameters.entries()) {
    const [w, m, v] = STATE_KINDS.map((kind) => state.get(stateName(kind, name))!)
    const square = ops.mul(raw[i], raw[i])
    const m2 = ops.add(ops.mul(m, adam.beta1), ops.mul(raw[i], meanShare))
    const v2 = ops.add(ops.mul(v, adam.beta2), ops.mul(square, squareShare))
    const change = ops.mul(ops.div(m2, ops.add(ops.sqrt(v2), epsilon)), stepSize)
    const w2 = ops.sub(decay && adam.weightDecay > 0 ? ops.mul(w, keep) : w, change)
    for (const [at, value] of [w2, m2, v2].entries()) state.set(stateName(STATE_KINDS[at], name), value)
  }
}

/** The two scalars of step number `step` (from 1): Adam's corrections for starting at zero. */
export function stepScalars(step: number, { beta1, beta2 }: AdamOptions = ADAM_DEFAULTS): Float32Array {
  return Float32Array.of(1 / (1 - beta1 ** step), 1 / Math.sqrt(1 - beta2 ** step))
}

function globalNorm(ops: Ops, values: readonly Value[]): Value {
  const squares = values.map((value) => ops.sum(ops.mul(value, value)))
  return ops.sqrt(squares.reduce((left, right) => ops.add(left, right)))
}

function maximum(ops: Ops, x: Value, least: number): Value {
  return ops.where(ops.greater(x, least), x, least)
}
