import type { Value } from '../onnx/graph.js'
import type { Ops } from '../onnx/ops.js'
import { softplus } from '../onnx/ops-layers.js'

/** The sum of all squares, a scalar. */
export function squaredLength(ops: Ops, x: Value): Value {
  return ops.sum(ops.mul(x, x))
}

/** By how much the others score above what was wanted. @param scores [1 + n, batch] @returns [n, batch] */
function margins(ops: Ops, scores: Value): Value {
  const rounds = scores.shape![0] as number
  return ops.sub(ops.slice(scores, 0, 1, rounds), ops.slice(scores, 0, 0, 1))
}

/**
 * Bayesian personalized ranking (Rendle et al. 2009, arXiv:1205.2618): the mean of -ln sigmoid(wanted - other).
 * @param scores [1 + n, batch] what was taken in the first row, n items that were not below it
 */
export function bprLoss(ops: Ops, scores: Value): Value {
  return ops.mean(softplus(ops, margins(ops, scores)))
}

/**
 * WARP for batches (WMRB, Liu & Natarajan 2017, arXiv:1711.04015): the mean of ln(1 + rank), the rank of what was
 * wanted being estimated from a sample as items * mean(max(0, 1 - wanted + other)).
 * @param scores [1 + n, batch] as for bprLoss @param items how many there are to rank
 */
export function warpLoss(ops: Ops, scores: Value, items: number): Value {
  const violations = ops.relu(ops.add(margins(ops, scores), 1))
  const rank = ops.mul(ops.reduceMean(violations, [0]), items)
  return ops.mean(ops.log(ops.add(rank, 1)))
}

/** Binary cross entropy of sigmoid(x) against `targets` (0 to 1): the mean of softplus(x) - x * target. */
export function sigmoidCrossEntropy(ops: Ops, x: Value, targets: Value): Value {
  return ops.mean(ops.sub(softplus(ops, x), ops.mul(x, targets)))
}

/** [1 + negatives, batch] ones for what was taken, then zeros: the targets of a PairBatch. */
export function takenOrNot(ops: Ops, batch: number, negatives: number): Value {
  const targets = new Float32Array(batch * (1 + negatives)).fill(1, 0, batch)
  return ops.graph.constant('targets', targets, [1 + negatives, batch])
}
