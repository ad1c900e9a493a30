import type { Contribution } from './gradient-parts.js'
import type { Node, Value } from './graph.js'
import type { Ops } from './ops.js'
import { frontAxis, reducedShape, type Shape, shapeOf, sizeOf, stretchedAxes } from './ops-shapes.js'

/** What a rule is given: the node, d loss / d output, and which inputs need a gradient at all. */
export interface RuleContext {
  readonly ops: Ops
  readonly node: Node
  readonly gradient: Value
  readonly wants: (input: number) => boolean
}

/** Gradients for the node's inputs, in order; undefined where there is none or none is wanted. */
export type GradientRule = (context: RuleContext) => readonly (Contribution | undefined)[]

/** Sums `gradient` over the axes along which a value of shape `shape` was stretched. */
function unbroadcast(ops: Ops, gradient: Value, shape: Shape): Value {
  const axes = stretchedAxes(shape, shapeOf(gradient))
  const summed = axes.length === 0 ? gradient : ops.reduceSum(gradient, axes, true)
  return ops.reshape(summed, shape)
}

/** A two-input rule with broadcasting: `left` and `right` give the gradients before they are summed back. */
function binary(
  left: (ops: Ops, d: Value, a: Value, b: Value, y: Value) => Value,
  right: (ops: Ops, d: Value, a: Value, b: Value, y: Value) => Value,
): GradientRule {
  return ({ ops, node, gradient, wants }) => {
    const [a, b] = node.inputs as readonly [Value, Value]
    const y = node.outputs[0]
    return [
      wants(0) ? unbroadcast(ops, left(ops, gradient, a, b, y), shapeOf(a)) : undefined,
      wants(1) ? unbroadcast(ops, right(ops, gradient, a, b, y), shapeOf(b)) : undefined,
    ]
  }
}

/** A one-input rule from d loss / d output, the input x and the output y. */
function unary(backward: (ops: Ops, d: Value, x: Value, y: Value) => Value): GradientRule {
  return ({ ops, node, gradient }) => [backward(ops, gradient, node.inputs[0]!, node.outputs[0])]
}

const matmul: GradientRule = ({ ops, node, gradient, wants }) => {
  const [a, b, c] = node.inputs as readonly [Value, Value, Value | undefined]
  const { scale, addedScale } = scalesOf(node)
  const transA = node.attributes.transA === 1
  const transB = node.attributes.transB === 1
  const back = (x: Value, shape: Shape) => unbroadcast(ops, x, shape)
  const left = () =>
    transA
      ? ops.matmul(b, gradient, { transposeA: transB, transposeB: true, scale })
      : ops.matmul(gradient, b, { transposeB: !transB, scale })
  const right = () =>
    transB
      ? ops.matmul(gradient, a, { transposeA: true, transposeB: transA, scale })
      : ops.matmul(a, gradient, { transposeA: !transA, scale })
  const added = (to: Value) => {
    const sum = back(gradient, shapeOf(to))
    return addedScale === 1 ? sum : ops.mul(sum, addedScale)
  }
  return [
    wants(0) ? back(left(), shapeOf(a)) : undefined,
    wants(1) ? back(right(), shapeOf(b)) : undefined,
    c !== undefined && wants(2) ? added(c) : undefined,
  ]
}

/** By what a product is multiplied, and what is added to it. */
function scalesOf({ attributes: { alpha, beta } }: Node): { scale: number; addedScale: number } {
  const [{ float: scale }, { float: addedScale }] = [alpha ?? ONE, beta ?? ONE] as { float: number }[]
  return { scale, addedScale }
}
const ONE = { float: 1 }

const gather: GradientRule = ({ ops, node, gradient }) => {
  const [table, indices] = node.inputs as readonly [Value, Value]
  const dims = shapeOf(table)
  const count = (shapeOf(indices) as number[]).reduce((product, dim) => product * dim, 1)
  const rows = ops.reshape(gradient, [count, ...dims.slice(1)])
  return [{ kind: 'rows', gradient: rows, indices: ops.reshape(indices, [count]) }]
}

const softmax: GradientRule = ({ ops, node, gradient }) => {
  const y = node.outputs[0]
  const axis = node.attributes.axis as number
  const product = ops.mul(gradient, y)
  return [ops.sub(product, ops.mul(y, ops.reduceSum(product, [axis], true)))]
}

/**
 * d (x * Phi(x)) = Phi(x) + x * phi(x), with Phi the normal distribution and phi its density. With u = x / sqrt(2)
 * that is (1 + erf(u) + u * exp(ln(2 / sqrt(pi)) - u^2)) / 2, which takes the fewest passes.
 */
const gelu = unary((ops, d, x) => {
  const u = ops.mul(x, Math.SQRT1_2)
  const density = ops.exp(ops.sub(Math.log(2 / Math.sqrt(Math.PI)), ops.mul(u, u)))
  const twice = ops.add(ops.add(ops.erf(u), ops.mul(u, density)), 1)
  return ops.mul(d, ops.mul(twice, 0.5))
})

/** The axes of a reduction, as its second input holds them. */
function reductionAxes(node: Node): number[] {
  const axes = node.inputs[1] as Value & { readonly data: BigInt64Array }
  return Array.from(axes.data, Number)
}

const reduceSum: GradientRule = ({ ops, node, gradient }) => {
  const shape = shapeOf(node.inputs[0]!)
  const kept = ops.reshape(gradient, reducedShape(shape, reductionAxes(node), true))
  return [ops.expand(kept, shape)]
}

