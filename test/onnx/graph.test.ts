import { expect, test } from 'vitest'
import { Graph } from '#src/onnx/graph.js'
import { serializeModel } from '#src/onnx/protobuf.js'
import { Session, tensor } from '#src/onnx/session.js'

test('a graph with an input, a constant, attributes and several outputs runs', async () => {
  const graph = new Graph('small')
  const x = graph.input('x', 'float32', ['batch', 2])
  const w = graph.constant('w', Float32Array.of(1, 2, 3, 4), [2, 2])
  const y = graph.node('Gemm', [x, w], { attributes: { transB: 1, alpha: { float: 0.5 } } })
  graph.output('y', y)
  graph.output('again', y)
  graph.output('total', graph.node('ReduceSum', [y, graph.int64([0, 1])], { attributes: { keepdims: 0 } }))
  const session = await Session.create(serializeModel(graph))
  const out = await session.run({ x: tensor('float32', Float32Array.of(1, 1, 2, 0), [2, 2]) })
  expect([...(out.y.data as Float32Array)]).toEqual([1.5, 3.5, 1, 3])
  expect(out.again.data).toEqual(out.y.data)
  expect([...(out.total.data as Float32Array)]).toEqual([9])
  await session.close()
})

test('a constant whose shape does not fit its data is refused', () => {
  expect(() => new Graph('g').constant('w', new Float32Array(3), [2, 2])).toThrow(/3 numbers for shape/)
})

test('names are made unique, and two inputs of one name are refused', () => {
  const graph = new Graph('g')
  expect(graph.scalar(1, 'a').name).not.toBe(graph.scalar(2, 'a').name)
  graph.input('x', 'float32', [])
  expect(() => graph.input('x', 'float32', [])).toThrow(/two values named 'x'/)
})
