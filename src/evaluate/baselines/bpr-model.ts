import type { TrainingModel } from '../../onnx/optimizer.js'
import { softplus } from './softplus.js'

/** The sizes of a BPR matrix factorization. */
export interface BprShape {
  readonly people: number
  readonly items: number
  /** Numbers per person and per item. */
  readonly factors: number
  /** Triples in one step. */
  readonly batch: number
  /** Weight of the squared length of what a triple touches. */
  readonly regularization: number
}

/**
 * BPR matrix factorization (Rendle et al. 2009): score(u, i) = <p_u, q_i> + b_i, and for a person u with item i
 * and without item j the loss is -ln sigmoid(score(u, i) - score(u, j)) plus the regularization.
 * Batch: 'people', 'taken', 'other' int32 [batch].
 */
export function bprModel({ people, items, factors, batch, regularization }: BprShape): TrainingModel {
  return {
    name: 'bpr',
    loss: ({ ops, parameter, batch: feed }) => {
      const deviation = 1 / Math.sqrt(factors)
      const personTable = parameter('people', [people, factors], { deviation: 0.1 * deviation }, false)
      const itemTable = parameter('items', [items, factors], { deviation: 0.1 * deviation }, false)
      const biasTable = parameter('bias', [items, 1], { fill: 0 }, false)
      const [user, taken, other] = ['people', 'taken', 'other'].map((name) => feed(name, 'int32', [batch]))
      const p = ops.gatherRows(personTable, user)
      const q = ops.sub(ops.gatherRows(itemTable, taken), ops.gatherRows(itemTable, other))
      const bias = ops.sub(ops.gatherRows(biasTable, taken), ops.gatherRows(biasTable, other))
      const margin = ops.add(ops.reduceSum(ops.mul(p, q), [1], true), bias)
      const fit = ops.mean(softplus(ops, ops.neg(margin)))
      const touched = [p, ops.gatherRows(itemTable, taken), ops.gatherRows(itemTable, other)]
      const squares = touched.map((x) => ops.sum(ops.mul(x, x))).reduce((a, b) => ops.add(a, b))
      return ops.add(fit, ops.mul(squares, regularization / batch))
    },
  }
}
