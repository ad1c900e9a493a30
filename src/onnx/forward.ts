import { TextrecError } from '../errors.js'
import { type Dim, Graph, type Value } from './graph.js'
import { Ops } from './ops.js'
import type { BatchSpec, Scope } from './optimizer.js'
import type { Batch } from './optimizer-session.js'
import { serializeModel } from './protobuf.js'
import { type Feeds, Session, type SessionOptions, tensor } from './session.js'
import { stateName } from './step-names.js'

interface Fed {
  readonly input: string
  readonly type: BatchSpec['type']
  /** At most one size may be open, a name: it follows from how many numbers are fed. */
  readonly shape: readonly Dim[]
}

/**
 * A forward pass whose parameters are fed with every run, so that one session serves a model while it is being trained.
 * `run` blocks its thread while it computes.
 */
export class Forward {
  private constructor(
    private readonly session: Session,
    private readonly parameters: ReadonlyMap<string, Fed>,
    private readonly batch: ReadonlyMap<string, Fed>,
  ) {}

  /** @param build adds the pass to a graph and names what it gives out */
  static async open(
    name: string,
    build: (scope: Scope) => { readonly [output: string]: Value },
    options: Pick<SessionOptions, 'threads'> = {},
  ): Promise<Forward> {
    const graph = new Graph(name)
    const parameters = new Map<string, Fed>()
    const batch = new Map<string, Fed>()
    const ops = new Ops(graph)
    const parameterOf = (parameter: string, shape: readonly number[]) => {
      // A parameter and a part of the batch may bear one name.
      const input = stateName('w', parameter)
      parameters.set(parameter, { input, type: 'float32', shape })
      return graph.input(input, 'float32', shape)
    }
    const batchOf = (input: string, type: BatchSpec['type'], shape: readonly Dim[]) => {
      batch.set(input, { input, type, shape })
      return graph.input(input, type, shape)
    }
    const outputs = build({
      ops,
      parameter: parameterOf,
      batch: batchOf,
      rows: (table, shape, _initial, index, count) =>
        ops.gatherRows(parameterOf(table, shape), batchOf(index, 'int32', [count])),
    })
    for (const [output, value] of Object.entries(outputs)) graph.output(output, value)
    return new Forward(await Session.create(serializeModel(graph), options), parameters, batch)
  }

  /**
   * The outputs by name, row-major. Weights and parts of the batch that this pass does not read are left alone.
   * @throws DIMENSION_MISMATCH for one that is missing or of another size
   */
  async run(
    weights: { readonly [parameter: string]: Float32Array },
    batch: Batch,
  ): Promise<{ [output: string]: Float32Array }> {
    const feeds: { [name: string]: Feeds[string] } = {}
    const feed = (from: Batch, all: ReadonlyMap<string, Fed>) => {
      for (const [name, { input, type, shape }] of all) {
        feeds[input] = tensor(type, from[name], sizes(name, from[name]?.length, shape))
      }
    }
    feed(weights, this.parameters)
    feed(batch, this.batch)
    const results = await this.session.run(feeds)
    return Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, data as Float32Array]))
  }

  close(): Promise<void> {
    return this.session.close()
  }
}

function sizes(name: string, length: number | undefined, shape: readonly Dim[]): number[] {
  const known = shape.reduce<number>((product, dim) => (typeof dim === 'number' ? product * dim : product), 1)
  const result = shape.map((dim) => (typeof dim === 'number' ? dim : (length ?? Number.NaN) / known))
  if (result.reduce((product, dim) => product * dim, 1) === length && result.every(Number.isInteger))
    return result
  throw new TextrecError(
    'DIMENSION_MISMATCH',
    `There are ${length ?? 'no'} numbers for '${name}' of shape [${shape.join(', ')}].`,
    'Weights and batch must be those of this model.',
  )
}
