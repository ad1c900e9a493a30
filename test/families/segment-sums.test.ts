import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { neighbourSums, userItemGraph } from '#src/families/segment-sums.js'
import { gradients } from '#src/onnx/gradient.js'
import { Graph } from '#src/onnx/graph.js'
import { Ops } from '#src/onnx/ops.js'
import { serializeModel } from '#src/onnx/protobuf.js'
import { Session, tensor } from '#src/onnx/session.js'

const DIM = 3
type Pair = readonly [user: number, item: number]

/** The sums of [nodes, DIM] and, for a loss of sum(weights * sums), the gradient. */
async function computed(
  people: number,
  items: number,
  pairs: readonly Pair[],
  x: Float32Array,
  w: Float32Array,
) {
  const nodes = people + items
  const users = Int32Array.from(pairs, ([user]) => user)
  const taken = Int32Array.from(pairs, ([, item]) => item)
  const graph = new Graph('sums')
  const ops = new Ops(graph)
  const table = graph.input('x', 'float32', [nodes, DIM])
  const sums = neighbourSums(ops, userItemGraph(people, items, { users, taken }))(table)
  const loss = ops.sum(ops.mul(sums, graph.input('w', 'float32', [nodes, DIM])))
  graph.output('sums', sums)
  graph.output('gradient', gradients(graph, loss, [table])[0])
  const session = await Session.create(serializeModel(graph), { threads: 2 })
  const results = await session.run({
    x: tensor('float32', x, [nodes, DIM]),
    w: tensor('float32', w, [nodes, DIM]),
  })
  await session.close()
  return [results.sums.data, results.gradient.data] as [Float32Array, Float32Array]
}

/** The slow obvious way: every pair adds each end to the other. */
function added(people: number, pairs: readonly Pair[], x: Float32Array): number[] {
  const sums = Array<number>(x.length).fill(0)
  for (const [user, item] of pairs) {
    for (const [to, from] of [
      [user, people + item],
      [people + item, user],
    ]) {
      for (let d = 0; d < DIM; d++) sums[to * DIM + d] += x[from * DIM + d]
    }
  }
  return sums
}

/** Small whole numbers: their sums are exact in any order. */
const numbers = (count: number, seed: number) =>
  Float32Array.from({ length: count }, (_, i) => ((i * 7919 + seed) % 17) - 8)

describe('sums over neighbours', () => {
  test('and their gradient are those of adding edge by edge', async () => {
    const size = fc.integer({ min: 1, max: 12 })
    const anything = fc.tuple(size, size, fc.integer({ min: 0, max: 99 })).chain(([people, items, seed]) =>
      fc.record({
        people: fc.constant(people),
        items: fc.constant(items),
        seed: fc.constant(seed),
        pairs: fc.array(fc.tuple(fc.nat(people - 1), fc.nat(items - 1)), { maxLength: 60 }),
      }),
    )
    await fc.assert(
      fc.asyncProperty(anything, async ({ people, items, pairs, seed }) => {
        const x = numbers((people + items) * DIM, seed)
        const w = numbers((people + items) * DIM, seed + 5)
        const [sums, gradient] = await computed(people, items, pairs, x, w)
        expect([...sums]).toEqual(added(people, pairs, x).map((value) => value + 0))
        expect([...gradient]).toEqual(added(people, pairs, w).map((value) => value + 0))
      }),
      { numRuns: 25 },
    )
  })

  test('one item that thousands took is summed without a race', async () => {
    const people = 5000
    const pairs = Array.from({ length: people }, (_, user): Pair => [user, user % 10 === 0 ? 1 : 0])
    const x = numbers((people + 2) * DIM, 1)
    const [first] = await computed(people, 2, pairs, x, x)
    expect([...first]).toEqual(added(people, pairs, x))
    expect((await computed(people, 2, pairs, x, x))[0]).toEqual(first)
  })
})
