import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { Graph } from '../../src/onnx/graph.js'
import { serializeModel } from '../../src/onnx/protobuf.js'
import { type Feeds, Session, tensor } from '../../src/onnx/session.js'
import { timed } from './measure.js'
import type { Ceilings } from './part.js'

/**
 * What the machine can do at most through ONNX Runtime: matrix products of the shapes that encoders have
 * (rows, inputs, outputs) and square ones, the fastest of which is the ceiling; and memory, by copying.
 */
const SHAPES = [
  [2048, 384, 1536],
  [2048, 1536, 384],
  [1024, 1024, 1024],
  [2048, 2048, 2048],
] as const

export async function measureCeilings(threads: number, quick: boolean): Promise<Ceilings> {
  const rounds = quick ? 8 : 30
  return {
    fp32Gflops: await fastestProduct(floatProduct, threads, rounds),
    int8Gops: await fastestProduct(byteProduct, threads, rounds),
    int8DynamicGops: await fastestProduct(dynamicProduct, threads, rounds),
    memoryGBs: await copySpeed(threads, quick ? 500 : 2000),
  }
}

type Shape = (typeof SHAPES)[number]
interface Product {
  readonly graph: Graph
  readonly feeds: Feeds
}

/** The products of ONNX Runtime that a share can be given against. */
export const PRODUCTS = {
  /** fp32 in and out: what training is made of. */
  MatMul: floatProduct,
  /** fp32 in and out: finds the scale, quantizes, multiplies, scales back. What an int8 encoder is made of. */
  DynamicQuantizeMatMul: dynamicProduct,
  /** Bytes in, 32-bit sums out: the product alone. */
  MatMulInteger: byteProduct,
} as const

/** One product to be timed beside other work, so that both meet the machine in the same state. */
export interface ProductRunner {
  /** Of one `run`. */
  readonly gigaOperations: number
  run(): Promise<void>
  close(): Promise<void>
}

/**
 * The product in its fastest shape, as often as takes so long: 30 ms are enough to be timed, but what is compared with
 * longer work has to meet as much of what else the machine does.
 * @param spinMicroseconds as in the sessions of what it stands beside
 */
export async function productRunner(
  kind: keyof typeof PRODUCTS,
  threads: number,
  { milliseconds: long = 30, spinMicroseconds = 0 } = {},
): Promise<ProductRunner> {
  const make = PRODUCTS[kind]
  let best = { milliseconds: Number.POSITIVE_INFINITY, operations: 0, shape: SHAPES[0] as Shape }
  for (const shape of SHAPES) {
    const { graph, feeds } = make(shape)
    const milliseconds = await fastestRun(graph, feeds, threads, 5)
    const operations = operationsOf(shape)
    if (operations / milliseconds > best.operations / best.milliseconds) {
      best = { milliseconds, operations, shape }
    }
  }
  const { graph, feeds } = make(best.shape)
  const session = await Session.create(serializeModel(graph), { threads, spinMicroseconds })
  const times = Math.ceil(long / best.milliseconds)
  return {
    gigaOperations: (times * best.operations) / 1e9,
    async run() {
      for (let i = 0; i < times; i++) await session.run(feeds)
    },
    close: () => session.close(),
  }
}

const operationsOf = ([rows, inputs, outputs]: Shape) => 2 * rows * inputs * outputs

async function fastestProduct(make: (shape: Shape) => Product, threads: number, rounds: number) {
  let best = 0
  for (const shape of SHAPES) {
    const { graph, feeds } = make(shape)
    const fastest = await fastestRun(graph, feeds, threads, rounds)
    best = Math.max(best, operationsOf(shape) / fastest / 1e6)
  }
  return best
}

function floatProduct([rows, inputs, outputs]: Shape): Product {
  const graph = new Graph('fp32-ceiling')
  const x = graph.input('x', 'float32', [rows, inputs])
  const weight = graph.constant('w', new Float32Array(inputs * outputs).fill(0.5), [inputs, outputs])
  graph.output('y', graph.node('MatMul', [x, weight], { shape: [rows, outputs] }))
  return { graph, feeds: { x: tensor('float32', new Float32Array(rows * inputs).fill(0.5), [rows, inputs]) } }
}

function byteProduct([rows, inputs, outputs]: Shape): Product {
  const graph = new Graph('int8-ceiling')
  const x = graph.input('x', 'uint8', [rows, inputs])
  const weight = graph.constant('w', new Int8Array(inputs * outputs).fill(3), [inputs, outputs])
  graph.output('y', graph.node('MatMulInteger', [x, weight], { type: 'int32', shape: [rows, outputs] }))
  return { graph, feeds: { x: tensor('uint8', new Uint8Array(rows * inputs).fill(3), [rows, inputs]) } }
}

function dynamicProduct([rows, inputs, outputs]: Shape): Product {
  const graph = new Graph('int8-dynamic-ceiling')
  const x = graph.input('x', 'float32', [rows, inputs])
  const weight = graph.constant('w', new Int8Array(inputs * outputs).fill(3), [inputs, outputs])
  const scale = graph.constant('scale', new Float32Array(outputs).fill(0.01), [outputs])
  const bias = graph.constant('bias', new Float32Array(outputs), [outputs])
  const options = { domain: 'com.microsoft', type: 'float32', shape: [rows, outputs] } as const
  graph.output('y', graph.node('DynamicQuantizeMatMul', [x, weight, scale, undefined, bias], options))
  const values = Float32Array.from({ length: rows * inputs }, (_, i) => Math.sin(i))
  return { graph, feeds: { x: tensor('float32', values, [rows, inputs]) } }
}

/** All threads at once, each with arrays of its own; a byte that is read and written counts twice. */
async function copySpeed(threads: number, milliseconds: number): Promise<number> {
  const speeds = Array.from({ length: threads }, async () => {
    const worker = new Worker(new URL('./memory-worker.js', import.meta.url), {
      workerData: { milliseconds },
    })
    const [bytesPerMillisecond] = (await once(worker, 'message')) as [number]
    await once(worker, 'exit')
    return bytesPerMillisecond
  })
  return (await Promise.all(speeds)).reduce((sum, speed) => sum + speed, 0) / 1e6
}

/** Milliseconds of the fastest of some runs: a ceiling is what nothing disturbed. */
async function fastestRun(graph: Graph, feeds: Feeds, threads: number, rounds: number): Promise<number> {
  const session = await Session.create(serializeModel(graph), { threads })
  try {
    await session.run(feeds)
    let fastest = Number.POSITIVE_INFINITY
    for (let round = 0; round < rounds; round++) {
      fastest = Math.min(fastest, await timed(() => session.run(feeds)))
    }
    return fastest
  } finally {
    await session.close()
  }
}
