import {
  adapterScorer,
  fitWhitening,
  TRAIN_OPTIONS,
  trainAdapter,
  whiten,
  withColdTexts,
} from '../../adapter/index.js'
import {
  type CollaborativeScorer,
  collaborativeRecipe,
  fitCollaborative,
  fitScorer,
} from '../../collaborative/index.js'
import { throwIfAborted } from '../../errors.js'
import { popularRecipe, textMeanRecipe } from '../../evaluate/index.js'
import {
  FAMILIES,
  FAMILY_OPTIONS,
  type FamilyName,
  type FamilyOptions,
  familyRecipe,
  type KnownVectors,
} from '../../families/index.js'
import { matrix, row } from '../../math/matrix.js'
import { bootstrapMean } from '../../math/statistics.js'
import type { FitContext, RankerRecipe, Scorer, TestCase } from '../../ranking.js'
import type { Device, InteractionTable, Matrix, Ranker } from '../../types.js'
import { bestTrial, judgeFusions } from '../fusion-choice.js'
import { TRAINABLE_MODELS, type TrainableModel } from '../trainable-models.js'
import { chooseDirections } from '../whitening-choice.js'
import type { Ground, TextGround } from './ground.js'
import { type Candidate, isTrainable } from './space.js'
import type { TuneRow } from './table.js'

export interface JudgeOptions {
  readonly seed: number
  readonly device: Device
  /** Threads of each candidate. */
  readonly threads: number
  /** Of a whole training; each model's own when absent. */
  readonly epochs: number | undefined
  /** Stops whatever is under way. */
  readonly signal: AbortSignal
  /** Called again and again while something is computed. */
  readonly onWork: () => void
}

type Figures = Pick<TuneRow, 'alone' | 'share' | 'ndcg' | 'low' | 'high' | 'coldRecall'>

/** What every comparison needs beside the candidates; not trained in passes. */
export const BASELINES = ['popular', 'item-knn', 'ease', 'frozen', 'whitened'] as const
export type Baseline = (typeof BASELINES)[number]

/** Trains candidates and baselines and judges them all alike; see Ground. */
export class TuneJudge {
  private readonly directions = new Map<string, Promise<number>>()

  private constructor(
    private readonly ground: Ground,
    private readonly collaborative: CollaborativeScorer,
    /** The same fitted without the hidden items. */
    private readonly collaborativeWithout: CollaborativeScorer,
    private readonly options: JudgeOptions,
  ) {}

  static async create(ground: Ground, options: JudgeOptions): Promise<TuneJudge> {
    const { threads, signal, seed, onWork: onProgress } = options
    const { fitting, choosing: validation, hidden } = ground
    const context = { training: fitting, fitting, validation, seed, signal, onProgress }
    const { scorer } = await fitCollaborative(context, 'auto', { threads })
    const without = await fitScorer(hidden.visible, scorer.parameters, { threads, signal })
    return new TuneJudge(ground, scorer, without, options)
  }

  /** How long a whole training of a model is, at most, times `share`. */
  epochsFor({ model }: Candidate, share: number): number {
    const { epochs = isTrainable(model) ? TRAIN_OPTIONS.epochs.default : epochsOf(model) } = this.options
    return Math.max(1, Math.round(epochs * share))
  }

  /** @param whole whether to ask for hidden items too where that takes a training of its own */
  candidate(candidate: Candidate, texts: TextGround, epochs: number, whole: boolean): Promise<Figures> {
    const { model } = candidate
    return isTrainable(model)
      ? this.adapter(model, candidate, texts, epochs)
      : this.family(model, candidate, texts, epochs, whole)
  }

  async baseline(name: Baseline, texts: TextGround): Promise<Figures> {
    const { threads } = this.options
    const recipes: { readonly [one in Baseline]: () => RankerRecipe } = {
      popular: popularRecipe,
      'item-knn': () => collaborativeRecipe('neighbours', { threads }),
      ease: () => collaborativeRecipe('ease', { threads }),
      frozen: () => textMeanRecipe('frozen', (table) => this.textsFor(texts, table)),
      whitened: () => textMeanRecipe('whitened', (table) => this.whitened(texts, table)),
    }
    return this.recipe(recipes[name](), name === 'frozen' || name === 'whitened')
  }

  private async adapter(
    model: TrainableModel,
    { settings }: Candidate,
    texts: TextGround,
    epochs: number,
  ): Promise<Figures> {
    const { fitting, choosing, hidden } = this.ground
    const { seed, device, threads, signal, onWork } = this.options
    const { textsWithout = undefined, ...vectors } = texts
    const trained = await trainAdapter(
      { ...vectors, textSpace: texts.space, textsWithout, training: fitting, fitting, validation: choosing },
      {
        textDim: await this.directionsOf(texts),
        ...TRAINABLE_MODELS[model],
        ...settings,
        ...{ seed, device, threads, epochs, refit: false },
      },
      { signal, onProgress: onWork },
    )
    try {
      const { itemIds } = fitting
      const figures = await this.overall(await adapterScorer(trained.judged, texts.texts, itemIds))
      // Where validation asks for new items only, these are what training has hidden: no figure beside the others then.
      if (!sameItems(trained.hidden.items, hidden.items)) return figures
      const seen = this.textsFor(texts, hidden.visible)
      return await this.withCold(figures, await adapterScorer(trained.hidden.adapter, seen, itemIds))
    } finally {
      await trained.judged.close()
      await trained.hidden.adapter.close()
    }
  }

