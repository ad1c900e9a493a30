import { existsSync } from 'node:fs'
import { Adapter, adapterScorer } from '../adapter/index.js'
import { fusedScorer } from '../collaborative/index.js'
import { TextrecError } from '../errors.js'
import { textMeanScorer } from '../evaluate/index.js'
import { matrix, row } from '../math/matrix.js'
import { type FitContext, type RankerRecipe, rankerOf, type Scorer } from '../ranking.js'
import { Store } from '../store/index.js'
import { catalogPath } from '../store/open.js'
import type { InteractionTable, Matrix } from '../types.js'
import { chooseDecay } from './decay-choice.js'
import type { EvaluationInputs } from './evaluation-inputs.js'
import type { MakeRecipe } from './family-models.js'
import { bestTrial, judgeFusions } from './fusion-choice.js'
import { liveState } from './live-index.js'
import { adapterFolder } from './serving-model.js'

/**
 * Transfer between domains: what was learnt on other catalogues, used on this one as it is. Every item is new to those
 * adapters, which know it by its text and by the items of their own catalogue that are near to it.
 * - transfer: their scores alone, the mean of them where there are several (zero-shot).
 * - transfer-guarded: frozen text of this catalogue, and so much of them as validation likes; none where they hurt.
 */
export const TRANSFER_MODELS = {
  transfer: (inputs) => transferRecipe('transfer', inputs, async (transfer) => transfer),
  'transfer-guarded': (inputs) => transferRecipe('transfer-guarded', inputs, guarded),
} as const satisfies { readonly [name: string]: MakeRecipe }

/** Makes the scorer of some texts, alone or with others beside it. */
type Made = (texts: Matrix) => Promise<Scorer>

function transferRecipe(
  name: string,
  inputs: EvaluationInputs,
  combine: (transfer: Made, context: FitContext, inputs: EvaluationInputs) => Promise<Made>,
): RankerRecipe {
  return {
    name,
    seedless: true,
    fit: async (context) => {
      const adapters = await openSources(inputs)
      const close = async () => {
        for (const adapter of adapters) await adapter.close()
      }
      try {
        const { itemIds } = context.training
        const transfer: Made = async (texts) => {
          const scorers: Scorer[] = []
          for (const adapter of adapters) scorers.push(await adapterScorer(adapter, texts, asNew(itemIds)))
          return meanOf(name, scorers)
        }
        const made = await combine(transfer, context, inputs)
        const scorer = await made(await inputs.vectors(context.training))
        return { ...rankerOf(scorer), name, close }
      } catch (error) {
        await close()
        throw error
      }
    },
  }
}

/** Text as well as it can be without transfer, and transfer beside it, in shares that validation chooses. */
async function guarded(transfer: Made, context: FitContext, inputs: EvaluationInputs): Promise<Made> {
  const { fitting, training, validation } = context
  const all = new Uint8Array(training.itemIds.length).fill(1)
  const known = await inputs.vectors(fitting)
  const decay = await chooseDecay(known, validation)
  const parts = async (texts: Matrix) => ({
    text: await textMeanScorer('frozen', texts, decay),
    other: { ...(await transfer(texts)), known: all },
  })
  const { text, other } = await parts(known)
  const { share } = bestTrial(await judgeFusions([text], other, validation, 'ndcg'))
  await text.close?.()
  return async (texts) => {
    const final = await parts(texts)
    return fusedScorer('transfer-guarded', final.text, final.other, share)
  }
}

/** No id of this catalogue is one of another's, though they may be spelt alike. */
function asNew(itemIds: readonly string[]): string[] {
  return itemIds.map((id) => `\u0000${id}`)
}

/** [people, items] the mean of z-scores, person by person: adapters have scales of their own. */
function meanOf(name: string, scorers: readonly Scorer[]): Scorer {
  if (scorers.length === 1) return scorers[0]
  const { itemCount } = scorers[0]
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

/**
 * The adapters that serve in other projects.
 * @throws OPTION_INVALID where none is named or one has no adapter, FINGERPRINT_MISMATCH for one of another encoder,
 *   LEAK_FOUND for one that has learnt from what is asked here
 */
async function openSources(inputs: EvaluationInputs): Promise<Adapter[]> {
  const { split, textSpace, threads, transferFrom } = inputs
  if (transferFrom.length === 0) {
    throw new TextrecError(
      'OPTION_INVALID',
      'evaluate: transfer needs a project to transfer from.',
      'Name one or more that were trained: --transfer-from FOLDER, or option transferFrom.',
    )
  }
  const folders = transferFrom.map((directory) => sourceFolder(directory, textSpace, split.table))
  const adapters: Adapter[] = []
  for (const folder of folders) adapters.push(await Adapter.load(folder, { threads }))
  return adapters
}

/** Where the adapter of another project is. */
function sourceFolder(directory: string, textSpace: string, table: InteractionTable): string {
  if (!existsSync(catalogPath(directory))) {
    throw new TextrecError(
      'PROJECT_MISSING',
      `There is no textrec project in ${directory}.`,
      'Check option transferFrom.',
    )
  }
  const store = Store.open(directory)
  try {
    const model = liveState(store)?.model
    if (model?.adapter === undefined) {
      throw new TextrecError(
        'OPTION_INVALID',
        `No adapter is published in ${directory}.`,
        "Run 'textrec train' there first.",
      )
    }
    if (model.textSpace !== textSpace) {
      throw new TextrecError(
        'FINGERPRINT_MISMATCH',
        `The adapter in ${directory} was trained on vectors of ${model.textSpace}, this project has ${textSpace}.`,
        'Index both with the same encoder and number format, and train again.',
      )
    }
    requireOtherPeople(directory, store.interactions(), table)
    return adapterFolder(store.directory, model.id)
  } finally {
    store.close()
  }
}

/** Whoever took the same things in both has taught that adapter what is to be found here. */
function requireOtherPeople(directory: string, other: InteractionTable, own: InteractionTable): void {
  const pairsOf = ({ items, itemIds, userIds, users }: InteractionTable) =>
    Array.from(users, (user, row) => JSON.stringify([userIds[user], itemIds[items[row]]]))
  const theirs = new Set(pairsOf(other))
  const shared = pairsOf(own).filter((pair) => theirs.has(pair)).length
  if (shared === 0) return
  throw new TextrecError(
    'LEAK_FOUND',
    `${directory} knows ${shared} of the interactions of this project: its adapter may have seen what is asked here.`,
    'Transfer from a catalogue of other people.',
  )
}
