import { type TrainOptions, withEncoderDefaults } from '../adapter/index.js'
import { TextrecError } from '../errors.js'

/**
 * Every model that train() fits and serves, by the name that it has in the field, as settings of the adapter. All of
 * them share items (a perceptron over whitened text, with or without an ID embedding beside it) and loss; they
 * differ in how a history becomes a person.
 * - sasrec: a causal self-attention over the order of events (Kang & McAuley 2018, arXiv:1808.09781).
 * - sasrec-long: the same over 200 events, which feels how far apart in time they are (after TiSASRec, Li, Wang & McAuley
 *   2020, WSDM).
 * - gru: a gated recurrent network over the same (Hidasi et al. 2016, arXiv:1511.06939).
 * - two-tower: a mean of the events by recency, so that only the item tower learns (Yi et al. 2019, RecSys).
 * - ...-text: the same without IDs. An item is what is written about it, and new ones are like all others.
 */
export const TRAINABLE_MODELS = {
  sasrec: { encoder: 'sasrec', ids: 'on' },
  'sasrec-text': { encoder: 'sasrec', ids: 'off' },
  'sasrec-long': { encoder: 'sasrec-long', ids: 'on' },
  gru: { encoder: 'gru', ids: 'on' },
  'two-tower': { encoder: 'mean', ids: 'on' },
  'two-tower-text': { encoder: 'mean', ids: 'off' },
} as const satisfies { readonly [name: string]: Partial<TrainOptions> }

export type TrainableModel = keyof typeof TRAINABLE_MODELS

export const TRAINABLE_NAMES = Object.keys(TRAINABLE_MODELS) as TrainableModel[]

type Decided = Pick<TrainOptions, 'encoder' | 'ids'>
type WithModel = Pick<TrainOptions, 'encoder' | 'ids' | 'length' | 'rows'> & {
  readonly model: TrainableModel | undefined
}

/**
 * `options` with what their model decides, and with the defaults of its encoder.
 * @param given what the caller wrote
 * @throws OPTION_INVALID for a model together with an option that it decides
 */
export function withModel<O extends WithModel>(options: O, given: Partial<O>): O {
  const { model } = options
  if (model === undefined) return withEncoderDefaults(options, given)
  const decided: Partial<TrainOptions> = TRAINABLE_MODELS[model]
  const twice = Object.keys(decided).find((name) => given[name as keyof O] !== undefined)
  if (twice === undefined) return withEncoderDefaults({ ...options, ...decided }, given)
  throw new TextrecError(
    'OPTION_INVALID',
    `train: model '${model}' and option '${twice}' are both given, and the model decides it.`,
    'Give one of them.',
  )
}

/** The name of what was trained. @param ids whether it has ID embeddings */
export function modelName(encoder: TrainOptions['encoder'], ids: boolean): TrainableModel | undefined {
  return TRAINABLE_NAMES.find((name) => {
    const model: Decided = TRAINABLE_MODELS[name]
    return model.encoder === encoder && model.ids === (ids ? 'on' : 'off')
  })
}
