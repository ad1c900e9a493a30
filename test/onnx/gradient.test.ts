import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { random } from '#src/math/random.js'
import { gradients } from '#src/onnx/gradient.js'
import { GRADIENT_RULES } from '#src/onnx/gradient-rules.js'
import { Graph } from '#src/onnx/graph.js'
import { Ops } from '#src/onnx/ops.js'
import { serializeModel } from '#src/onnx/protobuf.js'
import { Session, type Tensor, tensor } from '#src/onnx/session.js'
import { CASES } from './gradient-cases.js'

interface Plain {
  readonly shape: number[]
  readonly data: number[]
}
interface Recorded {
  readonly inputs: Plain[]
  readonly weights: Plain
  readonly loss: number
  readonly gradients: Plain[]
}
const recorded = JSON.parse(readFileSync(new URL('../fixtures/gradients.json', import.meta.url), 'utf8')) as {
  [name: string]: Recorded
}

/** The graph of one case: loss = sum(output * weights), and its gradients by each input. */
function caseGraph(name: string, { inputs, weights }: Recorded): Graph {
  const graph = new Graph(name)
  const ops = new Ops(graph)
  const values = inputs.map(({ shape }, i) => graph.input(`x${i}`, 'float32', shape))
  const output = CASES[name](ops, values)
  expect(output.shape).toEqual(weights.shape)
  const weighted = ops.mul(output, graph.constant('w', Float32Array.from(weights.data), weights.shape))
  const loss = ops.sum(weighted)
  const found = gradients(graph, loss, values)
  graph.output('loss', loss)
  for (const [i, gradient] of found.entries()) graph.output(`d${i}`, gradient)
  return graph
}

const feedsOf = (inputs: Plain[]) =>
  Object.fromEntries(
    inputs.map(({ shape, data }, i) => [`x${i}`, tensor('float32', Float32Array.from(data), shape)]),
  )
const numbers = (value: Tensor) => Array.from(value.data as Float32Array)
const expectClose = (actual: number[], expected: number[], tolerance: number) => {
  expect(actual.length).toBe(expected.length)
  for (const [i, value] of actual.entries()) {
    expect(Math.abs(value - expected[i])).toBeLessThanOrEqual(tolerance * Math.max(1, Math.abs(expected[i])))
  }
}

test('every operator with a rule has a case, and every case a recording', () => {
  expect(Object.keys(CASES).sort()).toEqual(Object.keys(recorded).sort())
  const made = new Set(Object.entries(recorded).flatMap(([n, r]) => caseGraph(n, r).nodes.map((x) => x.op)))
  const flat = ['Cast', 'Equal', 'Less', 'And'] // their gradient is zero by definition
  const differentiable = Object.keys(GRADIENT_RULES).filter((op) => !flat.includes(op))
  expect(differentiable.filter((op) => !made.has(op))).toEqual([])
})

describe.each(Object.entries(recorded))('%s', (name, record) => {
  test('agrees with PyTorch', async () => {
    const session = await Session.create(serializeModel(caseGraph(name, record)), { threads: 1 })
    const out = await session.run(feedsOf(record.inputs))
    expectClose(numbers(out.loss), [record.loss], 2e-5)
    for (const [i, expected] of record.gradients.entries()) {
      expect(out[`d${i}`].dims).toEqual(expected.shape)
      expectClose(numbers(out[`d${i}`]), expected.data, 2e-5)
    }
    await session.close()
  })

  // stopGradient is a lie told on purpose: its value does depend on its input.
  test.skipIf(name === 'stopGradient')('agrees with central finite differences', async () => {
    const session = await Session.create(serializeModel(caseGraph(name, record)), { threads: 1 })
    const step = 1e-2
    const lossAt = async (inputs: Plain[]) => numbers((await session.run(feedsOf(inputs))).loss)[0]
    const exact = await session.run(feedsOf(record.inputs))
    for (const [i, input] of record.inputs.entries()) {
      const slopes: number[] = []
      for (let at = 0; at < input.data.length; at++) {
        const moved = (by: number) => {
          const data = input.data.map((x, j) => (j === at ? x + by : x))
          return lossAt(record.inputs.map((other, j) => (j === i ? { ...input, data } : other)))
        }
        slopes.push(((await moved(step)) - (await moved(-step))) / (2 * step))
      }
      expectClose(numbers(exact[`d${i}`]), slopes, 1e-2)
    }
    await session.close()
  })
})

test('the gradient of a gather with heavy duplicates is exact at 2 threads, run after run', async () => {
  const [rows, dim, count] = [50, 64, 4000]
  const source = random(3)
  // Nine in ten indices name one of three rows.
  const indices = Int32Array.from({ length: count }, () => source.integer(source.next() < 0.9 ? 3 : rows))
  const gradient = Float32Array.from({ length: count * dim }, () => source.normal())
  const expected = new Float64Array(rows * dim)
  for (let p = 0; p < count; p++) {
    for (let j = 0; j < dim; j++) expected[indices[p] * dim + j] += gradient[p * dim + j]
  }
  const graph = new Graph('duplicates')
  const ops = new Ops(graph)
  const table = graph.input('table', 'float32', [rows, dim])
  const picked = ops.gatherRows(table, graph.input('indices', 'int32', [count]))
  const loss = ops.sum(ops.mul(picked, graph.input('w', 'float32', [count, dim])))
  graph.output('d', gradients(graph, loss, [table])[0])
  const session = await Session.create(serializeModel(graph), { threads: 2 })
  const feeds = {
    table: tensor('float32', new Float32Array(rows * dim), [rows, dim]),
    indices: tensor('int32', indices, [count]),
    w: tensor('float32', gradient, [count, dim]),
  }
  for (let run = 0; run < 10; run++) {
    expectClose(numbers((await session.run(feeds)).d), Array.from(expected), 1e-4)
  }
  await session.close()
})

test('a parameter that the loss does not depend on gets zeros', async () => {
  const graph = new Graph('unused')
  const ops = new Ops(graph)
  const [a, b] = [graph.input('a', 'float32', [2]), graph.input('b', 'float32', [3])]
  graph.output('d', gradients(graph, ops.sum(a), [b])[0])
  graph.output('used', gradients(graph, ops.sum(a), [a])[0])
  const session = await Session.create(serializeModel(graph), { threads: 1 })
  const out = await session.run({
    a: tensor('float32', new Float32Array(2), [2]),
    b: tensor('float32', new Float32Array(3), [3]),
  })
  expect(numbers(out.d)).toEqual([0, 0, 0])
  expect(numbers(out.used)).toEqual([1, 1])
  await session.close()
})

test('an operator without a rule, a loss that is no scalar and shapes that do not fit are refused', () => {
  const graph = new Graph('bad')
  const ops = new Ops(graph)
  const x = graph.input('x', 'float32', [2, 3])
  const odd = graph.node('Sin', [x], { shape: [2, 3] })
  expect(() => gradients(graph, ops.sum(odd), [x])).toThrow(/no gradient for operator Sin/)
  expect(() => gradients(graph, x, [x])).toThrow(/not a scalar/)
  expect(() => ops.add(x, graph.input('y', 'float32', [4]))).toThrow(/Shapes do not fit/)
  expect(() => ops.matmul(x, x)).toThrow(/matmul of \[2, 3\] and \[2, 3\]/)
  const unknown = graph.node('Abs', [x])
  expect(() => ops.sum(unknown)).toThrow(/shape of .* is not known/)
})
