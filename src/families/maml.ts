import { matrix } from '../math/matrix.js'
import { Forward } from '../onnx/forward.js'
import type { Value } from '../onnx/graph.js'
import type { Ops } from '../onnx/ops.js'
import { productCrossEntropy } from '../onnx/ops-layers.js'
import type { Scope, TrainingModel } from '../onnx/optimizer.js'
import type { Scorer } from '../ranking.js'
import type { Person } from '../types.js'
import type { Family, FamilyData, Weights } from './family.js'
import { squaredLength } from './losses.js'
import type { FamilyOptions } from './options.js'
import { GivenTable, learnedFrom, startFromVectors } from './start.js'
import { QUERIES, TaskSampler } from './tasks.js'

/*
 * Meta-learning for people with a handful of likes: first-order MAML (Finn et al. 2017, arXiv:1703.03400; for recommending,
 * MeLU, Lee et al. 2019, arXiv:1908.00413), where only the person adapts and the items are shared.
 *   logits(p)  = p q^T + b                           p [F], q [items, F], b [items]
 *   p_0        learned: where everybody begins
 *   p_(k+1)    = p_k - a g_k,   g_k = softmax(logits(p_k)) q - mean of q over the likes     (the likes' own loss)
 *   outer loss = cross entropy of other things that the person took, under p_K
 * First order: g_k counts as a constant, so that q, b, p_0 and the rate a learn from the outer loss alone. q starts from the
 * items' vectors, or at random. Nobody has numbers of their own: a stranger with three likes is what it is trained for.
 *
 * Good at strangers where items are known by who took them: in docs/families.md it beats the closed-form profile, the mean of
 * their items' text, on one set of three and is within noise of it on two; EASE, which knows strangers by their items too,
 * is within noise of it on two and above it on one. For people who are known it is beside EASE on one set (.071 and
 * .066) and below it on another (.066 and .075).
 * Finds no new items (recall .004 where whitened text has .198), and is blind to the order of events and to what a person's
 * twentieth like could add.
 */

const START_DEVIATION = 0.1
/** Newest likes that scores adapt to. */
const MOST_LIKES = 64

interface Likes {
  /** [B, n] places among the candidates (int32). */
  readonly places: Value
  /** [B, n] shares that add up to 1, or to 0 for nobody's likes. */
  readonly shares: Value
}

/** p_0 to p_K. @param q [candidates, F] @param b [candidates, 1] @returns [B, F] */
function adapted({ ops, parameter }: Scope, q: Value, b: Value, likes: Likes, options: FamilyOptions): Value {
  const { factors, innerSteps } = options
  const [people, count] = likes.places.shape as readonly [number | string, number]
  const rate = ops.exp(parameter('logRate', [], { fill: Math.log(2) }))
  const shares = ops.reshape(likes.shares, [people, count, 1])
  const liked = ops.reduceSum(ops.mul(ops.gatherRows(q, likes.places), shares), [1])
  const any = ops.reduceSum(likes.shares, [1], true)
  const bias = ops.reshape(b, [1, b.shape![0]])
  // Nobody's likes are no steps: everybody begins as many rows as there are likes to begin with.
  let p = ops.add(ops.mul(liked, 0), parameter('person', [1, factors], { fill: 0 }, false))
  for (let step = 0; step < innerSteps; step++) {
    const expected = ops.matmul(ops.softmax(logits(ops, p, q, bias)), q)
    const gradient = ops.stopGradient(ops.sub(ops.mul(expected, any), liked))
    p = ops.sub(p, ops.mul(gradient, rate))
  }
  return p
}

function logits(ops: Ops, p: Value, q: Value, bias: Value): Value {
  return ops.add(ops.matmul(p, q, { transposeB: true }), bias)
}

/** q and b of the whole catalogue. */
function tables(scope: Scope, { items }: FamilyData, { factors, start }: FamilyOptions, given?: Value) {
  const { parameter } = scope
  const q =
    given === undefined
      ? parameter('items', [items, factors], { deviation: START_DEVIATION })
      : start === 'frozen'
        ? given
        : learnedFrom(scope, 'items', given)
  return { q, b: parameter('bias', [items, 1], { fill: 0 }) }
}

