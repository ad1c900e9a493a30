import { Recommender } from '../../src/index.js'
import { liveState } from '../../src/project/live-index.js'
import { Store } from '../../src/store/index.js'
import { runStage } from './children.js'
import type { Stage, StageCall } from './stages.js'
import { isIndexNewest } from './state.js'

/**
 * Whether a training or a compaction has come to its end, the moment at which what it made is live: the next one would
 * be another. What a process leaves that is killed or fails while it tidies up after that is for the doctor.
 */
export function isPublished(stage: Stage, folder: string): boolean {
  if (stage !== 'train' && stage !== 'compact') return false
  const store = Store.open(folder)
  try {
    return stage === 'compact' ? isIndexNewest(store) : liveState(store)?.model?.adapter !== undefined
  } finally {
    store.close()
  }
}

export async function repair(folder: string): Promise<void> {
  const shop = await Recommender.open(folder, { threads: 1, create: false })
  try {
    await shop.doctor({ repair: true })
  } finally {
    await shop.close()
  }
}

/** Does what is left to do of a disturbed stage. @returns why it could not */
export async function goOn(call: StageCall): Promise<string | undefined> {
  if (isPublished(call.stage, call.folder)) {
    await repair(call.folder)
    return undefined
  }
  const { finished, failed, ended } = await runStage(call)
  return finished ? undefined : (failed?.fact ?? `${ended.signal ?? ended.code}: ${ended.stderr.slice(-300)}`)
}
