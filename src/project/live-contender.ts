import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { Adapter } from '../adapter/index.js'
import { readManifest } from '../artifact/index.js'
import { isTextrecError } from '../errors.js'
import type { Split } from '../evaluate/index.js'
import { adapterFolder, type LiveModel, modelFolder } from './serving-model.js'

/** Kind of the folder beside an adapter that says how it was trained. */
export const REPORT_KIND = 'training-report'

/** What a trained adapter has seen: enough to tell whether other validation rows are new to it. */
export interface Provenance {
  /** Moment of the validation split; null where it had no date. */
  readonly moment: number | null
  /** Time of the newest interaction that the adapter for use was trained on; null without dates. */
  readonly until: number | null
  /** Hash of who took what, and of what was held back. */
  readonly data: string
}

export function provenanceOf(split: Split): Provenance {
  const { table, heldOut, test } = split
  const hash = createHash('sha256').update(JSON.stringify([table.userIds, table.itemIds]))
  for (const column of [table.users, table.items, table.times]) {
    hash.update(new Uint8Array(column.buffer, column.byteOffset, column.byteLength))
  }
  for (const { user, targets } of test) hash.update(Int32Array.of(user, ...targets))
  const moment = heldOut.moment ?? null
  const until = moment === null ? null : table.times.reduce((newest, time) => Math.max(newest, time), 0)
  return { moment, until, data: hash.digest('hex') }
}

export function reportFolder(directory: string, id: string): string {
  return join(modelFolder(directory, id), 'report')
}

/** Holds the adapter that was trained without the validation rows of its own training. */
export function judgedFolder(directory: string, id: string): string {
  return join(modelFolder(directory, id), 'judged')
}

/**
 * The live adapter in a form that never saw the validation rows of `split`: the one for use if all of them are
 * newer than its data, or the one that was judged when it was trained if they are no older than those that it
 * was judged by. Undefined, with the reason, where neither holds.
 */
export async function unseenAdapter(
  directory: string,
  { id }: LiveModel,
  split: Split,
  threads: number,
): Promise<{ readonly adapter: Adapter } | { readonly adapter: undefined; readonly why: string }> {
  try {
    const { fields } = await readManifest(reportFolder(directory, id), REPORT_KIND, 'MODEL_INVALID')
    const { moment, until, data } = fields as unknown as Provenance
    const now = split.heldOut.moment
    const isNewer = now !== undefined && until !== null && now > until
    const isJudged = now !== undefined && moment !== null && now >= moment
    if (!isNewer && !isJudged && provenanceOf(split).data !== data) {
      return { adapter: undefined, why: 'What is live may have seen these validation rows: not compared.' }
    }
    const folder = isNewer ? adapterFolder(directory, id) : judgedFolder(directory, id)
    return { adapter: await Adapter.load(folder, { threads }) }
  } catch (error) {
    if (!isTextrecError(error) || error.code !== 'MODEL_INVALID') throw error
    return { adapter: undefined, why: `What is live cannot be read: ${error.fact}` }
  }
}
