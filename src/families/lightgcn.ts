import { addScaled, matrix, row } from '../math/matrix.js'
import { Forward } from '../onnx/forward.js'
import type { Value } from '../onnx/graph.js'
import type { Ops } from '../onnx/ops.js'
import type { Scope } from '../onnx/optimizer.js'
import type { Scorer } from '../ranking.js'
import type { Matrix } from '../types.js'
import { PairSampler } from './batches.js'
import type { Family, FamilyData, FamilyModel, Weights } from './family.js'
import { bprLoss, squaredLength } from './losses.js'
import type { FamilyOptions } from './options.js'
import { degrees, neighbourSums, type SymmetricGraph, userItemGraph } from './segment-sums.js'
import { GivenTable, learnedFrom, type StartTables, startFromVectors, withGiven } from './start.js'
import { knownPeople, vectorScorer } from './vector-scorer.js'

/*
 * LightGCN (He et al. 2020, arXiv:2002.02126): people and items are the nodes of one graph, E_0 [people + items, factors]
 * is learned, each layer is E_(k+1) = D^-1/2 A D^-1/2 E_k, a node's vector is the mean of its layers 0 to K, and a score is
 * the inner product of two. Trained with BPR; every step propagates through the whole graph, as in the paper.
 *
 * Three ways to start: the items' rows of E_0 at random; from text (each item's vector, each person the mean of
 * their items', and all of it learned further); and text alone, where item i's row is t_i W with W [dim, factors]
 * learned, and people start from nothing. The last has no number per item or person, so an item that nobody has taken
 * yet has a vector as good as its text.
 *
 * Meant for people and items with few pairs each, since neighbours of neighbours speak for them: in the table of
 * docs/families.md beside EASE from IDs (.066), a little above it from text (.069), below it from text alone (.059), which
 * takes longest of all families to learn. Blind to the order of events, and every step costs a pass over all pairs, whatever
 * its batch.
 */

const START_DEVIATION = 0.1

/** E_0 [people + items, factors], of parameters and of what is given. */
interface FirstLayer {
  readonly given: readonly GivenTable[]
  /** @param given the values of the tables of that name, in their order */
  readonly nodes: (scope: Scope, given: readonly Value[]) => Value
}

/** E_0 to E_K, each [nodes, factors]. */
function layersOf(ops: Ops, graph: SymmetricGraph, first: Value, count: number): Value[] {
  const sums = neighbourSums(ops, graph)
  const shares = Float32Array.from(degrees(graph), (degree) => (degree === 0 ? 0 : 1 / Math.sqrt(degree)))
  const share = ops.graph.constant('shares', shares, [shares.length, 1])
  const layers = [first]
  for (let k = 0; k < count; k++) layers.push(ops.mul(sums(ops.mul(layers[k], share)), share))
  return layers
}

function meanOf(ops: Ops, layers: readonly Value[]): Value {
  return ops.mul(
    layers.reduce((sum, layer) => ops.add(sum, layer)),
    1 / layers.length,
  )
}

function lightGcn(name: string, data: FamilyData, options: FamilyOptions, first: FirstLayer): FamilyModel {
  const { people } = data
  const { layers, regularization } = options
  const graph = userItemGraph(people, data.items, data)
  const sampler = new PairSampler(data, options.batch, options.negatives)
  const { batch } = sampler
  const rounds = 1 + options.negatives
  return {
    training: {
      name,
      loss: (scope) => {
        const { ops, batch: feed } = scope
        const start = first.nodes(
          scope,
          first.given.map((table) => table.inTraining(scope)),
        )
        const vectors = meanOf(ops, layersOf(ops, graph, start, layers))
        const users = feed('people', 'int32', [batch])
        const items = ops.add(feed('items', 'int32', [rounds * batch]), nodeOffset(ops, people))
        const factors = vectors.shape![1]
        const theirs = ops.reshape(ops.gatherRows(vectors, items), [rounds, batch, factors])
        const scores = ops.reduceSum(ops.mul(theirs, ops.gatherRows(vectors, users)), [2])
        const squares = ops.add(
          squaredLength(ops, ops.gatherRows(start, users)),
          squaredLength(ops, ops.gatherRows(start, items)),
        )
        return ops.add(bprLoss(ops, scores), ops.mul(squares, regularization / batch))
      },
    },
    batches: (pairs, source) => withGiven(sampler.steps(pairs, source), first.given),
    scorer: (weights) => graphScorer(name, data, options, graph, first, weights),
  }
}