  private family(
    model: FamilyName,
    { settings }: Candidate,
    texts: TextGround,
    epochs: number,
    whole: boolean,
  ): Promise<Figures> {
    const { device, threads } = this.options
    const recipe = familyRecipe(model, {
      // Named, so that the recipe does not try others of its own at every length of training.
      options: { ...standardSettings(model), ...settings, epochs, blindEpochs: epochs, device, threads },
      vectors: (table) => this.taught(texts, table),
    })
    return this.recipe(recipe, whole)
  }

  private async recipe(recipe: RankerRecipe, asksCold: boolean): Promise<Figures> {
    const { fitting, choosing, hidden } = this.ground
    const figures = await this.fitted(recipe, fitting, choosing, (scorer) => this.overall(scorer))
    if (!asksCold) return figures
    return this.fitted(recipe, hidden.visible, [], (scorer) => this.withCold(figures, scorer))
  }

  private async fitted<T>(
    recipe: RankerRecipe,
    table: InteractionTable,
    validation: readonly TestCase[],
    judge: (scorer: Scorer) => Promise<T>,
  ): Promise<T> {
    const { seed, signal, onWork: onProgress } = this.options
    const context: FitContext = { training: table, fitting: table, validation, seed, signal, onProgress }
    throwIfAborted(signal, 'The search')
    const ranker = await recipe.fit(context)
    try {
      return await judge(scorerOf(ranker))
    } finally {
      await ranker.close?.()
    }
  }

  /** The share is chosen by one half of the people, what it is worth is measured on the other. */
  private async overall(scorer: Scorer): Promise<Figures> {
    const { collaborative, ground, options } = this
    const onBatch = this.onBatch
    const trials = await judgeFusions([scorer], collaborative, ground.choosing, 'ndcg', { onBatch })
    const { share } = bestTrial(trials)
    const shares = [...new Set([0, share])]
    const judged = await judgeFusions([scorer], collaborative, ground.judging, 'ndcg', { onBatch, shares })
    const { perPerson, value } = judged[judged.length - 1]
    const { low, high } = bootstrapMean(perPerson, { seed: options.seed })
    return { alone: judged[0].value, share, ndcg: value, low, high }
  }

  private async withCold(figures: Figures, scorer: Scorer): Promise<Figures> {
    const { cases } = this.ground.hidden
    const [{ value }] = await judgeFusions([scorer], this.collaborativeWithout, cases, 'recall', {
      onBatch: this.onBatch,
      shares: [figures.share],
    })
    return { ...figures, coldRecall: value }
  }

  private readonly onBatch = (): void => {
    throwIfAborted(this.options.signal, 'The search')
    this.options.onWork()
  }

  /** What may be known while `table` is what is known: hidden items look as if nobody had taken them yet. */
  private textsFor({ texts, coldTexts }: TextGround, table: InteractionTable): Matrix {
    const { hidden } = this.ground
    return table === hidden.visible ? withColdTexts(texts, coldTexts, hidden.items) : texts
  }

  private async whitened(texts: TextGround, table: InteractionTable): Promise<Matrix> {
    return (await this.taught(texts, table)).vectors
  }

  /** Whitened texts, and each without what a part of the people wrote: what a family may learn from. */
  private async taught(texts: TextGround, table: InteractionTable): Promise<KnownVectors> {
    const known = this.textsFor(texts, table)
    const warm = Int32Array.from(new Set(table.items))
    const whitening = fitWhitening(known, warm, await this.directionsOf(texts))
    const without = texts.textsWithout?.map((some) => this.textsFor({ ...texts, texts: some }, table))
    return { vectors: whiten(whitening, known), without: without?.map((some) => whiten(whitening, some)) }
  }

  /** How many directions of whitened text the choosing half prefers. */
  private directionsOf({ encoder, texts }: TextGround): Promise<number> {
    const { fitting, choosing } = this.ground
    const known = this.directions.get(encoder) ?? chooseDirections(texts, fitting, choosing)
    this.directions.set(encoder, known)
    return known
  }
}

/** The scores behind rankings. What the ranker cannot rank comes last, beside the lowest of the others. */
function scorerOf(ranker: Ranker): Scorer {
  const { name, itemCount } = ranker
  return {
    name,
    itemCount,
    scores: async (people) => {
      const scores = matrix(people.length, itemCount)
      const rankings = await ranker.rank(people, { k: itemCount, excludeSeen: false })
      for (const [i, { items, scores: found }] of rankings.entries()) {
        const target = row(scores, i).fill(found.at(-1) ?? 0)
        for (let at = 0; at < items.length; at++) target[items[at]] = found[at]
      }
      return scores
    },
  }
}

function epochsOf(model: FamilyName): number {
  const { epochs = FAMILY_OPTIONS.epochs.default }: Partial<FamilyOptions> = FAMILIES[model].defaults
  return epochs
}

/** What a family takes of its own choices where it cannot choose: the first of each line. */
function standardSettings(model: FamilyName): Partial<FamilyOptions> {
  return Object.assign({}, ...FAMILIES[model].candidates.map(([first]) => first)) as Partial<FamilyOptions>
}

function sameItems(a: Int32Array, b: Int32Array): boolean {
  const known = new Set(a)
  return known.size === b.length && b.every((item) => known.has(item))
}
