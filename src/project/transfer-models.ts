import { type Adapter, adapterScorer } from '../adapter/index.js'
import { fusedScorer } from '../collaborative/index.js'
import { textMeanScorer } from '../evaluate/index.js'
import { type FamilyOptions, familyRecipe } from '../families/index.js'
import { matrix, row } from '../math/matrix.js'
import { type FitContext, type RankerRecipe, rankerOf, type Scorer } from '../ranking.js'
import type { Matrix } from '../types.js'
import { cautiousChoice } from './cautious-choice.js'
import { chooseDecay } from './decay-choice.js'
import type { EvaluationInputs } from './evaluation-inputs.js'
import type { MakeRecipe } from './family-models.js'
import { bestTrial, judgeFusions } from './fusion-choice.js'
import { openSources } from './transfer-sources.js'

/**
 * Transfer between domains: what was learnt on other catalogues, used on this one.
 * - transfer: as it is (zero-shot). Every item is new to those adapters, which know it by its text and by the items of
 *   their own catalogue that are near to it. Of several, the mean of their scores.
 * - transfer-guarded: frozen text of this catalogue, and so much of that as validation likes: nothing unless it helps
 *   beyond doubt.
 * - transfer-fused: the same beside an adapter that was trained here.
 * - transfer-tuned: trained further here from its weights, in its own whitening, with IDs beside them: `sasrec` that does
 *   not start from nothing. Of several, from the one that finds most on validation as it is.
 * - transfer-averaged: halfway between its weights and those.
 */
export const TRANSFER_MODELS = {
  transfer: (inputs) => asItIs(inputs),
  'transfer-guarded': (inputs) => beside('transfer-guarded', inputs, frozenText, { seedless: true }),
  'transfer-fused': (inputs) => beside('transfer-fused', inputs, ownAdapter),
  'transfer-tuned': tuned('transfer-tuned'),
  'transfer-averaged': tuned('transfer-averaged', { keep: 0.5 }),
} as const satisfies { readonly [name: string]: MakeRecipe }

/** Gentler than a training from nothing, which would forget the start in its first epoch. */
const TUNING_RATE = 5e-4

/** Makes the scorer of some texts. */
type Made = (texts: Matrix) => Promise<Scorer>

function asItIs(inputs: EvaluationInputs): RankerRecipe {
  return {
    name: 'transfer',
    seedless: true,
    fit: (context) =>
      withSources(inputs, async (adapters, close) => {
        const scorer = await zeroShot(adapters, context)(await inputs.vectors(context.training))
        return { ...rankerOf(scorer), close }
      }),
  }
}

/** What there is here: one that validation may judge, and one for use. */
type MakeOwn = (
  context: FitContext,
  inputs: EvaluationInputs,
) => Promise<{ readonly judged: Made; readonly final: Made }>

/** What there is here, and what was learnt elsewhere beside it, in a share that validation is sure of. */
function beside(
  name: string,
  inputs: EvaluationInputs,
  makeOwn: MakeOwn,
  also: { readonly seedless?: true } = {},
): RankerRecipe {
  return {
    name,
    ...also,
    fit: (context) =>
      withSources(inputs, async (adapters, close) => {
        const { training, fitting, validation, seed } = context
        const transfer = zeroShot(adapters, context)
        const all = new Uint8Array(training.itemIds.length).fill(1)
        const own = await makeOwn(context, inputs)
        const parts = async (text: Made, texts: Matrix) => ({
          text: await text(texts),
          other: { ...(await transfer(texts)), known: all },
        })
        const { text, other } = await parts(own.judged, await inputs.vectors(fitting))
        const trials = await judgeFusions([text], other, validation, 'ndcg')
        await text.close?.()
        const { share } = cautiousChoice(trials, trials[0], seed)
        const final = await parts(own.final, await inputs.vectors(training))
        return {
          ...rankerOf(fusedScorer(name, final.text, final.other, share)),
          close: async () => {
            await final.text.close?.()
            await close()
          },
        }
      }),
  }
}