/** The number of the first item's node, to be added to item numbers. */
function nodeOffset(ops: Ops, people: number): Value {
  return ops.graph.constant('people', Int32Array.of(people), [1])
}

/**
 * People of the graph have their own vectors. A stranger becomes a node beside it: layer k + 1 of theirs is the sum of
 * the items' layers k over the square roots of both degrees, and nothing flows back from them.
 */
async function graphScorer(
  name: string,
  data: FamilyData,
  { layers: count, factors }: FamilyOptions,
  symmetric: SymmetricGraph,
  first: FirstLayer,
  weights: Weights,
): Promise<Scorer> {
  const { people, items } = data
  const forward = await Forward.open(name, (scope) => {
    const { ops } = scope
    const start = first.nodes(
      scope,
      first.given.map((table) => table.inScoring(scope)),
    )
    const layers = layersOf(ops, symmetric, start, count)
    const passedOn = layers.slice(0, -1).reduce((sum, layer) => ops.add(sum, layer), ops.value(0))
    return { vectors: meanOf(ops, layers), passedOn }
  })
  const results = await forward.run(weights, {})
  await forward.close()
  const vectors = matrix(people + items, factors, results.vectors)
  const passedOn = matrix(people + items, factors, results.passedOn)
  const degree = degrees(symmetric)
  const known = knownPeople(data, people)
  const table = matrix(items, factors, vectors.data.subarray(people * factors))
  return vectorScorer(name, table, ({ user, items: history }) => {
    if (user !== undefined && known[user] === 1) return row(vectors, user)
    const vector = new Float32Array(factors)
    for (const item of new Set(history)) {
      const node = people + item
      if (degree[node] > 0) addScaled(vector, row(passedOn, node), 1 / Math.sqrt(degree[node]))
    }
    return vector
  })
}

const shared: Pick<Family, 'candidates'> = {
  candidates: [[{ regularization: 1e-3 }, { regularization: 1e-2 }]],
}
const defaults: Family['defaults'] = { batch: 4096 }

export const lightgcn: Family = {
  name: 'lightgcn',
  defaults,
  ...shared,
  prepare: (data, options) =>
    lightGcn('lightgcn', data, options, {
      given: [],
      nodes: ({ parameter }) =>
        parameter('nodes', [data.people + data.items, options.factors], { deviation: START_DEVIATION }),
    }),
}

export const lightgcnText: Family = {
  name: 'lightgcn-text',
  needsVectors: () => true,
  defaults,
  ...shared,
  prepare: (data, options) => {
    const { factors, seed } = options
    const { whole, parts } = startFromVectors(data, factors, START_DEVIATION, seed)
    const start = GivenTable.of('start', nodesOf(whole), parts.map(nodesOf))
    return lightGcn('lightgcn-text', data, options, {
      given: [start],
      nodes: (scope, [given]) => learnedFrom(scope, 'nodes', given),
    })
  },
}

/** [people + items, factors] */
function nodesOf({ people, items }: StartTables): Matrix {
  const nodes = matrix(people.rows + items.rows, items.dim)
  nodes.data.set(people.data)
  nodes.data.set(items.data, people.data.length)
  return nodes
}

export const lightgcnFlow: Family = {
  name: 'lightgcn-flow',
  needsVectors: () => true,
  defaults,
  ...shared,
  prepare: (data, options) => {
    const text = GivenTable.of('text', data.vectors!, data.vectorsWithout)
    const { dim } = data.vectors!
    return lightGcn('lightgcn-flow', data, options, {
      given: [text],
      nodes: ({ ops, parameter }, [given]) => {
        const projection = parameter('projection', [dim, options.factors], { deviation: 1 / Math.sqrt(dim) })
        const nobody = ops.zeros([data.people, options.factors])
        return ops.concat([nobody, ops.matmul(given, projection)], 0)
      },
    })
  },
}
