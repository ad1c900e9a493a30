import { type Adapter, adapterScorer } from '../adapter/index.js'
import { collaborativeRecipe, fitCollaborative, fitScorer, fusedScorer } from '../collaborative/index.js'
import { TextrecError } from '../errors.js'
import {
  installedWordVectors,
  popularRecipe,
  randomRecipe,
  textMeanRecipe,
  textMeanScorer,
  textNeighboursRecipe,
  words,
} from '../evaluate/index.js'
import { meanOfWordVectors } from '../families/index.js'
import { nearest } from '../options.js'
import { type RankerRecipe, rankerOf } from '../ranking.js'
import type { Matrix } from '../types.js'
import { ADAPTER_MODELS, form } from './adapter-models.js'
import type { EvaluationInputs } from './evaluation-inputs.js'
import { FAMILY_MODELS, type MakeRecipe } from './family-models.js'
import { bestTrial, judgeFusions } from './fusion-choice.js'
import { FROZEN_DECAY } from './serving-model.js'
import { TEXT_MODELS } from './text-models.js'
import { TRANSFER_MODELS } from './transfer-models.js'

/** Every model that can be evaluated, by name. */
export const EVALUATION_MODELS = {
  random: () => randomRecipe(),
  popular: () => popularRecipe(),
  'item-knn': ({ threads }) => collaborativeRecipe('neighbours', { threads }),
  ease: ({ threads }) => collaborativeRecipe('ease', { threads }),
  'ease-recent': ({ threads }) => collaborativeRecipe('ease', { threads, recency: true }),
  ...FAMILY_MODELS,
  ...TEXT_MODELS,
  glove: (inputs) => {
    let means: Promise<Matrix[]> | undefined
    return textMeanRecipe('glove', async () => {
      means ??= meanOfWordVectors(installedWordVectors, [inputs.documents().documents], words)
      return (await means)[0]
    })
  },
  frozen: (inputs) => textMeanRecipe('frozen', (table) => inputs.vectors(table)),
  'frozen-knn': (inputs) => textNeighboursRecipe('frozen-knn', (table) => inputs.vectors(table)),
  ...ADAPTER_MODELS,
  ...TRANSFER_MODELS,
  fused: fusedRecipe,
  'fused-long': form('fused-long', 'sasrec-long', fusedRecipe),
} as const satisfies { readonly [name: string]: MakeRecipe }

export type EvaluationModel = keyof typeof EVALUATION_MODELS

/** @throws OPTION_INVALID for a name that is not in the table */
export function recipesFor(names: readonly string[], inputs: EvaluationInputs): RankerRecipe[] {
  return names.map((name) => {
    if (Object.hasOwn(EVALUATION_MODELS, name)) return EVALUATION_MODELS[name as EvaluationModel](inputs)
    const known = Object.keys(EVALUATION_MODELS)
    const near = nearest(name, known)
    throw new TextrecError(
      'OPTION_INVALID',
      `evaluate: there is no model '${name}'.`,
      `${near === undefined ? '' : `Did you mean '${near}'? `}Models are ${known.join(', ')}.`,
    )
  })
}

/**
 * Text and collaborative scores together. Validation chooses whether the text speaks through the adapter or as it
 * is, and the share of the collaborative scores; all or nothing is among the choices, so that it loses to none of
 * its parts but by chance.
 */
function fusedRecipe(inputs: EvaluationInputs): RankerRecipe {
  return {
    name: 'fused',
    fit: async (context) => {
      const { training, fitting, validation } = context
      const { itemIds } = training
      const { adapter, judged } = await inputs.adapters(context)
      const { scorer } = await fitCollaborative(context, 'auto', { threads: inputs.threads })
      const judging = await fitScorer(fitting, scorer.parameters, { threads: inputs.threads })
      const partsOf = async (trained: Adapter, texts: Matrix) => [
        await adapterScorer(trained, texts, itemIds),
        await textMeanScorer('frozen', texts, FROZEN_DECAY),
      ]
      const parts = await partsOf(judged, await inputs.vectors(fitting))
      const trials = await judgeFusions(parts, judging, validation, 'ndcg')
      for (const part of parts) await part.close?.()
      const { text, share } = bestTrial(trials)
      const finals = await partsOf(adapter, await inputs.vectors(training))
      const chosen = finals.find(({ name }) => name === text) as (typeof finals)[number]
      return {
        ...rankerOf(fusedScorer('fused', chosen, scorer, share)),
        close: async () => {
          for (const part of finals) await part.close?.()
        },
      }
    },
  }
}