const frozenText: MakeOwn = async ({ fitting, validation }, inputs) => {
  const decay = await chooseDecay(await inputs.vectors(fitting), validation)
  const made: Made = (texts) => textMeanScorer('frozen', texts, decay)
  return { judged: made, final: made }
}

const ownAdapter: MakeOwn = async (context, inputs) => {
  const { adapter, judged } = await inputs.adapters(context)
  const scorerOf =
    (trained: Adapter): Made =>
    (texts) =>
      adapterScorer(trained, texts, context.training.itemIds)
  return { judged: scorerOf(judged), final: scorerOf(adapter) }
}

/** The network of the source, its weights as a start. */
function tuned(name: string, settings: Partial<FamilyOptions> = {}): MakeRecipe {
  return (inputs) => ({
    name,
    fit: (context) =>
      withSources(inputs, async (adapters, close) => {
        const { shape, weights, whitening } = (await mostUseful(adapters, context, inputs)).parts.fitted
        await close()
        // Its IDs are of other items.
        const { 'item.ids': _, ...pretrained } = weights
        const { dim: factors, hidden, layers, heads, length } = shape
        const { threads, training } = inputs
        const sizes = { factors, hidden, layers, heads, length }
        return familyRecipe(shape.encoder === 'sasrec-long' ? 'sasrec-long' : 'sasrec', {
          name,
          options: { ...sizes, learningRate: TUNING_RATE, threads, epochs: training.epochs, ...settings },
          pretrained,
          vectors: (table) => inputs.whitened(table, whitening),
        }).fit(context)
      }),
  })
}

async function mostUseful(
  adapters: readonly Adapter[],
  context: FitContext,
  inputs: EvaluationInputs,
): Promise<Adapter> {
  if (adapters.length === 1) return adapters[0]
  const texts = await inputs.vectors(context.fitting)
  const scorers: Scorer[] = []
  for (const adapter of adapters) scorers.push(await zeroShot([adapter], context)(texts))
  const trials = await judgeFusions(scorers, undefined, context.validation, 'ndcg')
  return adapters[trials.indexOf(bestTrial(trials))]
}

/** Opens the sources, and closes them if what is made of them fails; otherwise that is left to `close`. */
async function withSources<T>(
  inputs: EvaluationInputs,
  make: (adapters: readonly Adapter[], close: () => Promise<void>) => Promise<T>,
): Promise<T> {
  const adapters = await openSources(inputs)
  const close = async () => {
    for (const adapter of adapters) await adapter.close()
  }
  try {
    return await make(adapters, close)
  } catch (error) {
    await close()
    throw error
  }
}

function zeroShot(adapters: readonly Adapter[], { training }: FitContext): Made {
  return async (texts) => {
    const scorers: Scorer[] = []
    for (const adapter of adapters) {
      const itemIds = asNew(training.itemIds)
      scorers.push(await adapterScorer(adapter, texts, itemIds, 'transfer', training.timeKind))
    }
    return meanOf(scorers)
  }
}

/** No id of this catalogue is one of another's, though they may be spelt alike. */
function asNew(itemIds: readonly string[]): string[] {
  return itemIds.map((id) => `\u0000${id}`)
}

/** [people, items] the mean of z-scores, person by person: adapters have scales of their own. */
function meanOf(scorers: readonly Scorer[]): Scorer {
  if (scorers.length === 1) return scorers[0]
  const { name, itemCount } = scorers[0]
  return {
    name,
    itemCount,
    scores: async (people) => {
      const sum = matrix(people.length, itemCount)
      for (const scorer of scorers) {
        const scores = await scorer.scores(people)
        for (let i = 0; i < people.length; i++) addStandardised(row(sum, i), row(scores, i))
      }
      return sum
    },
  }
}

function addStandardised(target: Float32Array, scores: Float32Array): void {
  const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length
  const variance = scores.reduce((sum, score) => sum + (score - mean) ** 2, 0) / scores.length
  const scale = variance > 0 ? 1 / Math.sqrt(variance) : 0
  for (let i = 0; i < scores.length; i++) target[i] += (scores[i] - mean) * scale
}
