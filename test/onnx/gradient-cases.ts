import type { Value } from '#src/onnx/graph.js'
import type { Ops } from '#src/onnx/ops.js'
import {
  cosineCrossEntropy,
  geluPerceptron,
  l2Normalize,
  linear,
  productCrossEntropy,
} from '#src/onnx/ops-layers.js'

const ROWS = [1, 0, 3, 3, 3, 1, 3]
const int32 = (ops: Ops, values: number[], shape = [values.length]) =>
  ops.graph.constant('indices', Int32Array.from(values), shape)

function attention(ops: Ops, q: Value, k: Value, v: Value): Value {
  const scores = ops.div(ops.matmul(q, k, { transposeB: true }), 2)
  const mask = ops.graph.constant('mask', Uint8Array.of(1, 0, 0, 1, 1, 0, 1, 1, 1), [3, 3], 'bool')
  return ops.matmul(ops.softmax(ops.where(mask, scores, -1e9)), v)
}

function crossEntropy(ops: Ops, hidden: Value, table: Value, offsets?: number[]): Value {
  const taken = offsets && ops.graph.constant('offsets', Float32Array.from(offsets), [1, offsets.length])
  const weights = ops.graph.constant('weights', Float32Array.of(1, 0, 1, 1), [4, 1])
  return productCrossEntropy(ops, hidden, table, int32(ops, [2, 0, 2, 1]), weights, taken)
}

function cosines(ops: Ops, x: Value, length: Value, table: Value): Value {
  const weights = ops.graph.constant('weights', Float32Array.of(1, 0, 2, 1), [4, 1])
  const offsets = ops.graph.constant('offsets', Float32Array.of(0.5, -1, 2, 0, -3), [1, 5])
  return cosineCrossEntropy(ops, x, length, { table, targets: int32(ops, [2, 0, 2, 1]), weights, offsets })
}

/** Zeros and twos in turn, as dropout's. */
const everyOther = (ops: Ops) => (x: Value) => {
  const [rows, dim] = x.shape as number[]
  const mask = Float32Array.from({ length: rows * dim }, (_, i) => 2 * (i % 2))
  return ops.mul(x, ops.graph.constant('mask', mask, [rows, dim]))
}

/** The same operators as scripts/fixtures/gradients.py, by the same names. */
export const CASES: { readonly [name: string]: (ops: Ops, x: readonly Value[]) => Value } = {
  add: (ops, [a, b]) => ops.add(a, b),
  sub: (ops, [a, b]) => ops.sub(a, b),
  mul: (ops, [a, b]) => ops.mul(a, b),
  'mul scalar': (ops, [a, b]) => ops.mul(a, b),
  div: (ops, [a, b]) => ops.div(a, b),
  'same value twice': (ops, [a]) => ops.add(ops.mul(a, a), a),
  neg: (ops, [a]) => ops.neg(a),
  exp: (ops, [a]) => ops.exp(a),
  log: (ops, [a]) => ops.log(a),
  sqrt: (ops, [a]) => ops.sqrt(a),
  erf: (ops, [a]) => ops.erf(a),
  relu: (ops, [a]) => ops.relu(a),
  sigmoid: (ops, [a]) => ops.sigmoid(a),
  tanh: (ops, [a]) => ops.tanh(a),
  gelu: (ops, [a]) => ops.gelu(a),
  softmax: (ops, [a]) => ops.softmax(a),
  matmul: (ops, [a, b]) => ops.matmul(a, b),
  'matmul transposeA': (ops, [a, b]) => ops.matmul(a, b, { transposeA: true }),
  'matmul transposeB': (ops, [a, b]) => ops.matmul(a, b, { transposeB: true }),
  'matmul transposeAB': (ops, [a, b]) => ops.matmul(a, b, { transposeA: true, transposeB: true }),
  'matmul batched': (ops, [a, b]) => ops.matmul(a, b, { transposeB: true }),
  'matmul broadcast': (ops, [a, b]) => ops.matmul(a, b),
  linear: (ops, [x, w, b]) => linear(ops, x, w, b),
  gatherRows: (ops, [t]) => ops.gatherRows(t, int32(ops, ROWS)),
  'gatherRows matrix': (ops, [t]) => ops.gatherRows(t, int32(ops, [1, 1, 0, 1], [2, 2])),
  scatterRows: (ops, [r]) => ops.scatterRows(r, int32(ops, ROWS), 5),
  reduceSum: (ops, [a]) => ops.reduceSum(a, [0, 2]),
  reduceMean: (ops, [a]) => ops.reduceMean(a, [1], true),
  sum: (ops, [a]) => ops.sum(a),
  mean: (ops, [a]) => ops.mean(a),
  transpose: (ops, [a]) => ops.transpose(a, [2, 0, 1]),
  reshape: (ops, [a]) => ops.reshape(a, [3, 4]),
  expand: (ops, [a]) => ops.expand(a, [2, 3]),
  concat: (ops, [a, b]) => ops.concat([a, b], 1),
  slice: (ops, [a]) => ops.slice(a, 1, 1, 3),
  where: (ops, [a, b]) => ops.where(ops.graph.constant('c', Uint8Array.of(1, 0, 1), [1, 3], 'bool'), a, b),
  stopGradient: (ops, [a]) => ops.mul(a, ops.stopGradient(a)),
  layerNorm: (ops, [x, s, b]) => ops.layerNorm(x, s, b),
  l2Normalize: (ops, [a]) => l2Normalize(ops, a),
  'causal attention': (ops, [q, k, v]) => attention(ops, q, k, v),
  productCrossEntropy: (ops, [h, t]) => crossEntropy(ops, h, t),
  reduceSumSquare: (ops, [a]) => ops.reduceSumSquare(a, [1], true),
  'slices side by side': (ops, [a]) => ops.mul(ops.slice(a, 1, 0, 2), ops.slice(a, 1, 2, 4)),
  'slices with gaps and overlaps': (ops, [a]) => {
    const product = ops.mul(ops.slice(a, 1, 1, 3), ops.slice(a, 1, 2, 4))
    const corner = ops.sum(ops.slice(ops.slice(a, 0, 0, 2), 1, 3, 5))
    return ops.add(ops.add(product, corner), ops.slice(a, 1, 0, 1))
  },
  'rows of a table in use': (ops, [t]) => {
    const scaled = ops.mul(ops.gatherRows(t, int32(ops, ROWS)), ops.sum(ops.mul(t, t)))
    return ops.add(scaled, ops.gatherRows(t, int32(ops, ROWS.toReversed())))
  },
  'productCrossEntropy less offsets': (ops, [h, t]) => crossEntropy(ops, h, t, [0.5, -1, 2, 0, -3]),
  cosineCrossEntropy: (ops, [x, length, table]) => cosines(ops, x, length, table),
  geluPerceptron: (ops, [x, w, b, v, c]) => geluPerceptron(ops, x, [w, b, v, c], (hidden) => hidden),
  'geluPerceptron with dropout': (ops, [x, w, b, v, c]) =>
    geluPerceptron(ops, x, [w, b, v, c], everyOther(ops)),
  'matmul scaled': (ops, [a, b]) => ops.matmul(a, b, { transposeA: true, scale: 0.3 }),
  'matmul batched and scaled': (ops, [a, b]) => ops.matmul(a, b, { scale: 0.3 }),
}
