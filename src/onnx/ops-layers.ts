import type { Value } from './graph.js'
import type { Ops } from './ops.js'
import { shapeOf } from './ops-shapes.js'

/**
 * Rows of unit length along the last axis; a zero row stays zero. With y = x / r the gradient is
 * (d - y * sum(d * y)) / r, given in this form because it takes half the passes of the rules one by one.
 */
export function l2Normalize(ops: Ops, x: Value, epsilon = 1e-12): Value {
  const size = ops.sqrt(ops.add(ops.reduceSumSquare(x, [-1], true), epsilon))
  const y = ops.div(x, size)
  const backward = (back: Ops, d: Value) => {
    const along = back.reduceSum(back.mul(d, y), [-1], true)
    return [back.div(back.sub(d, back.mul(y, along)), size)]
  }
  ops.graph.derivatives.set(y, { inputs: [x], backward })
  return y
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

/** Keeps the logarithm of a vanishing probability finite; the gradient does not go through it. */
const LEAST_PROBABILITY = 1e-37

/**
 * Softmax cross entropy where the logits are inner products: the mean, by weight, of -log p[target] with
 * p = softmax(hidden table^T - offsets). The gradient is given in closed form, (p - onehot) times the other factor,
 * so that of all matrices of [rows, classes] only the logits and p are ever made: one number of each row of p is
 * changed for p - onehot, which the runtime does in place.
 * @param hidden [rows, dim] @param table [classes, dim] @param targets [rows] (int32) rows of `table`
 * @param weights [rows, 1], 0 for rows to leave out @param offsets [1, classes] constants taken off the logits
 */
export function productCrossEntropy(
  ops: Ops,
  hidden: Value,
  table: Value,
  targets: Value,
  weights: Value,
  offsets?: Value,
): Value {
  // Offsets go into the product, which starts from them: one pass less over [rows, classes].
  const factors = offsets === undefined ? [hidden, table] : [hidden, table, ops.neg(offsets)]
  const logits = ops.graph.node('Gemm', factors, {
    attributes: { transB: 1 },
    shape: [shapeOf(hidden)[0], shapeOf(table)[0]],
  })
  const p = ops.softmax(logits)
  const rows = shapeOf(hidden)[0]
  const places = ops.reshape(targets, [rows, 1])
  const own = ops.graph.node('GatherElements', [p, places], {
    attributes: { axis: 1 },
    shape: [rows, 1],
  })
  const shares = ops.div(weights, ops.add(ops.sum(weights), 1e-9))
  const loss = ops.neg(ops.sum(ops.mul(ops.log(ops.add(own, LEAST_PROBABILITY)), shares)))
  const backward = (back: Ops, gradient: Value) => {
    const scale = back.mul(shares, gradient)
    const excess = back.graph.node('ScatterElements', [p, places, back.sub(own, 1)], {
      attributes: { axis: 1 },
      shape: shapeOf(p),
    })
    const weighted = back.mul(hidden, scale)
    return [back.mul(back.matmul(excess, table), scale), back.matmul(excess, weighted, { transposeA: true })]
  }
  ops.graph.derivatives.set(loss, { inputs: [hidden, table], backward })
  return loss
}

/** ln(1 + e^x) = max(x, 0) + ln(1 + e^-|x|), which cannot overflow. */
export function softplus(ops: Ops, x: Value): Value {
  const size = ops.add(ops.relu(x), ops.relu(ops.neg(x)))
  return ops.add(ops.relu(x), ops.log(ops.add(ops.exp(ops.neg(size)), 1)))
}
