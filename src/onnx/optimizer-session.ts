import { TextrecError } from '../errors.js'
import { random } from '../math/random.js'
import type { Device } from '../types.js'
import { Graph } from './graph.js'
import {
  ADAM_DEFAULTS,
  type AdamOptions,
  type ParameterSpec,
  stepScalars,
  type TrainingModel,
  type TrainingStep,
  trainingStep,
} from './optimizer.js'
import { serializeModel } from './protobuf.js'
import { type Fetches, Session, type Tensor, tensor } from './session.js'
import { type Batch, batchFeeds, putRows, rowsOf, sizeOf } from './step-feeds.js'
import { nextName, STATE_KINDS, stateName } from './step-names.js'

export type { Batch } from './step-feeds.js'

/** Everything a training run needs to go on: all weights with both moments, by state name. */
export interface TrainingState {
  readonly steps: number
  readonly tensors: { readonly [name: string]: Float32Array }
}

export interface TrainingOptions {
  readonly device: Device
  /** CPU threads; 0 lets ONNX Runtime choose. */
  readonly threads: number
  readonly adam: Partial<AdamOptions>
  /** For the starting weights. */
  readonly seed: number
  /** Goes on from here; the seed is then not used. */
  readonly state?: TrainingState
  /** Writes new state over old where that is safe; only tests turn it off. */
  readonly inPlace?: boolean
  /** Steps in the graph that `steps` runs, beside the graph of one; default 1. */
  readonly unroll?: number
}

/** What a step says of itself; both before its update. */
export interface StepResult {
  readonly loss: number
  /** Of the whole gradient, before clipping. */
  readonly norm: number
}

/** A graph of one or several steps, ready to run. */
interface OpenStep {
  readonly definition: TrainingStep
  readonly session: Session
}

/** A step is hundreds of short kernels: threads that fall asleep between two of them wake up late. */
export const SPIN_MICROSECONDS = 100

/**
 * A model being trained, with its state kept between steps: in one place on the CPU where the graph allows it
 * (else in two, taking turns), on the device with webgpu. `step` blocks the thread while it computes, so this
 * belongs in a worker.
 */
export class Training {
  private constructor(
    /** Of a single step. */
    readonly definition: TrainingStep,
    /** By how many steps each takes; all of them read and write the same state. */
    private readonly graphs: ReadonlyMap<number, OpenStep>,
    private readonly options: TrainingOptions & { readonly adam: AdamOptions },
    private readonly current: Map<string, Tensor>,
    private readonly spare: Map<string, Tensor>,
    private taken: number,
  ) {}

  static async create(trained: TrainingModel, given: Partial<TrainingOptions> = {}): Promise<Training> {
    const adam = { ...ADAM_DEFAULTS, ...given.adam }
    const options = { device: 'cpu' as Device, threads: 0, seed: 1, inPlace: true, unroll: 1, ...given, adam }
    const holder = options.device === 'webgpu' ? 'graph' : 'caller'
    const definitions = [...new Set([1, options.unroll])].map((unroll) =>
      trainingStep(trained, adam, unroll, holder),
    )
    const [definition] = definitions
    const start = options.state?.tensors ?? initialState(definition.parameters, options.seed)
    const current = new Map<string, Tensor>()
    const spare = new Map<string, Tensor>()
    const tables = new Set(definition.lookups.flatMap(({ parameter }) => statesOf(parameter)))
    for (const { state, shape } of states(definition)) {
      current.set(state, tensor('float32', checkedCopy(start, state, shape), shape))
      const inPlace = options.inPlace && definitions.every((one) => one.inPlace.has(state))
      if (options.device !== 'webgpu' && !inPlace && !tables.has(state)) {
        spare.set(state, tensor('float32', new Float32Array(sizeOf(shape)), shape))
      }
    }
    const outputLocations =
      options.device === 'webgpu'
        ? Object.fromEntries([
            ['loss', 'cpu' as const],
            ['norm', 'cpu' as const],
            ...states(definition).map(({ state }) => [nextName(state), 'gpu-buffer' as const]),
          ])
        : undefined
    const { device, threads } = options
    const graphs = new Map<number, OpenStep>()
    for (const one of definitions) {
      const model = serializeModel(one.graph, { ownOutputs: true })
      const spinMicroseconds = SPIN_MICROSECONDS
      const session = await Session.create(model, { device, threads, outputLocations, spinMicroseconds })
      graphs.set(one.unroll, { definition: one, session })
    }
    return new Training(definition, graphs, options, current, spare, options.state?.steps ?? 0)
  }

  /** How many steps have been taken, those before a resume included. */
  get steps(): number {
    return this.taken
  }

  /** Where the state lies: 'cpu', or with webgpu from the first step on 'gpu-buffer'. */
  get stateLocations(): ReadonlySet<string> {
    return new Set(Array.from(this.current.values(), ({ location }) => location))
  }

  /** One step down. @param rate the learning rate */
  async step(batch: Batch, rate: number): Promise<StepResult> {
    const [result] = await this.several([batch], [rate])
    return result
  }