const reduceMean: GradientRule = (context) => {
  const { ops, node, gradient } = context
  const input = node.inputs[0]!
  const count = reductionAxes(node).reduce((product, axis) => product * sizeOf(input, axis), 1)
  return reduceSum({ ...context, gradient: ops.mul(gradient, 1 / count) })
}

const reduceSumSquare: GradientRule = ({ ops, node, gradient }) => {
  const [x] = node.inputs as readonly [Value]
  const kept = ops.reshape(gradient, reducedShape(shapeOf(x), reductionAxes(node), true))
  return [ops.mul(x, ops.mul(kept, 2))]
}

const transpose: GradientRule = ({ ops, node, gradient }) => {
  const order = node.attributes.perm as readonly number[]
  const back = order.map((_, axis) => order.indexOf(axis))
  return [ops.transpose(gradient, back)]
}

const reshape: GradientRule = ({ ops, node, gradient }) => [ops.reshape(gradient, shapeOf(node.inputs[0]!))]

const expand: GradientRule = ({ ops, node, gradient }) => [
  unbroadcast(ops, gradient, shapeOf(node.inputs[0]!)),
]

const concat: GradientRule = ({ ops, node, gradient, wants }) => {
  const axis = node.attributes.axis as number
  let start = 0
  return node.inputs.map((input, i) => {
    const from = start
    start += sizeOf(input!, axis)
    return wants(i) ? ops.slice(gradient, axis, from, start) : undefined
  })
}

const slice: GradientRule = ({ node, gradient }) => {
  const [start, end, axis] = node.inputs
    .slice(1)
    .map((value) => Number((value as Value & { readonly data: BigInt64Array }).data[0]))
  return [{ kind: 'slice', gradient, axis, start, end }]
}

const where: GradientRule = ({ ops, node, gradient, wants }) => {
  const [condition, a, b] = node.inputs as readonly [Value, Value, Value]
  return [
    undefined,
    wants(1) ? unbroadcast(ops, ops.where(condition, gradient, 0), shapeOf(a)) : undefined,
    wants(2) ? unbroadcast(ops, ops.where(condition, 0, gradient), shapeOf(b)) : undefined,
  ]
}

/**
 * With n = (x - mean) / deviation and e = d * scale:
 * dx = (e - mean(e) - n * mean(e * n)) / deviation. The statistics are computed again: webgpu does not give
 * them out.
 */
const layerNorm: GradientRule = ({ ops, node, gradient, wants }) => {
  const [x, scale, bias] = node.inputs as readonly [Value, Value, Value]
  const { float: epsilon } = node.attributes.epsilon as { readonly float: number }
  const last = frontAxis(-1, shapeOf(x).length)
  const mean = (value: Value) => ops.reduceMean(value, [last], true)
  const centred = ops.sub(x, mean(x))
  const variance = ops.mul(ops.reduceSumSquare(centred, [last], true), 1 / sizeOf(x, last))
  const deviation = ops.sqrt(ops.add(variance, epsilon))
  const n = ops.div(centred, deviation)
  const dx = () => {
    const e = ops.mul(gradient, scale)
    return ops.div(ops.sub(ops.sub(e, mean(e)), ops.mul(n, mean(ops.mul(e, n)))), deviation)
  }
  return [
    wants(0) ? dx() : undefined,
    wants(1) ? unbroadcast(ops, ops.mul(gradient, n), shapeOf(scale)) : undefined,
    wants(2) ? unbroadcast(ops, gradient, shapeOf(bias)) : undefined,
  ]
}

/** Where the gradient is zero almost everywhere, or not asked for (integers, booleans). */
const none: GradientRule = () => []

/** One rule per operator that ops.ts can make. */
export const GRADIENT_RULES: { readonly [op: string]: GradientRule | undefined } = {
  Add: binary(
    (_ops, d) => d,
    (_ops, d) => d,
  ),
  Sub: binary(
    (_ops, d) => d,
    (ops, d) => ops.neg(d),
  ),
  Mul: binary(
    (ops, d, _a, b) => ops.mul(d, b),
    (ops, d, a) => ops.mul(d, a),
  ),
  Div: binary(
    (ops, d, _a, b) => ops.div(d, b),
    (ops, d, _a, b, y) => ops.neg(ops.div(ops.mul(d, y), b)),
  ),
  Neg: unary((ops, d) => ops.neg(d)),
  Exp: unary((ops, d, _x, y) => ops.mul(d, y)),
  Log: unary((ops, d, x) => ops.div(d, x)),
  Sqrt: unary((ops, d, _x, y) => ops.div(ops.mul(d, 0.5), y)),
  Erf: unary((ops, d, x) => ops.mul(d, ops.mul(ops.exp(ops.neg(ops.mul(x, x))), 2 / Math.sqrt(Math.PI)))),
  Relu: unary((ops, d, x) => ops.where(ops.greater(x, 0), d, 0)),
  Sigmoid: unary((ops, d, _x, y) => ops.mul(d, ops.mul(y, ops.sub(1, y)))),
  Tanh: unary((ops, d, _x, y) => ops.mul(d, ops.sub(1, ops.mul(y, y)))),
  Identity: unary((_ops, d) => d),
  Gelu: gelu,
  Softmax: softmax,
  MatMul: matmul,
  Gemm: matmul,
  Gather: gather,
  ReduceSum: reduceSum,
  ReduceMean: reduceMean,
  ReduceSumSquare: reduceSumSquare,
  Transpose: transpose,
  Reshape: reshape,
  Expand: expand,
  Concat: concat,
  Slice: slice,
  Where: where,
  LayerNormalization: layerNorm,
  Cast: none,
  Equal: none,
  Less: none,
  Greater: none,
  And: none,
}
