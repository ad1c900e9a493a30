import { gradients } from './gradient.js'
import { type Dim, type ElementType, Graph, type Node, type Value } from './graph.js'
import { Ops } from './ops.js'

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

/** The names under which one parameter's state enters and leaves a step. */
export const STATE_KINDS = ['w', 'm', 'v'] as const
export const stateName = (kind: (typeof STATE_KINDS)[number], parameter: string): string =>
  `${kind}:${parameter}`
export const nextName = (state: string): string => `next:${state}`

export interface TrainingStep {
  readonly graph: Graph
  readonly parameters: readonly ParameterSpec[]
  readonly batch: readonly BatchSpec[]
  /** State names whose output may be written over its input: all other reads come first. */
  readonly inPlace: ReadonlySet<string>
}

/**
 * One graph that computes the loss, all gradients and the AdamW update (Loshchilov & Hutter 2019,
 * arXiv:1711.05101; PyTorch's formula).
 *
 * Inputs: the batch; 'w:', 'm:', 'v:' + name per parameter; 'rate' and 'bias' [2], which the caller takes from
 * `stepScalars`. Outputs: 'loss', 'norm' (of all gradients, before clipping) and 'next:' + state name.
 * @param unroll steps in the one graph, one after the other: each batch input once per step, with '#0', '#1' and so
 *   on behind its name; 'bias' [2 * unroll]; 'loss' is the mean over the steps and 'norm' that of the last
 */
export function trainingStep(
  model: TrainingModel,
  options: Partial<AdamOptions> = {},
  unroll = 1,
): TrainingStep {
  const adam = { ...ADAM_DEFAULTS, ...options }
  const graph = new Graph(model.name)
  const ops = new Ops(graph)
  const parameters: ParameterSpec[] = []
  const batch: BatchSpec[] = []
  const state = new Map<string, Value>()
  const rate = graph.input('rate', 'float32', [])
  const bias = graph.input('bias', 'float32', [2 * unroll])
  const losses: Value[] = []
  let norm: Value | undefined
  for (let step = 0; step < unroll; step++) {
    const weights: Value[] = []
    const loss = model.loss({
      ops,
      parameter(name, shape, initial, decay = shape.length > 1) {
        if (step === 0) {
          parameters.push({ name, shape, initial, decay })
          for (const kind of STATE_KINDS) {
            state.set(stateName(kind, name), graph.input(stateName(kind, name), 'float32', shape))
          }
        }
        weights.push(state.get(stateName('w', name))!)
        return weights.at(-1)!
      },
      batch(name, type, shape) {
        const fed = unroll === 1 ? name : `${name}#${step}`
        batch.push({ name: fed, type, shape: shape as readonly number[] })
        return graph.input(fed, type as ElementType, shape)
      },
    })
    losses.push(loss)
    const raw = gradients(graph, loss, weights)
    norm = globalNorm(ops, raw)
    const corrections = [0, 1].map((i) => ops.reshape(ops.slice(bias, 0, 2 * step + i, 2 * step + i + 1), []))
    update(ops, adam, { parameters, state, raw, norm, rate, corrections })
  }
  graph.output('loss', unroll === 1 ? losses[0] : ops.div(losses.reduce(ops.add), unroll))
  graph.output('norm', norm!)
  for (const [name, value] of state) graph.output(nextName(name), value)
  return { graph, parameters, batch, inPlace: overwritable(graph, state) }
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

/**
 * States whose new value may be written into the tensor of the old one. The kernel that makes the new value
 * must be the last to look at the old one: every other reader has to be among its ancestors, because ONNX
 * Runtime may run independent nodes in any order. (With gradient clipping that holds for every parameter that
 * is read for the loss alone, since the norm waits for the whole backward pass.)
 */
function overwritable(graph: Graph, written: ReadonlyMap<string, Value>): Set<string> {
  const maker = new Map<Value, Node>()
  const readers = new Map<Value, Node[]>()
  for (const node of graph.nodes) {
    for (const output of node.outputs) maker.set(output, node)
    for (const input of node.inputs) {
      if (input !== undefined) readers.set(input, [...(readers.get(input) ?? []), node])
    }
  }
  const safe = new Set<string>()
  for (const [state, value] of written) {
    const writer = maker.get(value)!
    const before = ancestors(writer, maker)
    const old = graph.inputs.find((input) => input.name === state)!
    if (lookers(old, readers).every((node) => node === writer || before.has(node))) safe.add(state)
  }
  return safe
}

/** Operators whose output may share the memory of their input. */
const VIEWS = new Set(['Identity', 'Reshape', 'Expand', 'Cast'])

/** Every node that may read the memory of `value`, through views of it too. */
function lookers(value: Value, readers: ReadonlyMap<Value, readonly Node[]>): Node[] {
  return (readers.get(value) ?? []).flatMap((node) =>
    VIEWS.has(node.op) ? [node, ...lookers(node.outputs[0], readers)] : [node],
  )
}

function ancestors(node: Node, maker: ReadonlyMap<Value, Node>): Set<Node> {
  const found = new Set<Node>()
  const open = [node]
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    for (const input of at.inputs) {
      const parent = input === undefined ? undefined : maker.get(input)
      if (parent !== undefined && !found.has(parent)) {
        found.add(parent)
        open.push(parent)
      }
    }
  }
  return found
}
