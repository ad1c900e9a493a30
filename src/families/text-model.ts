import { matrix } from '../math/matrix.js'
import { Forward } from '../onnx/forward.js'
import type { Value } from '../onnx/graph.js'
import { productCrossEntropy } from '../onnx/ops-layers.js'
import type { Scope, TrainingModel } from '../onnx/optimizer.js'
import type { Batch } from '../onnx/optimizer-session.js'
import type { Matrix } from '../types.js'
import { PairSampler } from './batches.js'
import { CandidateSampler } from './candidates.js'
import type { Family, FamilyData, Weights, WordTexts } from './family.js'
import { squaredLength } from './losses.js'
import type { FamilyOptions } from './options.js'
import { personOrMeanOfItems, vectorScorer, withColumn } from './vector-scorer.js'

/*
 * What models of words share: an item is what a head makes of the words of its text, pretrained word vectors that stay as they
 * are, plus a correction of its own, which ConvMF calls epsilon and which is nothing for an item that nobody took:
 *   q_i = head(w_1 .. w_T) + e_i           w [T, E], q and e [F]
 *   score(u, i) = <p_u, q_i> + b_i
 * The loss is a softmax over the items of the step, corrected by how often each is offered, so that the head reads as many
 * texts in a step as there are pairs in it.
 */

/** Makes an item of words. @param words [n, T, E] @param known [n, T] (int32) 0 where there is no word, at the front @returns [n, F] */
export type TextHead = (scope: Scope, words: Value, known: Value, options: FamilyOptions) => Value

/** Items whose texts are read at once when all of them are. */
const ITEMS = 128

function itemsOf(
  scope: Scope,
  head: TextHead,
  { table, length }: WordTexts,
  items: number,
  options: FamilyOptions,
) {
  const { ops, batch } = scope
  const tokens = batch('tokens', 'int32', [items, length])
  const all = ops.graph.constant('words', table.data, [table.rows, table.dim])
  const none = ops.graph.constant('none', Int32Array.of(0), [1])
  const known = ops.where(ops.equal(tokens, none), none, ops.graph.constant('one', Int32Array.of(1), [1]))
  return head(scope, ops.gatherRows(all, tokens), known, options)
}

function textModel(
  name: string,
  head: TextHead,
  { people, items, words }: FamilyData,
  options: FamilyOptions,
  batch: number,
): TrainingModel {
  const { factors, regularization } = options
  return {
    name,
    loss: (scope) => {
      const { ops, parameter, batch: feed } = scope
      const deviation = 0.1 / Math.sqrt(factors)
      const table = parameter('people', [people, factors], { deviation })
      const p = ops.gatherRows(table, feed('people', 'int32', [batch]))
      const candidates = feed('candidates', 'int32', [batch])
      const own = ops.gatherRows(parameter('own', [items, factors], { fill: 0 }), candidates)
      const bias = ops.gatherRows(parameter('bias', [items, 1], { fill: 0 }), candidates)
      const q = ops.add(itemsOf(scope, head, words!, batch, options), own)
      const ones = ops.graph.constant('ones', new Float32Array(batch).fill(1), [batch, 1])
      const fit = productCrossEntropy(
        ops,
        ops.concat([p, ones], 1),
        ops.concat([q, bias], 1),
        feed('targets', 'int32', [batch]),
        ones,
        ops.reshape(feed('offsets', 'float32', [batch]), [1, batch]),
      )
      const squares = ops.add(squaredLength(ops, p), squaredLength(ops, own))
      return ops.add(fit, ops.mul(squares, regularization / batch))
    },
  }
}

/** Rows of `tokens` [items, length]. */
function textsOf({ length }: WordTexts, tokens: Int32Array, items: ArrayLike<number>): Int32Array {
  const some = new Int32Array(items.length * length)
  for (let i = 0; i < items.length; i++) {
    some.set(tokens.subarray(items[i] * length, (items[i] + 1) * length), i * length)
  }
  return some
}

/** [items, F] what the head makes of every text. */
async function allItems(
  name: string,
  head: TextHead,
  words: WordTexts,
  items: number,
  options: FamilyOptions,
  weights: Weights,
): Promise<Matrix> {
  const forward = await Forward.open(
    name,
    (scope) => ({ items: itemsOf(scope, head, words, ITEMS, options) }),
    { threads: options.threads },
  )
  const vectors = matrix(items, options.factors)
  for (let from = 0; from < items; from += ITEMS) {
    const some = Int32Array.from({ length: ITEMS }, (_, i) => Math.min(items - 1, from + i))
    const read = await forward.run(weights, { tokens: textsOf(words, words.tokens, some) })
    const count = Math.min(ITEMS, items - from)
    vectors.data.set(read.items.subarray(0, count * options.factors), from * options.factors)
  }
  await forward.close()
  return vectors
}

/** A family whose items are what a head makes of their words. */
export function textFamily(name: string, head: TextHead, defaults: Partial<FamilyOptions> = {}): Family {
  return {
    name,
    needsWords: true,
    defaults: { batch: 256, learningRate: 2e-3, blindEpochs: 15, ...defaults },
    candidates: [[{ regularization: 0.03 }, { regularization: 0.1 }]],
    prepare: (data, options) => {
      const { people, items, words } = data
      const { factors } = options
      const sampler = new PairSampler(data, options.batch, 0)
      const candidates = new CandidateSampler(data, sampler)
      return {
        training: textModel(name, head, data, options, sampler.batch),
        *batches(pairs, source): Generator<Batch> {
          for (const { part, batch } of candidates.steps(pairs, source)) {
            const tokens = words!.without?.[part] ?? words!.tokens
            yield { ...batch, tokens: textsOf(words!, tokens, batch.candidates) }
          }
        },
        scorer: async (weights) => {
          const read = await allItems(name, head, words!, items, options, weights)
          const whole = matrix(
            items,
            factors,
            read.data.map((value, i) => value + weights.own[i]),
          )
          const vectorOf = personOrMeanOfItems(
            withColumn(matrix(people, factors, weights.people)),
            withColumn(whole),
            data,
          )
          return vectorScorer(name, withColumn(whole, weights.bias), vectorOf)
        },
      }
    },
  }
}
