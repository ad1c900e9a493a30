import { gruEncoder } from '../adapter/index.js'
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
 * Good at short histories: in the table of docs/families.md beside SASRec (.076 and .079), in about its time. Events are read
 * one after the other, so that a step takes L small products in a row.
 */
export const gru = sequenceFamily('gru', { read: gruEncoder, readsTimes: false }, { layers: 1 })
