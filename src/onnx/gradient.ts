import { TextrecError } from '../errors.js'
import { type Contribution, sumOf } from './gradient-parts.js'
import { GRADIENT_RULES } from './gradient-rules.js'
import type { Graph, Node, Value } from './graph.js'
import { Ops } from './ops.js'
import { shapeOf } from './ops-shapes.js'

/**
 * Reverse-mode differentiation: adds the nodes that compute d loss / d parameter for each parameter and
 * returns those values, in order and in the parameters' shapes. A parameter that the loss does not depend on
 * gets zeros. Only nodes on a path from a parameter to the loss are differentiated, so the rest of the graph
 * may hold operators that have no rule.
 * @param loss a scalar
 * @throws INTERNAL for an operator without a rule, a loss that is not a scalar, or a shape that is not known
 */
export function gradients(graph: Graph, loss: Value, parameters: readonly Value[]): Value[] {
  if (shapeOf(loss).length !== 0) {
    throw new TextrecError('INTERNAL', `The loss '${loss.name}' is not a scalar.`, 'Take its sum or mean.')
  }
  const ops = new Ops(graph)
  const forward = [...graph.nodes]
  const needed = dependents(forward, parameters)
  const parts = new Map<Value, Contribution[]>([[loss, [ops.value(1)]]])
  const total = (value: Value): Value | undefined => {
    const list = parts.get(value)
    if (list === undefined) return undefined
    const sum = sumOf(ops, value, list)
    parts.set(value, [sum])
    return sum
  }
  const contribute = (
    inputs: readonly (Value | undefined)[],
    given: readonly (Contribution | undefined)[],
  ) => {
    for (const [i, gradient] of given.entries()) {
      const input = inputs[i]
      if (input === undefined || gradient === undefined || !needed.has(input)) continue
      const list = parts.get(input)
      if (list === undefined) parts.set(input, [gradient])
      else list.push(gradient)
    }
  }
  for (const node of forward.reverse()) {
    const output = node.outputs[0]
    if (!needed.has(output)) continue
    const gradient = total(output)
    if (gradient === undefined) continue
    const byHand = graph.derivatives.get(output)
    if (byHand !== undefined) contribute(byHand.inputs, byHand.backward(ops, gradient))
    else contribute(node.inputs, rule(node)({ ops, node, gradient, wants: (i) => isNeeded(needed, node, i) }))
  }
  return parameters.map((parameter) => total(parameter) ?? ops.zeros(shapeOf(parameter) as number[]))
}

function rule(node: Node) {
  const found = GRADIENT_RULES[node.op]
  if (found !== undefined) return found
  throw new TextrecError(
    'INTERNAL',
    `There is no gradient for operator ${node.op}.`,
    `Rules exist for ${Object.keys(GRADIENT_RULES).join(', ')}.`,
  )
}

function isNeeded(needed: ReadonlySet<Value>, node: Node, input: number): boolean {
  const value = node.inputs[input]
  return value !== undefined && needed.has(value)
}

/** The parameters and everything computed from them. */
function dependents(nodes: readonly Node[], parameters: readonly Value[]): Set<Value> {
  const found = new Set(parameters)
  for (const node of nodes) {
    if (!node.inputs.some((input) => input !== undefined && found.has(input))) continue
    for (const output of node.outputs) found.add(output)
  }
  return found
}
