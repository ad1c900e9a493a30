import { matrix, row } from '../math/matrix.js'
import { ndcg, recall } from '../math/metrics.js'
import { mean } from '../math/statistics.js'
import { averageByPerson, bestItems, type TestCase } from '../ranking.js'
import type { Matrix } from '../types.js'
import { type BlendShares, blendedScores, textPerson } from './blend.js'
import type { Inference, Weights } from './inference.js'

/** The two parts of every item's vector under one state of the model. */
export interface ItemParts {
  /** [items, textDim] */
  readonly white: Matrix
  /** [items, dim] */
  readonly head: Matrix
  /** [items] 1 where the model has seen interactions. */
  readonly isWarm: Uint8Array
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
  const values = blends.map(() => new Float64Array(cases.length))
  for (let from = 0; from < cases.length; from += PEOPLE) {
    const some = cases.slice(from, from + PEOPLE)
    const histories = some.map(({ person }) => person.items)
    const persons = await step(() => inference.personVectors(weights, parts.head, histories))
    const trained = await step(() => inference.scores(persons, parts.head))
    const text = await step(() => inference.scores(textPersons(parts.white, histories), parts.white))
    for (const [i, { person, targets, leaveOut }] of some.entries()) {
      const wanted = new Set(targets)
      const seen = leaveOut === undefined ? person : { items: Int32Array.of(...person.items, ...leaveOut) }
      for (const [b, blend] of blends.entries()) {
        const scores = blendedScores(row(text, i), row(trained, i), parts.isWarm, blend)
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

/**
 * The first of several candidates that is not worse than the best by more than one standard error of their
 * paired difference: list the safest first. (The one-standard-error rule of Breiman et al. 1984, paired.)
 * @param perPerson one list per candidate, people in the same order
 */
export function safestOfBest(perPerson: readonly Float64Array[]): number {
  const best = perPerson.map(mean).reduce((top, figure, i, all) => (figure > all[top] ? i : top), 0)
  return perPerson.findIndex((values) => {
    const differences = values.map((value, i) => perPerson[best][i] - value)
    const centre = mean(differences)
    const squares = differences.reduce((sum, d) => sum + (d - centre) ** 2, 0)
    const count = differences.length
    return centre <= Math.sqrt(squares / Math.max(1, count - 1) / Math.max(1, count))
  })
}
