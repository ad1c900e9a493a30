import type { Value } from '../../onnx/graph.js'
import { softplus } from '../../onnx/ops-layers.js'
import type { TrainingModel } from '../../onnx/optimizer.js'

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
 * Batch: 'people' int32 [batch]; 'pairs' int32 [2 * batch], all i and then all j (one gather has one gradient).
 */
export function bprModel({ people, items, factors, batch, regularization }: BprShape): TrainingModel {
  return {
    name: 'bpr',
    loss: ({ ops, parameter, batch: feed }) => {
      const deviation = 1 / Math.sqrt(factors)
      const personTable = parameter('people', [people, factors], { deviation: 0.1 * deviation }, false)
      const itemTable = parameter('items', [items, factors], { deviation: 0.1 * deviation }, false)
      const biasTable = parameter('bias', [items, 1], { fill: 0 }, false)
      const user = feed('people', 'int32', [batch])
      const pairs = feed('pairs', 'int32', [2 * batch])
      const p = ops.gatherRows(personTable, user)
      const q = ops.gatherRows(itemTable, pairs)
      const bias = ops.gatherRows(biasTable, pairs)
      const less = (x: Value) => ops.sub(ops.slice(x, 0, 0, batch), ops.slice(x, 0, batch, 2 * batch))
      const margin = ops.add(ops.reduceSum(ops.mul(p, less(q)), [1], true), less(bias))
      const fit = ops.mean(softplus(ops, ops.neg(margin)))
      const squares = ops.add(ops.sum(ops.mul(p, p)), ops.sum(ops.mul(q, q)))
      return ops.add(fit, ops.mul(squares, regularization / batch))
    },
  }
}
