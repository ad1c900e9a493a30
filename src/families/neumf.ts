import { matrix, row } from '../math/matrix.js'
import { Forward } from '../onnx/forward.js'
import type { Value } from '../onnx/graph.js'
import { linear } from '../onnx/ops-layers.js'
import type { Scope, TrainingModel } from '../onnx/optimizer.js'
import type { Scorer } from '../ranking.js'
import type { Person } from '../types.js'
import { PairSampler } from './batches.js'
import type { Family, FamilyData, Weights } from './family.js'
import { sigmoidCrossEntropy, squaredLength, takenOrNot } from './losses.js'
import type { FamilyOptions } from './options.js'
import { knownPeople } from './vector-scorer.js'

/*
 * NeuMF (He et al. 2017, arXiv:1708.05031): a generalized matrix factorization and a perceptron side by side, each with
 * tables of its own, joined by one last layer.
 *   gmf   = p * q                                   p [people, F], q [items, F]
 *   mlp_0 = p' ++ q'                                p' [people, F], q' [items, F]
 *   mlp_l = relu(mlp_(l-1) W_l + b_l)               2F -> F -> F/2 -> ...
 *   score = (gmf ++ mlp_L) h
 * Trained with the cross entropy of sigmoid(score) against items drawn at random; both halves from random starts, without
 * the paper's pretraining. A score costs a pass through the perceptron for every pair, so ranking a whole catalogue
 * takes hundreds of times the arithmetic of an inner product.
 *
 * Meant for tastes and things that meet in ways that no product of two vectors has; in the table of docs/families.md no
 * better than the most popular items (.044), so that few pairs for each person do not teach it that. Knows nothing of new
 * items and, of new people, only what the takers of their items have in common.
 */

/** The perceptron's sizes, from its input on. @returns [2F, F, F/2, ...], `layers` + 1 numbers of at least 1 */
export function towerSizes({ factors, layers }: Pick<FamilyOptions, 'factors' | 'layers'>): number[] {
  return Array.from({ length: layers + 1 }, (_, l) => Math.max(1, Math.floor((2 * factors) / 2 ** l)))
}

/** Rows of the four tables in, the score out. All [..., F], the result [..., 1]. */
function score(
  { ops, parameter }: Scope,
  options: FamilyOptions,
  rows: { readonly gmf: Value; readonly mlp: Value },
): Value {
  const sizes = towerSizes(options)
  let x = rows.mlp
  for (let l = 1; l < sizes.length; l++) {
    const deviation = Math.sqrt(2 / (sizes[l - 1] + sizes[l]))
    const weight = parameter(`tower.${l}.weight`, [sizes[l - 1], sizes[l]], { deviation })
    x = ops.relu(linear(ops, x, weight, parameter(`tower.${l}.bias`, [sizes[l]], { fill: 0 })))
  }
  const joined = options.factors + sizes[sizes.length - 1]
  const last = parameter('last', [joined, 1], { deviation: 1 / Math.sqrt(joined) })
  return linear(ops, ops.concat([rows.gmf, x], 1), last)
}

const TABLES = ['gmf', 'mlp'] as const
const START_DEVIATION = 0.05

export function neumfModel(data: FamilyData, options: FamilyOptions, batch: number): TrainingModel {
  const { factors, negatives, regularization } = options
  const rounds = 1 + negatives
  return {
    name: 'neumf',
    loss: (scope) => {
      const { ops, parameter, batch: feed } = scope
      const deviation = START_DEVIATION
      const users = feed('people', 'int32', [batch])
      const items = feed('items', 'int32', [rounds * batch])
      const [gmf, mlp] = TABLES.map((name) => {
        const people = parameter(`${name}.people`, [data.people, factors], { deviation })
        const things = parameter(`${name}.items`, [data.items, factors], { deviation })
        return { p: ops.gatherRows(people, users), q: ops.gatherRows(things, items) }
      })
      // Each person's row serves all rounds.
      const everyRound = (p: Value) => ops.concat(Array<Value>(rounds).fill(p), 0)
      const scores = score(scope, options, {
        gmf: ops.mul(everyRound(gmf.p), gmf.q),
        mlp: ops.concat([everyRound(mlp.p), mlp.q], 1),
      })
      const fit = sigmoidCrossEntropy(
        ops,
        ops.reshape(scores, [rounds, batch]),
        takenOrNot(ops, batch, negatives),
      )
      const squares = [gmf.p, gmf.q, mlp.p, mlp.q].map((x) => squaredLength(ops, x))
      return ops.add(
        fit,
        ops.mul(
          squares.reduce((sum, one) => ops.add(sum, one)),
          regularization / batch,
        ),
      )
    },
  }
}

/** Scores one person at a time: [items, 2F] is what the perceptron then reads. */
async function neumfScorer(data: FamilyData, options: FamilyOptions, weights: Weights): Promise<Scorer> {
  const { people, items } = data
  const { factors } = options
  const forward = await Forward.open('neumf', (scope) => {
    const { ops, parameter, batch } = scope
    const [gmf, mlp] = TABLES.map((name) => ({
      p: ops.expand(batch(name, 'float32', [1, factors]), [items, factors]),
      q: parameter(`${name}.items`, [items, factors], { fill: 0 }),
    }))
    const rows = { gmf: ops.mul(gmf.p, gmf.q), mlp: ops.concat([mlp.p, mlp.q], 1) }
    return { scores: score(scope, options, rows) }
  })
  const vectorOf = Object.fromEntries(
    TABLES.map((name) => [name, ownOrTakers(data, matrix(people, factors, weights[`${name}.people`]))]),
  )
  return {
    name: 'neumf',
    itemCount: items,
    scores: async (asked) => {
      const result = matrix(asked.length, items)
      for (const [i, person] of asked.entries()) {
        const own = Object.fromEntries(TABLES.map((name) => [name, vectorOf[name](person)]))
        row(result, i).set((await forward.run(weights, own)).scores)
      }
      return result
    },
    close: () => forward.close(),
  }
}

/** A trained person's own row; for a stranger the mean over their items of the mean of those who took each. */
function ownOrTakers(data: FamilyData, people: ReturnType<typeof matrix>): (person: Person) => Float32Array {
  const known = knownPeople(data, data.people)
  const takers = matrix(data.items, people.dim)
  const counts = new Int32Array(data.items)
  for (const item of data.taken) counts[item]++
  for (const [i, user] of data.users.entries()) {
    const [from, to] = [row(people, user), row(takers, data.taken[i])]
    for (let d = 0; d < to.length; d++) to[d] += from[d] / counts[data.taken[i]]
  }
  return ({ user, items }) => {
    if (user !== undefined && known[user] === 1) return row(people, user)
    const mean = new Float32Array(people.dim)
    for (const item of items) {
      for (let d = 0; d < mean.length; d++) mean[d] += row(takers, item)[d] / items.length
    }
    return mean
  }
}

export const neumf: Family = {
  name: 'neumf',
  defaults: { factors: 32, negatives: 4, learningRate: 2e-3, blindEpochs: 20 },
  candidates: [[{ regularization: 1e-3 }, { regularization: 1e-2 }]],
  prepare: (data, options) => {
    const sampler = new PairSampler(data, options.batch, options.negatives)
    return {
      training: neumfModel(data, options, sampler.batch),
      batches: (pairs, source) => sampler.batches(pairs, source),
      scorer: (weights) => neumfScorer(data, options, weights),
    }
  },
}
