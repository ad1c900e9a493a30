import { matrix } from '../math/matrix.js'
import type { Value } from '../onnx/graph.js'
import type { Ops } from '../onnx/ops.js'
import { productCrossEntropy } from '../onnx/ops-layers.js'
import type { Scope, TrainingModel } from '../onnx/optimizer.js'
import { PairSampler } from './batches.js'
import { CandidateSampler } from './candidates.js'
import type { Family, FamilyData, Weights } from './family.js'
import { bprLoss, squaredLength, warpLoss } from './losses.js'
import type { FamilyOptions } from './options.js'
import { personOrMeanOfItems, vectorScorer, withColumn } from './vector-scorer.js'

/*
 * Matrix factorization: score(u, i) = <p_u, q_i> + b_i, with p [people, factors], q [items, factors], b [items, 1]. Three
 * losses: BPR (Rendle et al. 2009, arXiv:1205.2618) ranks each taken item above one other; WARP in its batch form (Liu &
 * Natarajan 2017, arXiv:1711.04015) cares most for the head of the list; the softmax ranks it among all items at
 * once. All need nothing but pairs and know nothing of an item without any. In the table of docs/families.md the softmax and
 * BPR (.061) are a little behind EASE (.066), WARP (.055) further; the softmax is the cheapest family of all to train.
 */

/** The tables, and the rows of one step: `people` and `items` are dense numbers (int32). */
function tables({ parameter }: Scope, { people, items }: FamilyData, { factors }: FamilyOptions) {
  const deviation = 0.1 / Math.sqrt(factors)
  return {
    people: parameter('people', [people, factors], { deviation }),
    items: parameter('items', [items, factors], { deviation }),
    bias: parameter('bias', [items, 1], { fill: 0 }),
  }
}

/** What was taken against items drawn at random. @param loss of [1 + negatives, batch] scores */
function pairModel(
  name: string,
  data: FamilyData,
  options: FamilyOptions,
  batch: number,
  loss: (ops: Ops, scores: Value) => Value,
): TrainingModel {
  return {
    name,
    loss: (scope) => {
      const { ops, batch: feed } = scope
      const { negatives, factors, regularization } = options
      const table = tables(scope, data, options)
      const p = ops.gatherRows(table.people, feed('people', 'int32', [batch]))
      const drawn = feed('items', 'int32', [(1 + negatives) * batch])
      const q = ops.gatherRows(table.items, drawn)
      const bias = ops.reshape(ops.gatherRows(table.bias, drawn), [1 + negatives, batch])
      const products = ops.mul(ops.reshape(q, [1 + negatives, batch, factors]), p)
      const scores = ops.add(ops.reduceSum(products, [2]), bias)
      const squares = ops.add(squaredLength(ops, p), squaredLength(ops, q))
      return ops.add(loss(ops, scores), ops.mul(squares, regularization / batch))
    },
  }
}

/** Cross entropy of what was taken among all items, or among those of the step. */
function softmaxModel(data: FamilyData, options: FamilyOptions, batch: number, all: boolean): TrainingModel {
  return {
    name: 'mf-softmax',
    loss: (scope) => {
      const { ops, batch: feed } = scope
      const table = tables(scope, data, options)
      const p = ops.gatherRows(table.people, feed('people', 'int32', [batch]))
      const own = feed(all ? 'items' : 'targets', 'int32', [batch])
      const candidates = all ? undefined : feed('candidates', 'int32', [batch])
      const rows = (x: Value) => (candidates === undefined ? x : ops.gatherRows(x, candidates))
      const offsets = all ? undefined : ops.reshape(feed('offsets', 'float32', [batch]), [1, batch])
      const items = rows(table.items)
      const ones = ops.graph.constant('ones', new Float32Array(batch).fill(1), [batch, 1])
      const fit = productCrossEntropy(
        ops,
        ops.concat([p, ones], 1),
        ops.concat([items, rows(table.bias)], 1),
        own,
        ones,
        offsets,
      )
      const squares = ops.add(squaredLength(ops, p), squaredLength(ops, ops.gatherRows(items, own)))
      return ops.add(fit, ops.mul(squares, options.regularization / batch))
    },
  }
}

function factorScorer(name: string, data: FamilyData, { factors }: FamilyOptions) {
  return (weights: Weights) => {
    const people = withColumn(matrix(data.people, factors, weights.people))
    const items = matrix(data.items, factors, weights.items)
    const vectorOf = personOrMeanOfItems(people, withColumn(items), data)
    return vectorScorer(name, withColumn(items, weights.bias), vectorOf)
  }
}

function pairFamily(
  name: string,
  { defaults, candidates }: Pick<Family, 'defaults' | 'candidates'>,
  loss: (ops: Ops, scores: Value, data: FamilyData) => Value,
): Family {
  return {
    name,
    defaults,
    candidates,
    prepare: (data, options) => {
      const sampler = new PairSampler(data, options.batch, options.negatives)
      return {
        training: pairModel(name, data, options, sampler.batch, (ops, scores) => loss(ops, scores, data)),
        batches: (pairs, source) => sampler.batches(pairs, source),
        scorer: factorScorer(name, data, options),
      }
    },
  }
}

/** The baseline that all others are measured against: it has the widest search. */
export const bprFactorization = pairFamily(
  'bpr',
  {
    defaults: { epochs: 160, patience: 10 },
    candidates: [
      [0.03, 1e-3, 3e-3, 0.01, 0.1].map((regularization) => ({ regularization })),
      [64, 32, 128, 256].map((factors) => ({ factors })),
      [5e-3, 2e-3, 0.01].map((learningRate) => ({ learningRate })),
    ],
  },
  bprLoss,
)

export const warpFactorization = pairFamily(
  'mf-warp',
  { defaults: { negatives: 20 }, candidates: [[{ regularization: 0.1 }, { regularization: 0.03 }]] },
  (ops, scores, { items }) => warpLoss(ops, scores, items),
)

export const softmaxFactorization: Family = {
  name: 'mf-softmax',
  defaults: {},
  candidates: [[{ regularization: 0.03 }, { regularization: 0.01 }, { regularization: 0.1 }]],
  prepare: (data, options) => {
    const pairs = new PairSampler(data, options.batch, 0)
    const all = data.items <= options.fullSoftmaxItems
    const sampler = all ? pairs : new CandidateSampler(data, pairs)
    return {
      training: softmaxModel(data, options, pairs.batch, all),
      batches: (asked, source) => sampler.batches(asked, source),
      scorer: factorScorer('mf-softmax', data, options),
    }
  },
}