  /**
   * As many steps one after the other, in one run: one, or `options.unroll`.
   * @param rates the learning rate of each
   * @throws INTERNAL for another number of steps; DIMENSION_MISMATCH for a batch of another size
   */
  async several(batches: readonly Batch[], rates: readonly number[]): Promise<StepResult[]> {
    const unroll = batches.length
    const graph = this.graphs.get(unroll)
    if (graph === undefined || rates.length !== unroll) {
      throw new TextrecError(
        'INTERNAL',
        `There is no graph of ${unroll} steps with ${rates.length} rates.`,
        'Give one batch and one rate for each step that is unrolled.',
      )
    }
    const { definition, session } = graph
    const corrections = batches.map((_, i) => [...stepScalars(this.taken + 1 + i, this.options.adam)])
    const { feeds: fed, taken } = batchFeeds(definition, batches)
    const feeds = {
      ...Object.fromEntries(this.current),
      ...fed,
      rate: tensor('float32', Float32Array.from(rates), [unroll]),
      bias: tensor('float32', Float32Array.from(corrections.flat()), [2 * unroll]),
    }
    const results =
      this.options.device === 'webgpu'
        ? await this.onDevice(session, feeds)
        : await this.onCpu(session, feeds, taken)
    this.taken += unroll
    const [losses, norms] = [results.loss.data as Float32Array, results.norm.data as Float32Array]
    return batches.map((_, i) => ({ loss: losses[i], norm: norms[i] }))
  }

  /** @param taken the rows that the graph looks at, by table */
  private async onCpu(
    session: Session,
    feeds: { [name: string]: Tensor },
    taken: ReadonlyMap<string, Int32Array>,
  ) {
    const fetches: { [name: string]: Tensor | null } = { loss: null, norm: null }
    for (const [state, held] of this.current) fetches[nextName(state)] = this.spare.get(state) ?? held
    for (const [table, rows] of taken) {
      for (const state of statesOf(table)) {
        feeds[state] = rowsOf(this.current.get(state)!, rows)
        fetches[nextName(state)] = null
      }
    }
    const results = await session.run(feeds, fetches as Fetches)
    for (const [state, other] of this.spare) {
      this.spare.set(state, this.current.get(state)!)
      this.current.set(state, other)
    }
    for (const [table, rows] of taken) {
      for (const state of statesOf(table)) putRows(this.current.get(state)!, rows, results[nextName(state)])
    }
    return results
  }

  private async onDevice(session: Session, feeds: { readonly [name: string]: Tensor }) {
    const results = await session.run(feeds)
    for (const [state, old] of this.current) {
      this.current.set(state, results[nextName(state)] as Tensor)
      old.dispose()
    }
    return results
  }

  /** A copy of the weights, moments left out, by parameter name. */
  async weights(): Promise<{ [parameter: string]: Float32Array }> {
    const names = this.definition.parameters.map(({ name }) => name)
    const values = await this.read(names.map((name) => stateName('w', name)))
    return Object.fromEntries(names.map((name, i) => [name, values[i]]))
  }

  /** A copy of everything, for a checkpoint. */
  async state(): Promise<TrainingState> {
    const names = [...this.current.keys()]
    const values = await this.read(names)
    return { steps: this.taken, tensors: Object.fromEntries(names.map((name, i) => [name, values[i]])) }
  }

  async close(): Promise<void> {
    if (this.options.device === 'webgpu') for (const held of this.current.values()) held.dispose()
    for (const { session } of this.graphs.values()) await session.close()
  }

  private async read(names: readonly string[]): Promise<Float32Array[]> {
    if (this.options.device !== 'webgpu') {
      return names.map((name) => Float32Array.from(this.current.get(name)!.data as Float32Array))
    }
    // Reading a device tensor directly aborts the process: an Identity graph brings it home.
    const graph = new Graph('read')
    for (const name of names) {
      graph.output(nextName(name), graph.input(name, 'float32', this.current.get(name)!.dims))
    }
    const session = await Session.create(serializeModel(graph), { device: 'webgpu' })
    try {
      const results = await session.run(
        Object.fromEntries(names.map((name) => [name, this.current.get(name)!])),
      )
      return names.map((name) => Float32Array.from(results[nextName(name)].data as Float32Array))
    } finally {
      await session.close()
    }
  }
}

/** Starting weights, drawn parameter by parameter in the order in which the model names them; zero moments. */
export function initialState(
  parameters: readonly ParameterSpec[],
  seed: number,
): { [state: string]: Float32Array } {
  const source = random(seed)
  const tensors: { [state: string]: Float32Array } = {}
  for (const { name, shape, initial } of parameters) {
    const size = sizeOf(shape)
    const w = new Float32Array(size)
    if ('fill' in initial) w.fill(initial.fill)
    else if ('data' in initial) w.set(initial.data)
    else for (let i = 0; i < size; i++) w[i] = source.normal() * initial.deviation
    tensors[stateName('w', name)] = w
    tensors[stateName('m', name)] = new Float32Array(size)
    tensors[stateName('v', name)] = new Float32Array(size)
  }
  return tensors
}

function states(step: TrainingStep): { state: string; shape: readonly number[] }[] {
  return step.parameters.flatMap(({ name, shape }) => statesOf(name).map((state) => ({ state, shape })))
}

function statesOf(parameter: string): string[] {
  return STATE_KINDS.map((kind) => stateName(kind, parameter))
}

function checkedCopy(
  tensors: { readonly [name: string]: Float32Array },
  state: string,
  shape: readonly number[],
): Float32Array {
  const data = tensors[state]
  if (data?.length === sizeOf(shape)) return Float32Array.from(data)
  throw new TextrecError(
    'DIMENSION_MISMATCH',
    `The training state has ${data?.length ?? 'no'} numbers for '${state}' of shape [${shape.join(', ')}].`,
    'It belongs to another model: start afresh.',
  )
}
