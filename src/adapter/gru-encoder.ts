import type { Value } from '../onnx/graph.js'
import { gruLayer } from '../onnx/gru-layer.js'
import { l2Normalize, linear } from '../onnx/ops-layers.js'
import type { Scope } from '../onnx/optimizer.js'
import type { AdapterShape, Dropout, Finish, PackedHistories } from './model.js'

/**
 * The person's vector after each event, read by gated recurrent layers (GRU4Rec, Hidasi et al. 2016, arXiv:1511.06939):
 * r_t = sigmoid(x_t W_r + h_(t-1) U_r + b_r), z_t = sigmoid(x_t W_z + h_(t-1) U_z + b_z),
 * n_t = tanh(x_t W_n + b_n + r_t (h_(t-1) U_n + c_n)), h_t = (1 - z_t) n_t + z_t h_(t-1), nothing before the first event
 * of a history; the last layer's h V + d at unit length.
 * @param events [R * L, D] the item vectors of the events @returns [R * L, D] unit rows
 */
export function gruEncoder(
  { ops, parameter }: Scope,
  { dim, length, layers }: AdapterShape,
  events: Value,
  { segments, rows }: PackedHistories,
  dropout: Dropout,
  finish: Finish = l2Normalize,
): Value {
  const matrixOf = (name: string, to: number) =>
    parameter(name, [dim, to], { deviation: Math.sqrt(2 / (dim + to)) })
  const vectorOf = (name: string, size: number) => parameter(name, [size], { fill: 0 })
  // Unit vectors have entries of about 1 / sqrt(D): bring them to the size that the layers work with.
  let x = dropout(ops.mul(events, Math.sqrt(dim)))
  for (let layer = 0; layer < layers; layer++) {
    const name = `person.${layer}`
    const input = linear(ops, x, matrixOf(`${name}.input`, 3 * dim), vectorOf(`${name}.bias`, 3 * dim))
    const state = gruLayer(
      ops,
      ops.reshape(input, [rows, length, 3 * dim]),
      segments,
      matrixOf(`${name}.state`, 3 * dim),
      vectorOf(`${name}.stateBias`, 3 * dim),
    )
    x = dropout(ops.reshape(state, [rows * length, dim]))
  }
  return finish(ops, linear(ops, x, matrixOf('person.out', dim), vectorOf('person.outBias', dim)))
}
