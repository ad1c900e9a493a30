import type { Value } from '../onnx/graph.js'
import type { Ops } from '../onnx/ops.js'
import { sizeOf } from '../onnx/ops-shapes.js'

/** Edges of a graph whose every edge is there in both directions. Node n's neighbours are a run of `neighbours`. */
export interface SymmetricGraph {
  /** [nodes + 1] */
  readonly starts: Int32Array
  /** [2 * edges] */
  readonly neighbours: Int32Array
}

/** People are nodes 0 to people - 1, items the ones after them; each pair is an edge. */
export function userItemGraph(
  people: number,
  items: number,
  { users, taken }: { readonly users: Int32Array; readonly taken: Int32Array },
): SymmetricGraph {
  const nodes = people + items
  const starts = new Int32Array(nodes + 1)
  for (let i = 0; i < users.length; i++) {
    starts[users[i] + 1]++
    starts[people + taken[i] + 1]++
  }
  for (let node = 0; node < nodes; node++) starts[node + 1] += starts[node]
  const next = starts.slice(0, nodes)
  const neighbours = new Int32Array(2 * users.length)
  for (let i = 0; i < users.length; i++) {
    const [user, item] = [users[i], people + taken[i]]
    neighbours[next[user]++] = item
    neighbours[next[item]++] = user
  }
  return { starts, neighbours }
}

/** [nodes] how many neighbours each node has. */
export function degrees({ starts }: SymmetricGraph): Int32Array {
  return starts.slice(1).map((end, node) => end - starts[node])
}

/** Nodes whose lists of neighbours are padded to one length. */
interface Bucket {
  readonly nodes: number
  readonly width: number
  /** [nodes * width] neighbours, then the number of a row of zeros. */
  readonly indices: Int32Array
}

/** Lists padded to the next power of two, less than twice what they hold, and where each node's sum ends up. */
function buckets(graph: SymmetricGraph): { readonly buckets: Bucket[]; readonly places: Int32Array } {
  const { starts, neighbours } = graph
  const zeroRow = starts.length - 1
  const byWidth = new Map<number, number[]>()
  for (const [node, degree] of degrees(graph).entries()) {
    const width = degree <= 1 ? 1 : 2 ** Math.ceil(Math.log2(degree))
    const nodes = byWidth.get(width)
    if (nodes === undefined) byWidth.set(width, [node])
    else nodes.push(node)
  }
  const places = new Int32Array(zeroRow)
  let place = 0
  const made = Array.from(byWidth, ([width, nodes]) => {
    const indices = new Int32Array(nodes.length * width).fill(zeroRow)
    for (const [i, node] of nodes.entries()) {
      indices.set(neighbours.subarray(starts[node], starts[node + 1]), i * width)
      places[node] = place++
    }
    return { nodes: nodes.length, width, indices }
  })
  return { buckets: made, places }
}

/**
 * The sums over each node's neighbours, as a function from [nodes, dim] to [nodes, dim] whose work and memory grow
 * with the edges. One gather and one sum for all nodes of like degree: nothing is scattered, so that it neither races
 * nor depends on the number of threads. The graph being symmetric, the gradient is the same sum of the gradient.
 */
export function neighbourSums(ops: Ops, graph: SymmetricGraph): (table: Value) => Value {
  const plan = buckets(graph)
  const parts = plan.buckets.map(({ nodes, width, indices }) => ({
    width,
    indices: ops.graph.constant('neighbours', indices, width === 1 ? [nodes] : [nodes, width]),
  }))
  const places = ops.graph.constant('places', plan.places, [plan.places.length])
  const sumsOf = (at: Ops, table: Value): Value => {
    const padded = at.concat([table, at.zeros([1, sizeOf(table, 1)])], 0)
    const sums = parts.map(({ width, indices }) => {
      const rows = at.gatherRows(padded, indices)
      return width === 1 ? rows : at.reduceSum(rows, [1])
    })
    const result = at.gatherRows(sums.length === 1 ? sums[0] : at.concat(sums, 0), places)
    at.graph.derivatives.set(result, { inputs: [table], backward: (back, d) => [sumsOf(back, d)] })
    return result
  }
  return (table) => sumsOf(ops, table)
}
