import { matrix, row } from '../math/matrix.js'
import { ndcg, recall } from '../math/metrics.js'
import { averageByPerson, bestItems, type TestCase } from '../ranking.js'
import type { Matrix } from '../types.js'
import { type BlendShares, blendedScores, textPerson, trainedPerson } from './blend.js'
import type { Inference, Weights } from './inference.js'

/** The two parts of every item's vector under one state of the model. */
export interface ItemParts {
  /** [items, textDim] */
  readonly white: Matrix
  /** [items, dim] */
  readonly head: Matrix
  /** [items] 1 where the model has seen interactions. */
  readonly isWarm: Uint8Array
  /** How persons are made of them; see `Blend.mean`. */
  readonly mean: number
}

export type Metric = 'ndcg' | 'recall'
const METRICS = { ndcg, recall }

/** People scored at once: bounds memory to two matrices of [PEOPLE, items]. */
const PEOPLE = 128

/**
 * NDCG@10 or recall@10 of each person under each blend, over the whole catalogue without what the person has.
 * People come in the same order for every blend.
 * @param step called around everything that blocks
 */
export async function judgeBlends(
  inference: Inference,
  weights: Weights,
  parts: ItemParts,
  cases: readonly TestCase[],
  blends: readonly BlendShares[],
  metric: Metric,
  step: <T>(work: () => Promise<T>) => Promise<T>,
): Promise<Float64Array[]> {
  const buffer = new Float32Array(parts.head.rows)
  const values = blends.map(() => new Float64Array(cases.length))
  for (let from = 0; from < cases.length; from += PEOPLE) {
    const some = cases.slice(from, from + PEOPLE)
    const histories = some.map(({ person }) => person.items)
    const times = some.map(({ person }) => person.times)
    const persons = await step(() => inference.personVectors(weights, parts.head, histories, times))
    for (const [i, history] of histories.entries()) {
      trainedPerson(row(persons, i), parts.head, history, parts.mean)
    }
    const trained = await step(() => inference.scores(persons, parts.head))
    const text = await step(() => inference.scores(textPersons(parts.white, histories), parts.white))
    for (const [i, { person, targets, leaveOut }] of some.entries()) {
      const wanted = new Set(targets)
      const seen = leaveOut === undefined ? person : { items: Int32Array.of(...person.items, ...leaveOut) }
      for (const [b, blend] of blends.entries()) {
        const scores = blendedScores(row(text, i), row(trained, i), parts.isWarm, blend, buffer)
        const ranking = bestItems(scores, seen, { k: 10 })
        values[b][from + i] = METRICS[metric](ranking.items, wanted, 10)
      }
    }
  }
  return values.map((all) => averageByPerson(cases, all).values)
}

/** The text halves of many people. */
export function textPersons(white: Matrix, histories: readonly Int32Array[]): Matrix {
  const result = matrix(histories.length, white.dim)
  for (const [i, history] of histories.entries()) row(result, i).set(textPerson(white, history))
  return result
}
