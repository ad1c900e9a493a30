import { matrix } from '../math/matrix.js'
import type { Value } from '../onnx/graph.js'
import { productCrossEntropy } from '../onnx/ops-layers.js'
import type { Scope, TrainingModel } from '../onnx/optimizer.js'
import { PairSampler } from './batches.js'
import { CandidateSampler } from './candidates.js'
import type { Family, FamilyData, Weights } from './family.js'
import { squaredLength, warpLoss } from './losses.js'
import type { FamilyOptions } from './options.js'
import { personOrMeanOfItems, vectorScorer, withColumn } from './vector-scorer.js'

/*
 * Matrix factorization: score(u, i) = <p_u, q_i> + b_i, with p [people, factors], q [items, factors], b [items, 1]. BPR
 * (src/evaluate/baselines) ranks each taken item above one other; the two losses here are WARP in its batch form (Liu &
 * Natarajan 2017, arXiv:1711.04015), which cares most for the head of the list, and the softmax, which ranks it among
 * all items at once. Both need nothing but pairs and know nothing of an item without any.
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

/** What was taken against items drawn at random, a WARP rank over [1 + negatives, batch] scores. */
function warpModel(data: FamilyData, options: FamilyOptions, batch: number): TrainingModel {
  return {
    name: 'mf-warp',
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
      return ops.add(warpLoss(ops, scores, data.items), ops.mul(squares, regularization / batch))
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

export const warpFactorization: Family = {
  name: 'mf-warp',
  defaults: { negatives: 20 },
  candidates: [[{ regularization: 0.1 }, { regularization: 0.03 }]],
  prepare: (data, options) => {
    const sampler = new PairSampler(data, options.batch, options.negatives)
    return {
      training: warpModel(data, options, sampler.batch),
      batches: (pairs, source) => sampler.batches(pairs, source),
      scorer: factorScorer('mf-warp', data, options),
    }
  },
}

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
