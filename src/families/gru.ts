import { l2Normalize, linear } from '../onnx/ops-layers.js'
import { gruLayer } from './gru-layer.js'
import { sequenceFamily } from './sequence.js'

/*
 * GRU4Rec (Hidasi et al. 2016, arXiv:1511.06939): a gated recurrent network reads the events one after the other, and its
 * state is the person.
 *   r_t = sigmoid(x_t W_r + h_(t-1) U_r + b_r)      z_t = sigmoid(x_t W_z + h_(t-1) U_z + b_z)
 *   n_t = tanh(x_t W_n + b_n + r_t (h_(t-1) U_n + c_n))
 *   h_t = (1 - z_t) n_t + z_t h_(t-1)               x, h [R, D]; h is nothing at the first event of a history
 *   person = normalize(h_t V + d)
 * The state is carried by a history alone: rows hold several, as for SASRec, and training is the same (sequence-network.ts), at
 * every event with a softmax over all items, where the paper ranks against the other items of the batch.
 *
 * Good at short histories and cheap for each event at serving time, since it only goes on from its state; events are read
 * one after the other, so that a step takes L small products in a row.
 */
export const gru = sequenceFamily(
  'gru',
  {
    readsTimes: false,
    read: (scope, { dim, length, layers }, events, { segments, rows }, dropout) => {
      const { ops, parameter } = scope
      const matrixOf = (name: string, from: number, to: number) =>
        parameter(name, [from, to], { deviation: Math.sqrt(2 / (from + to)) })
      const vectorOf = (name: string, size: number) => parameter(name, [size], { fill: 0 })
      let x = dropout(ops.mul(events, Math.sqrt(dim)))
      for (let layer = 0; layer < layers; layer++) {
        const name = `person.${layer}`
        const input = linear(
          ops,
          x,
          matrixOf(`${name}.input`, dim, 3 * dim),
          vectorOf(`${name}.bias`, 3 * dim),
        )
        const state = gruLayer(
          ops,
          ops.reshape(input, [rows, length, 3 * dim]),
          segments,
          matrixOf(`${name}.state`, dim, 3 * dim),
          vectorOf(`${name}.stateBias`, 3 * dim),
        )
        x = dropout(ops.reshape(state, [rows * length, dim]))
      }
      return l2Normalize(
        ops,
        linear(ops, x, matrixOf('person.out', dim, dim), vectorOf('person.outBias', dim)),
      )
    },
  },
  { layers: 1 },
)
