import { existsSync, readdirSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { abandonedIn, removeTemporary } from '../artifact/index.js'
import type { Store } from '../store/index.js'
import { liveState } from './live-index.js'

/** Index folders that nothing points to: a new one has been published, or a killed process left them. */
export function unusedIndexes(store: Store): string[] {
  const folder = join(store.directory, 'indexes')
  if (!existsSync(folder)) return []
  const live = liveState(store)?.indexId
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.') && entry.name !== live)
    .map((entry) => join(folder, entry.name))
}

/** Folders of trained models that are not served: withdrawn, replaced, or left by a killed process. */
export function unusedModels(store: Store): string[] {
  const folder = join(store.directory, 'adapters')
  if (!existsSync(folder)) return []
  const live = liveState(store)?.model?.id
  return readdirSync(folder)
    .filter((name) => name !== live)
    .map((name) => join(folder, name))
}

/** Where folders are published ('tuning' in the project's own), and where a process that is killed leaves a hidden one. */
const PUBLISHED_IN = ['.', 'indexes', 'crowd', 'people', 'training']

/** Hidden folders of processes that were killed while they published. */
export async function abandoned({ directory }: Store): Promise<string[]> {
  const found = await Promise.all(PUBLISHED_IN.map((place) => abandonedIn(join(directory, place))))
  return found.flat()
}

/** Removes those; what was set aside and not replaced is put back. */
export async function removeAbandoned({ directory }: Store): Promise<void> {
  for (const place of PUBLISHED_IN) await removeTemporary(join(directory, place))
}

/**
 * Removes index folders that are no longer live and temporary ones of dead processes. Processes that still
 * serve an old index hold it in memory and lose nothing. Call with the 'index' lock held.
 */
export async function removeUnused(store: Store): Promise<string[]> {
  const unused = unusedIndexes(store)
  for (const folder of unused) await rm(folder, { recursive: true, force: true })
  const folder = join(store.directory, 'indexes')
  return existsSync(folder) ? [...unused, ...(await removeTemporary(folder))] : unused
}

/** Removes the models that are not served. Call with the 'train' lock held: a training puts its result there. */
export async function removeUnusedModels(store: Store): Promise<string[]> {
  const unused = unusedModels(store)
  for (const folder of unused) await rm(folder, { recursive: true, force: true })
  return unused
}
