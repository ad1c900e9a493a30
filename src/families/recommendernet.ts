import { matrix } from '../math/matrix.js'
import type { TrainingModel } from '../onnx/optimizer.js'
import type { Matrix } from '../types.js'
import { PairSampler } from './batches.js'
import type { Family, FamilyData } from './family.js'
import { sigmoidCrossEntropy, squaredLength, takenOrNot } from './losses.js'
import type { FamilyOptions } from './options.js'
import { GivenTable, learnedFrom, type StartTables, startFromVectors, withGiven } from './start.js'
import { personOrMeanOfItems, vectorScorer, withColumn } from './vector-scorer.js'

/*
 * RecommenderNet, after the collaborative filtering example of Keras (keras.io, "Collaborative filtering for movie
 * recommendations"), with tables that start from pretrained vectors: score(u, i) = <p_u, q_i> + b_u + b_i with p [people, F],
 * q [items, F]; sigmoid(score) is brought to 1 for what was taken and to 0 for items drawn at random, by cross entropy or
 * squared error, with Adam.
 *
 * q starts from the items' vectors (BERT or word vectors) and p from the mean of each person's items. 'fine-tuned' learns
 * both, 'frozen' keeps q and learns the people and the biases on it, 'random' starts without the vectors: the three
 * side by side are what the transfer is worth.
 *
 * Good as that yardstick (in the table of docs/families.md .061 fine-tuned and .044, no better than popularity, with 'frozen');
 * its loss tells taken from not taken one by one and never ranks, so that it seldom wins a ranking: EASE has .066 there.
 */

const START_DEVIATION = 0.1

/** What both tables start from. */
interface Start {
  readonly people: GivenTable
  readonly items: GivenTable
}

export function recommenderNetModel(
  data: FamilyData,
  options: FamilyOptions,
  batch: number,
  start: Start | undefined,
): TrainingModel {
  const { factors, negatives, regularization } = options
  const rounds = 1 + negatives
  return {
    name: 'recommendernet',
    loss: (scope) => {
      const { ops, parameter, batch: feed } = scope
      const table = (name: keyof Start, rows: number) =>
        start === undefined
          ? parameter(name, [rows, factors], { deviation: START_DEVIATION })
          : learnedFrom(scope, name, start[name].inTraining(scope))
      const people = table('people', data.people)
      const items = options.start === 'frozen' ? start!.items.inTraining(scope) : table('items', data.items)
      const peopleBias = parameter('peopleBias', [data.people, 1], { fill: 0 })
      const itemBias = parameter('itemBias', [data.items, 1], { fill: 0 })
      const users = feed('people', 'int32', [batch])
      const drawn = feed('items', 'int32', [rounds * batch])
      const p = ops.gatherRows(people, users)
      const q = ops.gatherRows(items, drawn)
      const products = ops.reduceSum(ops.mul(ops.reshape(q, [rounds, batch, factors]), p), [2])
      const biases = ops.add(
        ops.reshape(ops.gatherRows(itemBias, drawn), [rounds, batch]),
        ops.reshape(ops.gatherRows(peopleBias, users), [1, batch]),
      )
      const scores = ops.add(products, biases)
      const targets = takenOrNot(ops, batch, negatives)
      const miss = ops.sub(ops.sigmoid(scores), targets)
      const fit =
        options.loss === 'bce' ? sigmoidCrossEntropy(ops, scores, targets) : ops.mean(ops.mul(miss, miss))
      const squares = ops.add(squaredLength(ops, p), squaredLength(ops, q))
      return ops.add(fit, ops.mul(squares, regularization / batch))
    },
  }
}

export const recommenderNet: Family = {
  name: 'recommendernet',
  needsVectors: ({ start }) => start !== 'random',
  defaults: { factors: 128, negatives: 4, learningRate: 2e-3, blindEpochs: 20 },
  candidates: [[{ regularization: 1e-3 }, { regularization: 1e-2 }]],
  prepare: (data, options) => {
    const { factors, seed, negatives } = options
    const tables =
      options.start === 'random' ? undefined : startFromVectors(data, factors, START_DEVIATION, seed)
    const start = tables && {
      people: givenTable('people', tables),
      items: givenTable('items', tables),
    }
    const sampler = new PairSampler(data, options.batch, negatives)
    /** What is learned on top of the start, if there is one. */
    const whole = (name: keyof Start, learned?: Float32Array): Matrix => {
      const rows = name === 'people' ? data.people : data.items
      const first = tables?.whole[name].data ?? new Float32Array(rows * factors)
      return matrix(
        rows,
        factors,
        first.map((value, i) => value + (learned?.[i] ?? 0)),
      )
    }
    return {
      training: recommenderNetModel(data, options, sampler.batch, start),
      batches: (pairs, source) =>
        withGiven(sampler.steps(pairs, source), start === undefined ? [] : [start.people, start.items]),
      scorer: (weights) => {
        const people = withColumn(whole('people', weights.people))
        const items = whole('items', weights.items)
        const vectorOf = personOrMeanOfItems(people, withColumn(items), data)
        return vectorScorer('recommendernet', withColumn(items, weights.itemBias), vectorOf)
      },
    }
  },
}

function givenTable(name: keyof StartTables, { whole, parts }: ReturnType<typeof startFromVectors>) {
  return GivenTable.of(
    `${name}Start`,
    whole[name],
    parts.map((tables) => tables[name]),
  )
}
