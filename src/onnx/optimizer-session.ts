import { TextrecError } from '../errors.js'
import { random } from '../math/random.js'
import type { Device } from '../types.js'
import { Graph } from './graph.js'
import {
  ADAM_DEFAULTS,
  type AdamOptions,
  type BatchSpec,
  nextName,
  type ParameterSpec,
  STATE_KINDS,
  stateName,
  stepScalars,
  type TrainingModel,
  type TrainingStep,
  trainingStep,
} from './optimizer.js'
import { serializeModel } from './protobuf.js'
import { type Fetches, Session, type Tensor, tensor } from './session.js'

/** One step's batch: a typed array per name of `TrainingStep.batch`. */
export type Batch = {
  readonly [name: string]: Float32Array | Int32Array | BigInt64Array
}

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
  /** Steps in one run of the graph; `step` then takes a batch of `trainingStep`'s names. Default 1. */
  readonly unroll?: number
}

/** A step is hundreds of short kernels: threads that fall asleep between two of them wake up late. */
const SPIN_MICROSECONDS = 100

/**
 * A model being trained, with its state kept between steps: in one place on the CPU where the graph allows it
 * (else in two, taking turns), on the device with webgpu. `step` blocks the thread while it computes, so this
 * belongs in a worker.
 */
export class Training {
  private constructor(
    readonly definition: TrainingStep,
    private readonly session: Session,
    private readonly options: TrainingOptions & { readonly adam: AdamOptions; readonly unroll: number },
    private readonly current: Map<string, Tensor>,
    private readonly spare: Map<string, Tensor>,
    private taken: number,
  ) {}

  static async create(trained: TrainingModel, given: Partial<TrainingOptions> = {}): Promise<Training> {
    const adam = { ...ADAM_DEFAULTS, ...given.adam }
    const options = { device: 'cpu' as Device, threads: 0, seed: 1, inPlace: true, unroll: 1, ...given, adam }
    const step = trainingStep(trained, adam, options.unroll)
    const start = options.state?.tensors ?? initialState(step.parameters, options.seed)
    const current = new Map<string, Tensor>()
    const spare = new Map<string, Tensor>()
    for (const { state, shape } of states(step)) {
      current.set(state, tensor('float32', checkedCopy(start, state, shape), shape))
      if (options.device !== 'webgpu' && !(options.inPlace && step.inPlace.has(state))) {
        spare.set(state, tensor('float32', new Float32Array(sizeOf(shape)), shape))
      }
    }
    const outputLocations =
      options.device === 'webgpu'
        ? Object.fromEntries([
            ['loss', 'cpu' as const],
            ['norm', 'cpu' as const],
            ...states(step).map(({ state }) => [nextName(state), 'gpu-buffer' as const]),
          ])
        : undefined
    const { device, threads } = options
    const model = serializeModel(step.graph, { ownOutputs: true })
    const spinMicroseconds = SPIN_MICROSECONDS
    const session = await Session.create(model, { device, threads, outputLocations, spinMicroseconds })
    return new Training(step, session, options, current, spare, options.state?.steps ?? 0)
  }

  /** How many steps have been taken, those before a resume included. */
  get steps(): number {
    return this.taken
  }

  /** Where the state lies: 'cpu', or with webgpu from the first step on 'gpu-buffer'. */
  get stateLocations(): ReadonlySet<string> {
    return new Set(Array.from(this.current.values(), ({ location }) => location))
  }

  /** One step down, or as many as are unrolled. @returns the batch's loss and the norm of its gradient, both before the step. */
  async step(batch: Batch, rate: number): Promise<{ loss: number; norm: number }> {
    const feeds: { [name: string]: Tensor } = {
      ...Object.fromEntries(this.current),
      rate: tensor('float32', Float32Array.of(rate), []),
      bias: tensor('float32', this.corrections(), [2 * this.options.unroll]),
    }
    for (const spec of this.definition.batch) feeds[spec.name] = batchTensor(spec, batch)
    const results = this.options.device === 'webgpu' ? await this.onDevice(feeds) : await this.onCpu(feeds)
    this.taken += this.options.unroll
    return { loss: (results.loss.data as Float32Array)[0], norm: (results.norm.data as Float32Array)[0] }
  }

  private corrections(): Float32Array {
    const { unroll, adam } = this.options
    const each = Array.from({ length: unroll }, (_, i) => [...stepScalars(this.taken + 1 + i, adam)])
    return Float32Array.from(each.flat())
  }

  private async onCpu(feeds: { readonly [name: string]: Tensor }) {
    const fetches: { [name: string]: Tensor | null } = { loss: null, norm: null }
    for (const [state, held] of this.current) fetches[nextName(state)] = this.spare.get(state) ?? held
    const results = await this.session.run(feeds, fetches as Fetches)
    for (const [state, other] of this.spare) {
      this.spare.set(state, this.current.get(state)!)
      this.current.set(state, other)
    }
    return results
  }

  private async onDevice(feeds: { readonly [name: string]: Tensor }) {
    const results = await this.session.run(feeds)
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
    await this.session.close()
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
  return step.parameters.flatMap(({ name, shape }) =>
    STATE_KINDS.map((kind) => ({ state: stateName(kind, name), shape })),
  )
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, dim) => product * dim, 1)
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

function batchTensor({ name, type, shape }: BatchSpec, batch: Batch): Tensor {
  const data = batch[name]
  if (data?.length !== sizeOf(shape)) {
    throw new TextrecError(
      'DIMENSION_MISMATCH',
      `The batch has ${data?.length ?? 'no'} numbers for '${name}' of shape [${shape.join(', ')}].`,
      'Every step needs a full batch.',
    )
  }
  return tensor(type, data, shape)
}
