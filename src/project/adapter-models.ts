import { adapterScorer } from '../adapter/index.js'
import { type RankerRecipe, rankerOf } from '../ranking.js'
import { EvaluationInputs } from './evaluation-inputs.js'
import type { MakeRecipe } from './family-models.js'
import { TRAINABLE_MODELS, type TrainableModel } from './trainable-models.js'

/** What train() makes, as models to evaluate, by name: the adapter as it is asked for, and other forms of it. */
export const ADAPTER_MODELS = {
  adapter: adapterRecipe,
  'adapter-long': form('adapter-long', 'sasrec-long'),
  'two-tower': form('two-tower', 'two-tower'),
  'two-tower-text': form('two-tower-text', 'two-tower-text'),
} as const satisfies { readonly [name: string]: MakeRecipe }

function adapterRecipe(inputs: EvaluationInputs): RankerRecipe {
  return {
    name: 'adapter',
    fit: async (context) => {
      const { adapter } = await inputs.adapters(context)
      const texts = await inputs.vectors(context.training)
      return rankerOf(await adapterScorer(adapter, texts, context.training.itemIds))
    },
  }
}

/**
 * With an adapter of its own, beside the one that the other models of an evaluation share.
 * @param model what is trained @param make the recipe around it
 */
export function form(
  name: string,
  model: TrainableModel,
  make: (inputs: EvaluationInputs) => RankerRecipe = adapterRecipe,
): MakeRecipe {
  return ({ split, texts, textSpace, threads, training }) => ({
    name,
    fit: async (context) => {
      const settings = { ...training, ...TRAINABLE_MODELS[model] }
      const own = new EvaluationInputs(split, texts, textSpace, settings, threads)
      try {
        const ranker = await make(own).fit(context)
        const close = async () => {
          await ranker.close?.()
          await own.close()
        }
        return { ...ranker, name, close }
      } catch (error) {
        await own.close()
        throw error
      }
    },
  })
}
