import type { Value } from '../../onnx/graph.js'
import type { Ops } from '../../onnx/ops.js'

/** ln(1 + e^x) = max(x, 0) + ln(1 + e^-|x|), which cannot overflow. */
export function softplus(ops: Ops, x: Value): Value {
  const size = ops.add(ops.relu(x), ops.relu(ops.neg(x)))
  return ops.add(ops.relu(x), ops.log(ops.add(ops.exp(ops.neg(size)), 1)))
}
