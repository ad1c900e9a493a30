import { gruLayer } from '../onnx/gru-layer.js'
import { linear } from '../onnx/ops-layers.js'
import { sizeOf } from '../onnx/ops-shapes.js'
import { textFamily } from './text-model.js'

/*
 * A recurrent network reads an item's words (Bansal, Belanger & McCallum 2016, arXiv:1609.02116, "Ask the GRU"): the state of
 * a gated recurrent layer after the last word is the item of a matrix factorization.
 *   h_t  = GRU(x_t, h_(t-1))                 x [T, E] word vectors, h [F]; src/onnx/gru-layer.ts
 *   head = h_T V                             V [F, F]
 * One direction and one layer, where the paper reads both ways; learned by a softmax (text-model.ts), from word vectors
 * that stay as they are.
 *
 * Knows the order of words, and pays for it: T small products in a row in every step, which left it out of the table of
 * docs/families.md. Reads a text from its beginning, as far as option `words` goes.
 */

export const gruText = textFamily('gru-text', (scope, words, known, { factors }) => {
  const { ops, parameter } = scope
  const [rows, length, size] = [sizeOf(words, 0), sizeOf(words, 1), sizeOf(words, 2)]
  const matrixOf = (name: string, from: number, to: number) =>
    parameter(name, [from, to], { deviation: Math.sqrt(2 / (from + to)) })
  const vectorOf = (name: string, count: number) => parameter(name, [count], { fill: 0 })
  const input = linear(
    ops,
    words,
    matrixOf('read.input', size, 3 * factors),
    vectorOf('read.bias', 3 * factors),
  )
  // What is no word stands in front and is another history: the first word begins from nothing.
  const states = gruLayer(
    ops,
    input,
    known,
    matrixOf('read.state', factors, 3 * factors),
    vectorOf('read.stateBias', 3 * factors),
  )
  const last = ops.reshape(ops.slice(states, 1, length - 1, length), [rows, factors])
  // No bias: it would move all of a person's scores alike.
  return linear(ops, last, matrixOf('join.weight', factors, factors))
})
