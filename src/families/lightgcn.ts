import { addScaled, matrix, row } from '../math/matrix.js'
import { Graph, type Value } from '../onnx/graph.js'
import { Ops } from '../onnx/ops.js'
import type { Scope } from '../onnx/optimizer.js'
import { serializeModel } from '../onnx/protobuf.js'
import { Session, tensor } from '../onnx/session.js'
import type { Scorer } from '../ranking.js'
import { PairSampler } from './batches.js'
import type { Family, FamilyData, FamilyModel, Weights } from './family.js'
import { bprLoss, squaredLength } from './losses.js'
import type { FamilyOptions } from './options.js'
import { degrees, neighbourSums, type SymmetricGraph, userItemGraph } from './segment-sums.js'
import { startFromVectors } from './start.js'
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
 */

const START_DEVIATION = 0.1

/** E_0 [people + items, factors] in a forward pass. */
type FirstLayer = (scope: Scope) => Value

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
        const start = first(scope)
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
    batches: (pairs, source) => sampler.batches(pairs, source),
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
  { layers: count }: FamilyOptions,
  symmetric: SymmetricGraph,
  first: FirstLayer,
  weights: Weights,
): Promise<Scorer> {
  const { people, items } = data
  const graph = new Graph(name)
  const ops = new Ops(graph)
  const shapes = new Map<string, readonly number[]>()
  const start = first({
    ops,
    parameter: (parameter, shape) => {
      shapes.set(parameter, shape)
      return graph.input(parameter, 'float32', shape)
    },
    batch: (fed, type, shape) => graph.input(fed, type, shape),
  })
  const factors = start.shape![1] as number
  const layers = layersOf(ops, symmetric, start, count)
  graph.output('vectors', meanOf(ops, layers))
  graph.output(
    'passedOn',
    layers.slice(0, -1).reduce((sum, layer) => ops.add(sum, layer), ops.value(0)),
  )
  const session = await Session.create(serializeModel(graph))
  const feeds = Object.entries(weights).map(([parameter, values]) => [
    parameter,
    tensor('float32', values, shapes.get(parameter)!),
  ])
  const results = await session.run(Object.fromEntries(feeds))
  await session.close()
  const vectors = matrix(people + items, factors, results.vectors.data as Float32Array)
  const passedOn = matrix(people + items, factors, results.passedOn.data as Float32Array)
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
  candidates: [{ regularization: 1e-3 }, { regularization: 1e-2 }],
}
const defaults: Family['defaults'] = { batch: 4096 }

export const lightgcn: Family = {
  name: 'lightgcn',
  defaults,
  ...shared,
  prepare: (data, options) =>
    lightGcn('lightgcn', data, options, ({ parameter }) =>
      parameter('nodes', [data.people + data.items, options.factors], { deviation: START_DEVIATION }),
    ),
}

export const lightgcnText: Family = {
  name: 'lightgcn-text',
  needsVectors: () => true,
  defaults,
  ...shared,
  prepare: (data, options) => {
    const { people, items } = startFromVectors(data, options.factors, START_DEVIATION, options.seed)
    const start = new Float32Array(people.data.length + items.data.length)
    start.set(people.data)
    start.set(items.data, people.data.length)
    return lightGcn('lightgcn-text', data, options, ({ parameter }) =>
      parameter('nodes', [data.people + data.items, options.factors], { data: start }),
    )
  },
}

export const lightgcnFlow: Family = {
  name: 'lightgcn-flow',
  needsVectors: () => true,
  defaults,
  ...shared,
  prepare: (data, options) => {
    const { people } = data
    const { rows, dim, data: numbers } = data.vectors!
    return lightGcn('lightgcn-flow', data, options, ({ ops, parameter }) => {
      const text = ops.graph.constant('text', numbers, [rows, dim])
      const projection = parameter('projection', [dim, options.factors], { deviation: 1 / Math.sqrt(dim) })
      const nobody = ops.zeros([people, options.factors])
      return ops.concat([nobody, ops.matmul(text, projection)], 0)
    })
  },
}
