import type { Value } from '../onnx/graph.js'
import type { Ops } from '../onnx/ops.js'
import { linear } from '../onnx/ops-layers.js'
import { sizeOf } from '../onnx/ops-shapes.js'
import { textFamily } from './text-model.js'

/*
 * ConvMF (Kim et al. 2016, RecSys): a convolution over the words of an item's text is the item of a matrix factorization.
 *   c_w  = max over time of relu(W_w * x + b_w)      for windows of w = 3, 4 and 5 words; x [T, E], W_w [w E, K]
 *   head = tanh([c_3, c_4, c_5] V + d)               V [3 K, F]
 * The paper alternates with closed-form steps and squared error on ratings; here all is learned at once, by a softmax
 * (text-model.ts), from word vectors that stay as they are.
 *
 * Meant for turns of phrase that decide, wherever they stand in a text; knows nothing of what is further apart than a
 * window, and reads a text from its beginning, as far as option `words` goes. Dear: an epoch took a dozen times one of SASRec
 * on the first set of docs/families.md, which is why it has no figure there.
 */

const WINDOWS = [3, 4, 5]

export const convMf = textFamily('convmf', (scope, words, _known, { factors }) => {
  const { ops, parameter } = scope
  const size = sizeOf(words, 2)
  const pooled = WINDOWS.map((width) => {
    const weight = parameter(`window.${width}.weight`, [width * size, factors], {
      deviation: Math.sqrt(2 / (width * size + factors)),
    })
    const bias = parameter(`window.${width}.bias`, [factors], { fill: 0 })
    return maxOverTime(ops, ops.relu(linear(ops, windowsOf(ops, words, width), weight, bias)))
  })
  const joined = WINDOWS.length * factors
  const weight = parameter('join.weight', [joined, factors], { deviation: Math.sqrt(2 / (joined + factors)) })
  return ops.tanh(linear(ops, ops.concat(pooled, 1), weight, parameter('join.bias', [factors], { fill: 0 })))
})

/** [n, T - w + 1, w E] every window of w words, one behind the other. */
function windowsOf(ops: Ops, words: Value, width: number): Value {
  const places = sizeOf(words, 1) - width + 1
  return ops.concat(
    Array.from({ length: width }, (_, at) => ops.slice(words, 1, at, at + places)),
    2,
  )
}

/** The largest of each column, [n, T, K] to [n, K]. Places that share it share the gradient. */
export function maxOverTime(ops: Ops, x: Value): Value {
  const [rows, , size] = x.shape as readonly number[]
  const most = ops.graph.node('ReduceMax', [x, ops.graph.int64([1], 'axes')], {
    shape: [rows, 1, size],
    attributes: { keepdims: 1 },
  })
  ops.graph.derivatives.set(most, {
    inputs: [x],
    backward: (back, gradient) => {
      const isMost = back.cast(back.equal(x, most), 'float32')
      return [back.mul(isMost, back.div(gradient, back.reduceSum(isMost, [1], true)))]
    },
  })
  return ops.reshape(most, [rows, size])
}