function mamlModel(
  data: FamilyData,
  options: FamilyOptions,
  { people, likes: most, candidates }: TaskSampler,
  given: GivenTable | undefined,
): TrainingModel {
  return {
    name: 'maml',
    loss: (scope) => {
      const { ops, batch } = scope
      const { factors, regularization } = options
      const all = tables(scope, data, options, given?.inTraining(scope))
      const offered = candidates < data.items ? batch('candidates', 'int32', [candidates]) : undefined
      const rows = (table: Value) => (offered === undefined ? table : ops.gatherRows(table, offered))
      const [q, b] = [rows(all.q), rows(all.b)]
      const likes = {
        places: batch('likes', 'int32', [people, most]),
        shares: batch('shares', 'float32', [people, most]),
      }
      const p = adapted(scope, q, b, likes, options)
      const everyQuery = [people, QUERIES, factors]
      const asked = ops.reshape(ops.expand(ops.reshape(p, [people, 1, factors]), everyQuery), [
        people * QUERIES,
        factors,
      ])
      const ones = ops.graph.constant('ones', new Float32Array(people * QUERIES).fill(1), [
        people * QUERIES,
        1,
      ])
      const fit = productCrossEntropy(
        ops,
        ops.concat([asked, ones], 1),
        ops.concat([q, b], 1),
        batch('queries', 'int32', [people * QUERIES]),
        batch('weights', 'float32', [people * QUERIES, 1]),
      )
      const squares = ops.add(squaredLength(ops, p), squaredLength(ops, ops.gatherRows(q, likes.places)))
      return ops.add(fit, ops.mul(squares, regularization / people))
    },
  }
}

async function mamlScorer(
  data: FamilyData,
  options: FamilyOptions,
  given: GivenTable | undefined,
  weights: Weights,
): Promise<Scorer> {
  const forward = await Forward.open(
    'maml',
    (scope) => {
      const { ops, batch } = scope
      const { q, b } = tables(scope, data, options, given?.inScoring(scope))
      const likes = {
        places: batch('likes', 'int32', ['people', MOST_LIKES]),
        shares: batch('shares', 'float32', ['people', MOST_LIKES]),
      }
      const p = adapted(scope, q, b, likes, options)
      return { scores: logits(ops, p, q, ops.reshape(b, [1, data.items])) }
    },
    { threads: options.threads },
  )
  return {
    name: 'maml',
    itemCount: data.items,
    scores: async (asked) => {
      if (asked.length === 0) return matrix(0, data.items)
      const { scores } = await forward.run(weights, likesOf(asked))
      return matrix(asked.length, data.items, scores)
    },
    close: () => forward.close(),
  }
}

function likesOf(asked: readonly Person[]) {
  const likes = new Int32Array(asked.length * MOST_LIKES)
  const shares = new Float32Array(asked.length * MOST_LIKES)
  for (const [i, { items }] of asked.entries()) {
    const newest = Array.from(new Set(items)).slice(-MOST_LIKES)
    likes.set(newest, i * MOST_LIKES)
    shares.fill(1 / newest.length, i * MOST_LIKES, i * MOST_LIKES + newest.length)
  }
  return { likes, shares }
}

export const maml: Family = {
  name: 'maml',
  needsVectors: ({ start }) => start !== 'random',
  defaults: { batch: 128 },
  candidates: [[{ regularization: 1e-2 }, { regularization: 1e-3 }]],
  prepare: (data, options) => {
    const { start, factors, seed } = options
    const first = start === 'random' ? undefined : startFromVectors(data, factors, START_DEVIATION, seed)
    const given =
      first &&
      GivenTable.of(
        'itemsStart',
        first.whole.items,
        first.parts.map(({ items }) => items),
      )
    const sampler = new TaskSampler(data, options)
    return {
      training: mamlModel(data, options, sampler, given),
      *batches(pairs, source) {
        for (const { part, batch } of sampler.steps(pairs, source)) yield { ...batch, ...given?.of(part) }
      },
      scorer: (weights) => mamlScorer(data, options, given, weights),
    }
  },
}
