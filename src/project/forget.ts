import { setTimeout as wait } from 'node:timers/promises'
import type { Encoder } from '../encode/index.js'
import { throwIfAborted } from '../errors.js'
import { resolveOptions } from '../options.js'
import type { ForgetCounts } from '../store/index.js'
import { INDEX, type LongOptions } from './defaults.js'
import { removeUnfinished } from './everyone.js'
import { runIndex } from './index-run.js'
import { textSpace } from './item-vectors.js'
import { liveState } from './live-index.js'
import type { OpenedProject } from './opened-project.js'
import { scrubRejects } from './reject-files.js'
import { needsRetraining, noteForgotten } from './retraining.js'
import { dropSuperseded } from './superseded.js'

export interface ForgetReport extends Omit<ForgetCounts, 'users' | 'items'> {
  /** Whether the catalogue knew the person. */
  readonly found: boolean
  /** Items whose vectors held something of the person's words, and were made anew without them. */
  readonly itemsUpdated: number
  /** Lines of reject files from which received values were taken out: they cannot be told apart by person. */
  readonly rejectLines: number
  /** True if something trained on interactions or reviews of theirs still serves: run train() again. */
  readonly retrain: boolean
}

/** True in the catalogue from before a person is deleted until what was made from their words is made anew. */
const UNFINISHED = 'forgettingUnfinished'

/**
 * See Recommender.forget. Until the deletion, which is one transaction, a stop changes nothing; after it the
 * person is gone, and the next call, for anybody, makes anew what a stop or a kill has left.
 */
export async function forgetPerson(
  project: OpenedProject,
  user: string,
  long: LongOptions,
): Promise<ForgetReport> {
  const { store } = project
  const live = liveState(store)
  const key = store.userKey(user)
  const unfinished = store.meta<boolean>(UNFINISHED) === true
  const touched = new Set(key === undefined ? [] : store.reviewsBy(key).map(({ itemKey }) => itemKey))
  // Opened before anything is deleted: without it the items could not be brought up to date.
  const encoder =
    live !== undefined && (touched.size > 0 || unfinished) ? await project.encoderOf(live, long) : undefined
  throwIfAborted(long.signal, 'Forgetting')
  if (key !== undefined) store.setMeta(UNFINISHED, true)
  await project.recommending.forgetPeople()
  const tell = (done: number) =>
    long.onProgress?.({ stage: 'delete', done, total: DELETING_STEPS, unit: 'steps' })
  tell(0)
  const rejectLines = await scrubRejects(store, user)
  await removeUnfinished(store)
  tell(1)
  // Wordings from before an edit, and of removed items, are nobody's by now: whose they were cannot be told.
  dropSuperseded(store)
  const { users, items, ...counts } = store.forgetUser(user)
  await wait(OTHERS_LOOK_EVERY)
  tell(2)
  const retrain = users > 0 ? await noteForgotten(store) : needsRetraining(store)
  tell(DELETING_STEPS)
  let itemsUpdated = 0
  if (encoder !== undefined) {
    itemsUpdated = store.staleItems(textSpace(encoder)).filter((item) => touched.has(item)).length
    await rebuild(project, encoder, long)
  }
  if (live !== undefined && (users > 0 || unfinished)) {
    await project.recommending.crowd.rebuild(undefined, long)
    await project.recommending.keepPeople(long)
  }
  store.setMeta(UNFINISHED, undefined)
  return { found: users > 0, ...counts, rejectLines, itemsUpdated, retrain }
}

/** Reject files, the catalogue, what was trained. */
const DELETING_STEPS = 3

/**
 * Milliseconds between two looks of a process that waits to write (SQLite's busy handler): whoever forgets many people
 * one after the other would otherwise keep all others waiting until they give up.
 */
const OTHERS_LOOK_EVERY = 110

async function rebuild(project: OpenedProject, encoder: Encoder, long: LongOptions): Promise<void> {
  await project.live.close()
  await runIndex(project.store, encoder, { ...resolveOptions('index', INDEX), ...long, rebuild: true })
}
