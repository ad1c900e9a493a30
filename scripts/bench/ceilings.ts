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
    memoryGBs: await copySpeed(threads, quick ? 500 : 2000),
  }
}

type Shape = (typeof SHAPES)[number]
interface Product {
  readonly graph: Graph
  readonly feeds: Feeds
}

/** One 8-bit product to be timed beside other work, so that both meet the machine in the same state. */
export async function byteProductRunner(threads: number): Promise<{
  readonly gigaOperations: number
  run(): Promise<unknown>
  close(): Promise<void>
}> {
  const shape = SHAPES[0]
  const { graph, feeds } = byteProduct(shape)
  const session = await Session.create(serializeModel(graph), { threads })
  return {
    gigaOperations: (2 * shape[0] * shape[1] * shape[2]) / 1e9,
    run: () => session.run(feeds),
    close: () => session.close(),
  }
}

async function fastestProduct(make: (shape: Shape) => Product, threads: number, rounds: number) {
  let best = 0
  for (const shape of SHAPES) {
    const { graph, feeds } = make(shape)
    const fastest = await fastestRun(graph, feeds, threads, rounds)
    best = Math.max(best, (2 * shape[0] * shape[1] * shape[2]) / fastest / 1e6)
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
