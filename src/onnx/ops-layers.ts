import type { Value } from './graph.js'
import type { Ops } from './ops.js'
import { shapeOf } from './ops-shapes.js'

/**
 * log(sum(exp(x))) over the last axis, kept as a size of 1. One Softmax p gives both directions: with m the
 * largest x, log-sum-exp = m - log(max p), where max p >= 1/n can never vanish; and the derivative is p.
 * (LogSoftmax has no webgpu kernel, and exp, sum, log one by one would each pass over the matrix again.)
 */
export function logSumExp(ops: Ops, x: Value): Value {
  const p = ops.softmax(x)
  const result = ops.sub(ops.reduceMax(x, [-1], true), ops.log(ops.reduceMax(p, [-1], true)))
  ops.graph.derivatives.set(result, { inputs: [x], backward: (backOps, d) => [backOps.mul(p, d)] })
  return result
}

/** x - logSumExp(x) over the last axis. */
export function logSoftmax(ops: Ops, x: Value): Value {
  return ops.sub(x, logSumExp(ops, x))
}

/** Rows of unit length along the last axis; a zero row stays zero. */
export function l2Normalize(ops: Ops, x: Value, epsilon = 1e-12): Value {
  const square = ops.reduceSum(ops.mul(x, x), [-1], true)
  return ops.div(x, ops.sqrt(ops.add(square, epsilon)))
}

/** x W + b for x [..., in], W [in, out], b [out]. */
export function linear(ops: Ops, x: Value, weight: Value, bias?: Value): Value {
  const shape = shapeOf(x)
  const [inner, outer] = shapeOf(weight)
  // One flat product is faster than a batch of small ones, forwards and backwards.
  const flat = shape.length === 2 ? x : ops.reshape(x, [flatRows(shape), inner])
  const product = ops.matmul(flat, weight)
  const result = bias === undefined ? product : ops.add(product, bias)
  return shape.length === 2 ? result : ops.reshape(result, [...shape.slice(0, -1), outer])
}

function flatRows(shape: readonly (number | string)[]): number | string {
  const lead = shape.slice(0, -1)
  const open = lead.filter((dim) => typeof dim === 'string')
  if (open.length > 0) return open.join('*')
  return (lead as number[]).reduce((product, dim) => product * dim, 1)
}

/**
 * The mean of weights * (-log softmax(logits)[target]), weights summing to `weightSum` or their own sum.
 * @param logits [rows, classes] @param targetLogits [rows, 1], the logits of the targets, computed apart: their
 *   gradient then takes the short way through the target's own vector and not through a one-hot matrix
 * @param weights [rows, 1], 0 for rows to leave out
 */
export function softmaxCrossEntropy(ops: Ops, logits: Value, targetLogits: Value, weights: Value): Value {
  const losses = ops.mul(ops.sub(logSumExp(ops, logits), targetLogits), weights)
  return ops.div(ops.sum(losses), ops.add(ops.sum(weights), 1e-9))
}
