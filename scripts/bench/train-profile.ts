import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Graph } from '../../src/onnx/graph.js'
import { stepScalars, type TrainingStep, trainingStep } from '../../src/onnx/optimizer.js'
import { initialState } from '../../src/onnx/optimizer-session.js'
import { serializeModel } from '../../src/onnx/protobuf.js'
import { type Feeds, type Fetches, onnxRuntime, type Tensor, tensor } from '../../src/onnx/session.js'
import { batchFeeds, sizeOf } from '../../src/onnx/step-feeds.js'
import { nextName, STATE_KINDS, stateName } from '../../src/onnx/step-names.js'
import { operationsOf, type TimedCase } from './train-models.js'

/** Where the time of a step goes, by kind of operator. */
export interface OperatorTime {
  readonly operator: string
  /** Nodes of that kind in a step. */
  readonly count: number
  /** Of the time of all kernels. */
  readonly share: number
  /** Matrix products only: what they reach, 10^9 operations a second. */
  readonly gflops?: number
}

interface Event {
  readonly cat: string
  readonly name: string
  /** Microseconds. */
  readonly dur: number
  readonly args: { readonly op_name?: string; readonly output_type_shape?: readonly unknown[] }
}

/**
 * Takes some steps under ONNX Runtime's profiler and adds up the fastest run of each kernel, largest first.
 * @param folder empty; the profile is written there
 */
export async function profileStep(
  one: TimedCase,
  folder: string,
  { threads, steps }: { readonly threads: number; readonly steps: number },
): Promise<OperatorTime[]> {
  const definition = trainingStep(one.model, {}, 1, 'caller')
  const session = await onnxRuntime().InferenceSession.create(
    serializeModel(definition.graph, { ownOutputs: true }),
    {
      ...{ executionProviders: ['cpu'], intraOpNumThreads: threads, interOpNumThreads: 1 },
      ...{ enableProfiling: true, profileFilePrefix: join(folder, 'step') },
    },
  )
  try {
    const feeds = feedsOf(one, definition)
    const fetches = fetchesOf(feeds, definition)
    for (let step = 0; step < steps; step++) await session.run(feeds, fetches)
    session.endProfiling()
  } finally {
    await session.release()
  }
  const [file] = readdirSync(folder).filter((name) => name.startsWith('step'))
  return summed(JSON.parse(readFileSync(join(folder, file), 'utf8')) as Event[], definition.graph)
}

function feedsOf({ batch }: TimedCase, { graph, parameters, ...definition }: TrainingStep): Feeds {
  const state = initialState(parameters, 1)
  const shapes = new Map(graph.inputs.map(({ name, shape }) => [name, shape as readonly number[]]))
  // Of a long table the first rows: as many as the graph takes.
  const held = Object.entries(state).map(([name, data]) => {
    const shape = shapes.get(name)!
    return [name, tensor('float32', data.slice(0, sizeOf(shape)), shape)]
  })
  return {
    ...Object.fromEntries(held),
    ...batchFeeds({ graph, parameters, ...definition }, [batch]).feeds,
    rate: tensor('float32', Float32Array.of(1e-3), [1]),
    bias: tensor('float32', stepScalars(1), [2]),
  }
}

/** State goes where a training puts it: over what it was, where that is safe. */
function fetchesOf(feeds: Feeds, { parameters, inPlace }: TrainingStep): Fetches {
  const fetches: { [name: string]: Tensor | null } = { loss: null, norm: null }
  for (const { name } of parameters) {
    for (const kind of STATE_KINDS) {
      const state = stateName(kind, name)
      const { data, dims } = feeds[state]
      const apart = () => tensor('float32', new Float32Array(data.length), dims)
      fetches[nextName(state)] = inPlace.has(state) ? feeds[state] : apart()
    }
  }
  return fetches as Fetches
}

const KERNEL = '_kernel_time'
const PRODUCTS: ReadonlySet<string> = new Set(['MatMul', 'Gemm', 'FusedMatMul', 'FusedGemm'])

function summed(events: readonly Event[], graph: Graph): OperatorTime[] {
  const fastest = new Map<string, { readonly operator: string; microseconds: number }>()
  for (const { cat, name, dur, args } of events) {
    if (cat !== 'Node' || !name.endsWith(KERNEL)) continue
    const operator = PRODUCTS.has(args.op_name!) ? 'matrix products' : args.op_name!
    const known = fastest.get(name) ?? { operator, microseconds: Number.POSITIVE_INFINITY }
    known.microseconds = Math.min(known.microseconds, dur)
    fastest.set(name, known)
  }
  const kinds = new Map<string, { count: number; microseconds: number }>()
  for (const { operator, microseconds } of fastest.values()) {
    const kind = kinds.get(operator) ?? { count: 0, microseconds: 0 }
    kind.count++
    kind.microseconds += microseconds
    kinds.set(operator, kind)
  }
  const total = [...kinds.values()].reduce((sum, { microseconds }) => sum + microseconds, 0)
  const operations = graph.nodes.reduce((sum, node) => sum + operationsOf(node), 0)
  return [...kinds]
    .map(([operator, { count, microseconds }]) => ({
      operator,
      count,
      share: microseconds / total,
      ...(operator === 'matrix products' ? { gflops: operations / microseconds / 1e3 } : {}),
    }))
    .sort((a, b) => b.share - a.share)
}
