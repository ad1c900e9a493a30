import type { Value } from '../onnx/graph.js'
import { cosineCrossEntropy, productCrossEntropy } from '../onnx/ops-layers.js'
import type { Scope } from '../onnx/optimizer.js'

/**
 * Softmax over the candidates: logits = person . item / temperature, the temperature learned and started at
 * 0.07. @param persons [P, D] unit rows @param items [U, D] @param targets [P] (int32) rows of items
 * @param weights [P, 1] @param logQ [1, U] log of how often sampling offers each candidate, taken off its
 * logit (Yi et al. 2019, RecSys), or undefined where all warm items are candidates
 */
export function candidateLoss(
  scope: Scope,
  persons: Value,
  items: Value,
  targets: Value,
  weights: Value,
  logQ?: Value,
): Value {
  const scaled = scope.ops.mul(persons, inverseTemperature(scope))
  return productCrossEntropy(scope.ops, scaled, items, targets, weights, logQ)
}

/** The same, in fewer passes, of persons that are not at unit length yet, where candidates are a sample. */
export function sampledLoss(
  scope: Scope,
  persons: Value,
  table: Value,
  targets: Value,
  weights: Value,
  logQ: Value,
): Value {
  const classes = { table, targets, weights, offsets: logQ }
  return cosineCrossEntropy(scope.ops, persons, inverseTemperature(scope), classes)
}

function inverseTemperature({ ops, parameter }: Scope): Value {
  return ops.exp(parameter('logScale', [], { fill: Math.log(1 / 0.07) }))
}
