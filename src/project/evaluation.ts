import { writeFile } from 'node:fs/promises'
import type { TrainOptions } from '../adapter/index.js'
import type { Encoder } from '../encode/index.js'
import { TextrecError } from '../errors.js'
import { type Comparison, compareRankers, comparisonPage, splitTable } from '../evaluate/index.js'
import {
  anything,
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
import { EvaluationInputs, recipesFor } from './evaluation-models.js'
import { KnownTexts } from './known-texts.js'
import { type LiveState, textSpaceOf } from './live-index.js'

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
  readonly seed: number
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
  seed: integer(1, 0, 2 ** 31),
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
 * model on the rest and ranks the whole catalogue for the people under test. Nothing in the project changes, but
 * for vectors of texts that had none.
 * @throws SPLIT_REFUSED, NOT_ENOUGH_DATA, LEAK_FOUND, OPTION_INVALID, DEPENDENCY_MISSING (glove), ABORTED
 */
export async function runEvaluation(
  { store, state, encoder, threads }: EvaluationSource,
  given: Partial<EvaluateOptions>,
): Promise<Comparison> {
  const options = resolveOptions('evaluate', EVALUATE, given)
  const { minRating, minItems, seed, k, baseline, signal, onProgress } = options
  const split = splitTable(store.interactions(), { split: splitName(options), minRating, minItems, seed })
  const { fingerprint } = state.encoder
  const textSpace = textSpaceOf(state)
  const source = { store, fingerprint, dim: state.model?.textDim ?? state.dim, encoder, signal, onProgress }
  const inputs = new EvaluationInputs(
    split,
    new KnownTexts(source, split.table),
    textSpace,
    options.training,
    threads,
  )
  try {
    const recipes = recipesFor(options.models, inputs).map(named)
    const vectors = await inputs.vectors(split.training)
    const comparison = await compareRankers(split, recipes, {
      k,
      seed,
      baseline,
      vectors,
      signal,
      onProgress,
    })
    if (options.report !== undefined) await writeFile(options.report, await comparisonPage(comparison))
    return comparison
  } finally {
    await inputs.close()
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
    name,
    fit: (context) => {
      const { onProgress } = context
      const report: OnProgress | undefined =
        onProgress && ((progress) => onProgress({ ...progress, stage: `${name}: ${progress.stage}` }))
      return recipe.fit({ ...context, onProgress: report })
    },
  }
}
