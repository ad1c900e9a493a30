import { throwIfAborted } from '../errors.js'
import { type Product, plainProduct } from '../math/linear-algebra.js'
import { Graph } from '../onnx/graph.js'
import { serializeModel } from '../onnx/protobuf.js'
import { Session, tensor } from '../onnx/session.js'
import { type CallContext, nativeStep, serveWorker } from '../onnx/worker-server.js'
import { easeWeights } from './ease.js'
import { itemNeighbours } from './neighbours.js'

/** What the worker is asked for; see easeWeights and itemNeighbours for the meaning of the fields. */
export interface EaseRequest {
  readonly starts: Int32Array
  readonly items: Int32Array
  readonly warmCount: number
  readonly lambda: number
  readonly threads: number
}
export interface NeighbourRequest {
  readonly starts: Int32Array
  readonly items: Int32Array
  readonly warmCount: number
  readonly count: number
  readonly shrinkage: number
}

const WHAT = 'Learning item-item scores'
/** Below this many multiplications ONNX Runtime is not worth the call. */
const SMALL = 1e5

let session: Session | undefined

/** A * B^T in double precision by ONNX Runtime's Gemm, stopping between products when asked to. */
function runtimeProduct(threads: number, context: CallContext): Product {
  return async (a, b, m, n, k) => {
    if (m * n * k < SMALL) return plainProduct(a, b, m, n, k)
    return nativeStep(async () => {
      throwIfAborted(context.signal, WHAT)
      session ??= await openProduct(threads)
      const { c } = await session.run({ a: tensor('float64', a, [m, k]), b: tensor('float64', b, [n, k]) })
      return c.data as Float64Array
    })
  }
}

function openProduct(threads: number): Promise<Session> {
  const graph = new Graph('product')
  const a = graph.input('a', 'float64', ['m', 'k'])
  const b = graph.input('b', 'float64', ['n', 'k'])
  graph.output('c', graph.node('Gemm', [a, b], { attributes: { transB: 1 }, shape: ['m', 'n'] }))
  return Session.create(serializeModel(graph), { threads })
}

serveWorker(
  {
    ease: async (request: EaseRequest, context) => {
      const { warmCount, lambda, threads } = request
      const product = runtimeProduct(threads, context)
      const weights = await easeWeights(request, warmCount, lambda, product, (share) =>
        context.progress(share),
      )
      return { result: weights, transfer: [weights.buffer] }
    },
    neighbours: async (request: NeighbourRequest, context) => {
      const { warmCount, count, shrinkage } = request
      const pause = async (share: number) => {
        await new Promise((resolve) => setImmediate(resolve))
        throwIfAborted(context.signal, WHAT)
        context.progress(share)
      }
      const lists = await itemNeighbours(request, warmCount, count, shrinkage, pause)
      const { starts, neighbours, similarities } = lists
      return { result: lists, transfer: [starts.buffer, neighbours.buffer, similarities.buffer] }
    },
  },
  async () => session?.close(),
)
