import type { Value } from './graph.js'
import type { Ops } from './ops.js'
import { shapeOf } from './ops-shapes.js'

/**
 * Rows of unit length along the last axis; a zero row stays zero. With y = x / r the gradient is
 * (d - y * sum(d * y)) / r, given in this form because it takes half the passes of the rules one by one.
 */
export function l2Normalize(ops: Ops, x: Value, epsilon = 1e-12): Value {
  const size = rowLengths(ops, x, epsilon)
  const y = ops.div(x, size)
  const backward = (back: Ops, d: Value) => {
    const along = back.reduceSum(back.mul(d, y), [-1], true)
    return [back.div(back.sub(d, back.mul(y, along)), size)]
  }
  ops.graph.derivatives.set(y, { inputs: [x], backward })
  return y
}

/** [rows, 1] the lengths of rows, never 0. */
function rowLengths(ops: Ops, x: Value, epsilon = 1e-12): Value {
  return ops.sqrt(ops.add(ops.reduceSumSquare(x, [-1], true), epsilon))
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

/** scale * x W + biasScale * b in one operator, for x [n, in], W [in, out], b [out]. */
export function scaledLinear(
  ops: Ops,
  x: Value,
  weight: Value,
  bias: Value,
  scale: number,
  biasScale: number,
): Value {
  return ops.graph.node('Gemm', [x, weight, bias], {
    attributes: { alpha: { float: scale }, beta: { float: biasScale } },
    shape: [shapeOf(x)[0], shapeOf(weight)[1]],
  })
}

/**
 * gelu(x W + b) V + c, within rounding what `linear` and `gelu` give, for x [n, in]: with u = (x W + b) / sqrt(2) the
 * activation is u (1 + erf(u)) / sqrt(2), whose derivative needs 1 + erf(u) again, and every constant factor goes into a
 * product. That is two thirds of the passes over [n, hidden], and one erf in place of two.
 * @param between applied to the hidden numbers, as dropout
 */
export function geluPerceptron(
  ops: Ops,
  x: Value,
  [weight, bias, outerWeight, outerBias]: readonly [Value, Value, Value, Value],
  between: (hidden: Value) => Value,
): Value {
  const u = scaledLinear(ops, x, weight, bias, Math.SQRT1_2, Math.SQRT1_2)
  const twice = ops.add(ops.erf(u), 1)
  const bent = ops.mul(u, twice)
  const backward = (back: Ops, d: Value) => {
    const density = back.exp(back.sub(Math.log(2 / Math.sqrt(Math.PI)), back.mul(u, u)))
    return [back.mul(d, back.add(twice, back.mul(u, density)))]
  }
  ops.graph.derivatives.set(bent, { inputs: [u], backward })
  return scaledLinear(ops, between(bent), outerWeight, outerBias, Math.SQRT1_2, 1)
}

function flatRows(shape: readonly (number | string)[]): number | string {
  const lead = shape.slice(0, -1)
  const open = lead.filter((dim) => typeof dim === 'string')
  if (open.length > 0) return open.join('*')
  return (lead as number[]).reduce((product, dim) => product * dim, 1)
}

/** Keeps the logarithm of a vanishing probability finite; the gradient does not go through it. */
const LEAST_PROBABILITY = 1e-37

/** What the loss over inner products is made of, and what its gradients begin with. */
interface ProductLoss {
  readonly loss: Value
  /**
   * (p - onehot) [rows, classes] and what each row of it counts [rows, 1]. Of all matrices of [rows, classes] only the
   * logits and p are ever made: one number of each row of p is changed for p - onehot, which the runtime does in place.
   */
  readonly excess: (back: Ops, gradient: Value) => { readonly excess: Value; readonly scale: Value }
}

/** What the rows of a softmax over inner products are taken over, and what they should have found. */
export interface Classes {
  /** [classes, dim] */
  readonly table: Value
  /** [rows] (int32) rows of `table` */
  readonly targets: Value
  /** [rows, 1], 0 for rows to leave out */
  readonly weights: Value
  /** [1, classes] constants taken off the logits */
  readonly offsets?: Value
}

function productLoss(ops: Ops, hidden: Value, { table, targets, weights, offsets }: Classes): ProductLoss {
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
  const excess = (back: Ops, gradient: Value) => ({
    scale: back.mul(shares, gradient),
    excess: back.graph.node('ScatterElements', [p, places, back.sub(own, 1)], {
      attributes: { axis: 1 },
      shape: shapeOf(p),
    }),
  })
  return { loss, excess }
}

/**
 * Softmax cross entropy where the logits are inner products: the mean, by weight, of -log p[target] with
 * p = softmax(hidden table^T - offsets). The gradient is given in closed form, (p - onehot) times the other factor.
 * @param hidden [rows, dim] @param targets [rows] (int32) rows of `table` [classes, dim] @param weights [rows, 1]
 * @param offsets [1, classes]
 */
export function productCrossEntropy(
  ops: Ops,
  hidden: Value,
  table: Value,
  targets: Value,
  weights: Value,
  offsets?: Value,
): Value {
  const { loss, excess: start } = productLoss(ops, hidden, { table, targets, weights, offsets })
  const backward = (back: Ops, gradient: Value) => {
    const { excess, scale } = start(back, gradient)
    const weighted = back.mul(hidden, scale)
    return [back.mul(back.matmul(excess, table), scale), back.matmul(excess, weighted, { transposeA: true })]
  }
  ops.graph.derivatives.set(loss, { inputs: [hidden, table], backward })
  return loss
}

/**
 * productCrossEntropy of the rows of `x` brought to one length: hidden = z = length * x / |x|. In one piece, because the
 * way back then takes 11 reads and writes of [rows, dim] in place of 19: with g the gradient by z before each row is
 * counted by its share s, that by x is (g - z (g . z) / length^2) * s * length / |x|, and that by the length
 * sum(s (g . z)) / length, of the same inner products.
 * @param x [rows, dim] @param length a scalar, not 0
 */
export function cosineCrossEntropy(ops: Ops, x: Value, length: Value, classes: Classes): Value {
  const size = rowLengths(ops, x)
  const z = ops.mul(x, ops.div(length, size))
  const { table } = classes
  const { loss, excess: start } = productLoss(ops, z, classes)
  const backward = (back: Ops, gradient: Value) => {
    const { excess, scale } = start(back, gradient)
    const g = back.matmul(excess, table)
    const along = back.reduceSum(back.mul(g, z), [-1], true)
    const across = back.sub(g, back.mul(z, back.div(along, back.mul(length, length))))
    return [
      back.mul(across, back.div(back.mul(scale, length), size)),
      back.div(back.sum(back.mul(along, scale)), length),
      back.matmul(excess, back.mul(z, scale), { transposeA: true }),
    ]
  }
  ops.graph.derivatives.set(loss, { inputs: [x, length, table], backward })
  return loss
}

/** ln(1 + e^x) = max(x, 0) + ln(1 + e^-|x|), which cannot overflow. */
export function softplus(ops: Ops, x: Value): Value {
  const size = ops.add(ops.relu(x), ops.relu(ops.neg(x)))
  return ops.add(ops.relu(x), ops.log(ops.add(ops.exp(ops.neg(size)), 1)))
}
