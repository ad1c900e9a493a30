import { Graph, type Value } from '../../src/onnx/graph.js'
import { Ops } from '../../src/onnx/ops.js'
import { serializeModel } from '../../src/onnx/protobuf.js'
import { Session, tensor } from '../../src/onnx/session.js'
import type { Device } from '../../src/types.js'

/**
 * fp32 matrix products that a device does, 10^9 operations a second: the fastest of some runs of a chain of square
 * products that stays on the device, one number going in and one coming out.
 */
export async function matrixRate(
  device: Device,
  sizes: readonly number[],
  { links, rounds, threads }: { readonly links: number; readonly rounds: number; readonly threads: number },
): Promise<number> {
  let best = 0
  for (const size of sizes) {
    const session = await Session.create(serializeModel(chain(size, links)), { device, threads })
    try {
      let fastest = Number.POSITIVE_INFINITY
      for (let round = 0; round <= rounds; round++) {
        const started = performance.now()
        await session.run({ start: tensor('float32', Float32Array.of(0.5), [1, 1]) })
        // The first run compiles the kernels.
        if (round > 0) fastest = Math.min(fastest, performance.now() - started)
      }
      best = Math.max(best, (2 * size ** 3 * links) / fastest / 1e6)
    } finally {
      await session.close()
    }
  }
  return best
}

/** x W W ... W with x all of one number, summed up. Rows of W sum to 1, so that nothing grows. */
function chain(size: number, links: number): Graph {
  const graph = new Graph('matrix-rate')
  const ops = new Ops(graph)
  const weight = graph.constant('w', new Float32Array(size * size).fill(1 / size), [size, size])
  let x: Value = ops.expand(graph.input('start', 'float32', [1, 1]), [size, size])
  for (let link = 0; link < links; link++) x = ops.matmul(x, weight)
  graph.output('sum', ops.sum(x))
  return graph
}
