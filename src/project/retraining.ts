import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Store } from '../store/index.js'
import { liveState } from './live-index.js'

const FORGOTTEN = 'forgotten'

/** How many people have been forgotten so far. What was trained at a smaller number may have learnt from them. */
export function forgottenCount(store: Store): number {
  return store.meta<number>(FORGOTTEN) ?? 0
}

/** True if what is served was trained when somebody was known who has been forgotten since. */
export function needsRetraining(store: Store): boolean {
  const model = liveState(store)?.model
  return model !== undefined && forgottenCount(store) > model.forgotten
}

/**
 * To be called with every person that is forgotten: from now on what is live is to be withdrawn before anything
 * is trained, and a training that is under way will not be published. Its checkpoint goes at once.
 * @returns needsRetraining
 */
export async function noteForgotten(store: Store): Promise<boolean> {
  store.setMeta(FORGOTTEN, forgottenCount(store) + 1)
  await removeUnfinishedTraining(store)
  return needsRetraining(store)
}

/** To be called when a training has ended with a decision: until then the next one goes on from what it left. */
export async function removeUnfinishedTraining(store: Store): Promise<void> {
  await rm(trainingFolder(store.directory), { recursive: true, force: true })
}

/** Where a training keeps what it needs to go on after a kill. */
export function trainingFolder(directory: string): string {
  return join(directory, 'training')
}
