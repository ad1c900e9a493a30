import type { Graph, Node, Value } from './graph.js'

/**
 * States whose new value may be written into the tensor of the old one. The kernel that makes the new value
 * must be the last to look at the old one: every other reader has to be among its ancestors, because ONNX
 * Runtime may run independent nodes in any order. (With gradient clipping that holds for every parameter that
 * is read for the loss alone, since the norm waits for the whole backward pass.)
 */
export function overwritable(graph: Graph, written: ReadonlyMap<string, Value>): Set<string> {
  const maker = new Map<Value, Node>()
  const readers = new Map<Value, Node[]>()
  for (const node of graph.nodes) {
    for (const output of node.outputs) maker.set(output, node)
    for (const input of node.inputs) {
      if (input !== undefined) readers.set(input, [...(readers.get(input) ?? []), node])
    }
  }
  const safe = new Set<string>()
  for (const [state, value] of written) {
    const writer = maker.get(value)!
    const before = ancestors(writer, maker)
    const old = graph.inputs.find((input) => input.name === state)!
    if (lookers(old, readers).every((node) => node === writer || before.has(node))) safe.add(state)
  }
  return safe
}

/** Operators whose output may share the memory of their input. */
const VIEWS = new Set(['Identity', 'Reshape', 'Expand', 'Cast'])

/** Every node that may read the memory of `value`, through views of it too. */
function lookers(value: Value, readers: ReadonlyMap<Value, readonly Node[]>): Node[] {
  return (readers.get(value) ?? []).flatMap((node) =>
    VIEWS.has(node.op) ? [node, ...lookers(node.outputs[0], readers)] : [node],
  )
}

function ancestors(node: Node, maker: ReadonlyMap<Value, Node>): Set<Node> {
  const found = new Set<Node>()
  const open = [node]
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    for (const input of at.inputs) {
      const parent = input === undefined ? undefined : maker.get(input)
      if (parent !== undefined && !found.has(parent)) {
        found.add(parent)
        open.push(parent)
      }
    }
  }
  return found
}
