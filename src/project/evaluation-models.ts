import {
  type Adapter,
  adapterScorer,
  fitWhitening,
  TRAIN_OPTIONS,
  type TrainOptions,
  trainAdapter,
  whiten,
} from '../adapter/index.js'
import { collaborativeRecipe, fitCollaborative, fitScorer, fusedScorer } from '../collaborative/index.js'
import { TextrecError } from '../errors.js'
import {
  bm25Recipe,
  bm25Search,
  bprRecipe,
  meanWordVectors,
  popularRecipe,
  randomRecipe,
  type Split,
  textMeanRecipe,
  textMeanScorer,
  textNeighboursRecipe,
  words,
} from '../evaluate/index.js'
import {
  type FamilyName,
  type FamilyOptions,
  familyRecipe,
  meanOfWordVectors,
  type StartVectors,
} from '../families/index.js'
import { nearest } from '../options.js'
import { type FitContext, type RankerRecipe, rankerOf } from '../ranking.js'
import type { InteractionTable, Matrix } from '../types.js'
import { bestTrial, judgeFusions } from './fusion-choice.js'
import type { KnownTexts } from './known-texts.js'
import { textsWithoutOwn } from './own-reviews.js'
import { FROZEN_DECAY } from './serving-model.js'
import { chooseDirections } from './whitening-choice.js'

/** What the models of one evaluation share: everything is made once, and only if a model asks for it. */
export class EvaluationInputs {
  private readonly made = new Map<InteractionTable, Promise<Matrix>>()
  private chosen: Promise<number> | undefined
  private trained: Promise<Adapter[]> | undefined
  private wordMeans: Promise<Matrix> | undefined

  constructor(
    readonly split: Split,
    readonly texts: KnownTexts,
    readonly textSpace: string,
    readonly training: Partial<TrainOptions>,
    readonly threads: number,
    readonly wordVectorFile?: string,
  ) {}

  /** [items, dim] text vectors from what is allowed while `table` (training or fitting) is what is known. */
  vectors(table: InteractionTable): Promise<Matrix> {
    const { split } = this
    const known =
      this.made.get(table) ??
      this.texts.vectors(table === split.training ? split.heldOut : split.heldOutWhileFitting)
    this.made.set(table, known)
    return known
  }

  /** [items, count] the same, whitened by the items that `table` knows. */
  async whitened(table: InteractionTable, count: number): Promise<Matrix> {
    const texts = await this.vectors(table)
    return whiten(fitWhitening(texts, Int32Array.from(new Set(table.items)), count), texts)
  }

  /** The words of each item and what to ask by, without what validation asks for: one search serves both steps. */
  documents(): { readonly documents: string[]; readonly queries: string[] } {
    return this.texts.documents(this.split.heldOutWhileFitting)
  }

  /** [items, dim] the mean of the word vectors of each item's words, in lower case, from the file of the caller. */
  async wordVectors(): Promise<Matrix> {
    const file = this.wordVectorFile
    if (file === undefined) {
      throw new TextrecError(
        'OPTION_INVALID',
        'evaluate: recommendernet-words needs a file of word vectors.',
        'Name one: --word-vectors FILE, or option wordVectors.',
      )
    }
    this.wordMeans ??= meanOfWordVectors(file, this.documents().documents, words)
    return this.wordMeans
  }

  /**
   * The adapter for use and the one that validation may judge. Both learn from the texts of the fitting step: the
   * reviews that validation holds out are in no vector that they are trained with.
   */
  async adapters(context: FitContext): Promise<{ readonly adapter: Adapter; readonly judged: Adapter }> {
    this.trained ??= this.train(context)
    const [adapter, judged] = await this.trained
    return { adapter, judged }
  }

  /** How many directions of whitened text validation prefers. */
  directions(fitting: InteractionTable, validation: FitContext['validation']): Promise<number> {
    this.chosen ??= this.vectors(fitting).then((texts) => chooseDirections(texts, fitting, validation))
    return this.chosen
  }

  /** Closes what was trained, so that the next seed trains anew; texts and what was chosen without a seed stay. */
  async close(): Promise<void> {
    const trained = await this.trained?.catch(() => [])
    this.trained = undefined
    for (const adapter of trained ?? []) await adapter.close()
  }

  private async train({ training, fitting, validation, seed, signal, onProgress }: FitContext) {
    const texts = await this.vectors(fitting)
    const { heldOutWhileFitting, table } = this.split
    const textsWithout = await textsWithoutOwn(this.texts, heldOutWhileFitting, table)
    const textDim = this.training.textDim ?? (await this.directions(fitting, validation))
    const { adapter, judged } = await trainAdapter(
      { texts, textsWithout, textSpace: this.textSpace, training, fitting, validation },
      { seed, threads: this.threads, ...this.training, textDim },
      { signal, onProgress },
    )
    return [adapter, judged]
  }
}

type MakeRecipe = (inputs: EvaluationInputs) => RankerRecipe

/** Every model that can be evaluated, by name. */
export const EVALUATION_MODELS = {
  random: () => randomRecipe(),
  popular: () => popularRecipe(),
  'item-knn': ({ threads }) => collaborativeRecipe('neighbours', { threads }),
  ease: ({ threads }) => collaborativeRecipe('ease', { threads }),
  bpr: ({ threads }) => bprRecipe({ threads }),
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
  'recommendernet-words': family('recommendernet', {
    called: 'recommendernet-words',
    vectors: (inputs) => () => inputs.wordVectors(),
  }),
  bm25: (inputs) => ({
    name: 'bm25',
    seedless: true,
    fit: (context) => {
      const { documents, queries } = inputs.documents()
      return bm25Recipe(bm25Search(documents), (item) => queries[item]).fit(context)
    },
  }),
  glove: (inputs) => {
    let words: Promise<Matrix> | undefined
    return textMeanRecipe('glove', () => {
      words ??= meanWordVectors(inputs.documents().documents)
      return words
    })
  },
  frozen: (inputs) => textMeanRecipe('frozen', (table) => inputs.vectors(table)),
  'frozen-knn': (inputs) => textNeighboursRecipe('frozen-knn', (table) => inputs.vectors(table)),
  whitened: (inputs) => ({
    name: 'whitened',
    seedless: true,
    fit: async (context) => {
      const count = await inputs.directions(context.fitting, context.validation)
      const recipe = textMeanRecipe('whitened', (table) => inputs.whitened(table, count))
      return recipe.fit(context)
    },
  }),
  adapter: adapterRecipe,
  fused: fusedRecipe,
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
      vectors: vectors?.(inputs) ?? ((table) => inputs.whitened(table, TRAIN_OPTIONS.textDim.default)),
    })
}

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
