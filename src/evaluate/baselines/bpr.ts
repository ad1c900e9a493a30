import { TextrecError } from '../../errors.js'
import { addScaled, dot, matrix, row } from '../../math/matrix.js'
import { WorkerClient } from '../../onnx/worker-client.js'
import { type FitContext, meanNdcg, type RankerRecipe, rankerOf, type Scorer } from '../../ranking.js'
import type { InteractionTable, Matrix } from '../../types.js'
import type { BprFactors, BprRequest } from './bpr-worker.js'

const BATCH = 1024
/** Tried one after the other from STANDARD on: each line at what did best so far. */
const REGULARIZATIONS = [0.001, 0.003, 0.01, 0.03, 0.1] as const
const FACTORS = [32, 64, 128, 256] as const
const RATES = [0.002, 0.005, 0.01] as const
/** Passes over the pairs; a small table gets at least LEAST_STEPS steps a pass. */
const EPOCHS = [5, 10, 20, 40, 80, 160] as const
const LEAST_STEPS = 12
/** Where the search starts, and what is taken where validation cannot choose. */
const STANDARD: BprParameters = { factors: 64, regularization: 0.03, rate: 0.005, epochs: 40 }

interface BprParameters {
  /** Numbers per person and item. */
  readonly factors: number
  readonly regularization: number
  /** Learning rate. */
  readonly rate: number
  readonly epochs: number
}

/**
 * BPR matrix factorization, trained as a graph in a worker thread. Regularization, factors, learning rate and the
 * number of epochs are chosen on validation. Someone who is not in the training table is represented by the mean of the item
 * factors of their history, scaled to the length of an average person.
 */
export function bprRecipe(options: { readonly threads?: number } = {}): RankerRecipe {
  const name = 'bpr'
  return {
    name,
    fit: async (context) => {
      const worker = new WorkerClient(new URL('./bpr-worker.js', import.meta.url), 'The baseline bpr')
      const train: Train = (table, parameters, epochs) => {
        const request = requestFor(table, parameters, epochs, context.seed, options.threads ?? 0)
        const { signal } = context
        return worker.call<BprRequest, BprFactors[]>('train', request, { signal })
      }
      try {
        const best = await choose(context, train)
        const [factors] = await train(context.training, best, [best.epochs])
        return rankerOf(factorScorer(name, factors, context.training))
      } finally {
        await worker.close()
      }
    },
  }
}

/** Factors after each of some numbers of epochs. */
type Train = (
  table: InteractionTable,
  parameters: BprParameters,
  epochs: readonly number[],
) => Promise<BprFactors[]>

async function choose(context: FitContext, train: Train): Promise<BprParameters> {
  const { fitting, validation, onProgress } = context
  if (validation.length === 0) return STANDARD
  const lines: readonly ((best: BprParameters) => BprParameters[])[] = [
    (best) => REGULARIZATIONS.map((regularization) => ({ ...best, regularization })),
    (best) => FACTORS.filter((factors) => factors !== best.factors).map((factors) => ({ ...best, factors })),
    (best) => RATES.filter((rate) => rate !== best.rate).map((rate) => ({ ...best, rate })),
  ]
  const total = REGULARIZATIONS.length + FACTORS.length + RATES.length - 2
  let best: BprParameters & { readonly ndcg: number } = { ...STANDARD, ndcg: Number.NEGATIVE_INFINITY }
  let done = 0
  for (const line of lines) {
    for (const parameters of line(best)) {
      onProgress?.({ stage: 'parameters', done: done++, total, unit: 'trainings' })
      for (const [i, factors] of (await train(fitting, parameters, EPOCHS)).entries()) {
        const ndcg = await meanNdcg(rankerOf(factorScorer('bpr', factors, fitting)), validation, 10)
        if (ndcg > best.ndcg) best = { ...parameters, epochs: EPOCHS[i], ndcg }
      }
    }
  }
  return best
}

function requestFor(
  table: InteractionTable,
  { factors, regularization, rate }: BprParameters,
  epochs: readonly number[],
  seed: number,
  threads: number,
): BprRequest {
  if (table.users.length === 0) {
    throw new TextrecError(
      'NOT_ENOUGH_DATA',
      'There are no interactions to learn from.',
      'Import interactions or rated reviews.',
    )
  }
  const batch = Math.min(BATCH, table.users.length)
  const stepsPerEpoch = Math.max(LEAST_STEPS, Math.round(table.users.length / batch))
  return {
    people: table.userIds.length,
    items: table.itemIds.length,
    users: table.users,
    taken: table.items,
    factors,
    regularization,
    rate,
    snapshots: epochs.map((count) => count * stepsPerEpoch),
    batch,
    seed,
    threads,
  }
}

function factorScorer(name: string, factors: BprFactors, table: InteractionTable): Scorer {
  const itemCount = table.itemIds.length
  const dim = factors.bias.length === 0 ? 0 : factors.items.length / factors.bias.length
  const people = matrix(table.userIds.length, dim, factors.people)
  const items = matrix(itemCount, dim, factors.items)
  const isKnown = new Uint8Array(table.userIds.length)
  for (const user of table.users) isKnown[user] = 1
  const usual = usualLength(people, isKnown)
  return {
    name,
    itemCount,
    scores: async (asked) => {
      const scores = matrix(asked.length, itemCount)
      asked.forEach(({ user, items: history }, i) => {
        const isTrained = user !== undefined && isKnown[user] === 1
        const vector = isTrained ? row(people, user) : standIn(items, history, usual)
        const target = row(scores, i)
        for (let j = 0; j < itemCount; j++) target[j] = dot(vector, row(items, j)) + factors.bias[j]
      })
      return scores
    },
  }
}

function standIn(items: Matrix, history: Int32Array, usual: number): Float32Array {
  const mean = new Float32Array(items.dim)
  for (const item of history) addScaled(mean, row(items, item), 1)
  const length = Math.sqrt(dot(mean, mean))
  return length === 0 ? mean : mean.map((value) => (value * usual) / length)
}

/** The root mean square length of the trained people. */
function usualLength(people: Matrix, isKnown: Uint8Array): number {
  let squares = 0
  let count = 0
  for (let u = 0; u < people.rows; u++) {
    if (isKnown[u] === 0) continue
    squares += dot(row(people, u), row(people, u))
    count++
  }
  return Math.sqrt(squares / Math.max(1, count))
}
