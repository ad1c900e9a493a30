import { TRAIN_OPTIONS } from '../adapter/index.js'
import { type FamilyName, type FamilyOptions, familyRecipe, type StartVectors } from '../families/index.js'
import type { RankerRecipe } from '../ranking.js'
import type { EvaluationInputs } from './evaluation-inputs.js'

export type MakeRecipe = (inputs: EvaluationInputs) => RankerRecipe

/** The families of src/families as models to evaluate, by name. */
export const FAMILY_MODELS = {
  bpr: family('bpr'),
  'mf-warp': family('mf-warp'),
  'mf-softmax': family('mf-softmax'),
  lightgcn: family('lightgcn'),
  'lightgcn-text': family('lightgcn-text'),
  'lightgcn-flow': family('lightgcn-flow'),
  neumf: family('neumf'),
  recommendernet: family('recommendernet'),
  'recommendernet-frozen': family('recommendernet', {
    called: 'recommendernet-frozen',
    options: { start: 'frozen' },
  }),
  'recommendernet-random': family('recommendernet', {
    called: 'recommendernet-random',
    options: { start: 'random' },
  }),
  sasrec: family('sasrec'),
  'sasrec-text': family('sasrec', { called: 'sasrec-text', options: { inputs: 'text' } }),
  'sasrec-id': family('sasrec', { called: 'sasrec-id', options: { inputs: 'ids' } }),
  'sasrec-long': family('sasrec-long'),
  gru: family('gru'),
  maml: family('maml'),
  convmf: family('convmf'),
  'gru-text': family('gru-text'),
  'recommendernet-words': family('recommendernet', {
    called: 'recommendernet-words',
    vectors: (inputs) => () => inputs.wordVectors('recommendernet-words'),
  }),
} as const satisfies { readonly [name: string]: MakeRecipe }

interface FamilySettings {
  /** The model's name where it is not the family's. */
  readonly called?: string
  readonly options?: Partial<FamilyOptions>
  /** What it starts from; whitened text when absent. */
  readonly vectors?: (inputs: EvaluationInputs) => StartVectors
}

/** A family of src/families. */
function family(name: FamilyName, { called, options, vectors }: FamilySettings = {}): MakeRecipe {
  return (inputs) =>
    familyRecipe(name, {
      name: called,
      options: { threads: inputs.threads, epochs: inputs.training.epochs, ...options },
      words: (length) => inputs.wordTexts(called ?? name, length),
      vectors: vectors?.(inputs) ?? ((table) => inputs.taught(table, TRAIN_OPTIONS.textDim.default)),
    })
}
