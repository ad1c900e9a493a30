import { existsSync } from 'node:fs'
import { Adapter } from '../adapter/index.js'
import { TextrecError } from '../errors.js'
import { Store } from '../store/index.js'
import { catalogPath } from '../store/open.js'
import type { InteractionTable } from '../types.js'
import type { EvaluationInputs } from './evaluation-inputs.js'
import { liveState } from './live-index.js'
import { adapterFolder } from './serving-model.js'

/**
 * The adapters that serve in other projects.
 * @throws OPTION_INVALID where none is named or one has no adapter, FINGERPRINT_MISMATCH for one of another encoder,
 *   LEAK_FOUND for one that has learnt from what is asked here
 */
export async function openSources(inputs: EvaluationInputs): Promise<Adapter[]> {
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
