import { existsSync, realpathSync } from 'node:fs'
import { rm, stat } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, relative, sep } from 'node:path'
import { ADAPTER_KIND } from '../adapter/index.js'
import { copyFolder, publishNew, syncPath } from '../artifact/index.js'
import { isTextrecError, TextrecError, throwIfAborted } from '../errors.js'
import { show } from '../options.js'
import { CROWD_KIND, crowdFolder } from '../recommend/crowd-files.js'
import { Store, type StoreCounts } from '../store/index.js'
import { absolutePath } from '../store/open.js'
import { INDEX_KIND } from '../vector-index/index.js'
import type { ExportOptions } from './defaults.js'
import { judgedFolder, REPORT_KIND, reportFolder } from './live-contender.js'
import { indexFolder, isSameLive, LIVE, type LiveState, liveState } from './live-index.js'
import { dropRejectFiles } from './reject-files.js'
import { adapterFolder } from './serving-model.js'

export interface ExportReport extends StoreCounts {
  /** The folder that was made, absolute. */
  readonly out: string
  /** Size of the copied catalogue. */
  readonly catalogBytes: number
  /** Folder name of the index that came along; absent where nothing has been indexed. */
  readonly indexId?: string
  /** What training had published; absent where nothing has been trained. */
  readonly modelId?: string
}

/** How often what is live may be replaced while it is being copied, before the export gives up. */
const ATTEMPTS = 20

/** See Recommender.export. */
export async function exportProject(store: Store, options: ExportOptions): Promise<ExportReport> {
  const out = requireTarget(store.directory, options.out)
  if (options.check) await store.requireSound()
  return publishNew(out, async (folder) => {
    const live = await copyState(store, folder, options)
    const catalog = join(folder, 'catalog.db')
    const counts = await finish(folder, options)
    await syncPath(catalog)
    return {
      out,
      ...counts,
      catalogBytes: (await stat(catalog)).size,
      ...(live === undefined ? {} : { indexId: live.indexId }),
      ...(live?.model === undefined ? {} : { modelId: live.model.id }),
    }
  }).catch((cause) => {
    throw nameRefused(cause, options.out)
  })
}

/** What a system says of a name that cannot be, or of a place where one may not write, for the caller. */
function nameRefused(cause: unknown, out: string): unknown {
  const { code = '' } = cause as NodeJS.ErrnoException
  if (!['ENAMETOOLONG', 'ERR_INVALID_ARG_VALUE', 'EACCES', 'EPERM'].includes(code)) return cause
  const fact = `${show(out)} cannot be made (${code}).`
  return new TextrecError('OPTION_INVALID', fact, 'Name a folder where you may write.', { cause })
}

/** @throws OPTION_INVALID for no name, or one inside the project: it would be part of the next export. */
function requireTarget(directory: string, out: string): string {
  if (out === '') {
    throw new TextrecError('OPTION_INVALID', 'export: option out is missing.', 'Name the folder to make.')
  }
  const target = absolutePath(out)
  const inside = relative(realpathSync(directory), realPath(target))
  if (isAbsolute(inside) || inside === '..' || inside.startsWith(`..${sep}`)) return target
  throw new TextrecError(
    'OPTION_INVALID',
    `${out} lies inside the project.`,
    'Choose a folder beside it, best on another disk.',
  )
}

/** With the links of the part that exists followed. */
function realPath(path: string): string {
  if (existsSync(path)) return realpathSync(path)
  const parent = dirname(path)
  return parent === path ? path : join(realPath(parent), basename(path))
}

/**
 * Copies the catalogue, and what it points to, as they are at one moment. Whoever publishes a new index removes
 * the old one: where that happens while it is being copied, all of it starts again.
 */
async function copyState(
  store: Store,
  folder: string,
  { signal, onProgress }: ExportOptions,
): Promise<LiveState | undefined> {
  for (let attempt = 1; ; attempt++) {
    let live: LiveState | undefined
    try {
      await store.backup(join(folder, 'catalog.db'), {
        signal,
        onProgress,
        whileHeld: async (meta) => {
          live = meta<LiveState>(LIVE)
          onProgress?.({ stage: 'copying the index', done: 0, total: 1, unit: 'folders' })
          if (live !== undefined) await copyLive(store.directory, folder, live)
          await copyCrowd(store.directory, folder)
        },
      })
      return live
    } catch (error) {
      if (!isTextrecError(error) || isSameLive(live, liveState(store))) throw error
      if (attempt === ATTEMPTS) throw replacedTooOften(error)
    }
    throwIfAborted(signal, 'The export')
    for (const name of ['indexes', 'adapters', 'crowd']) {
      await rm(join(folder, name), { recursive: true, force: true })
    }
  }
}

/** The live index and the trained model, each file compared with its manifest. */
async function copyLive(from: string, to: string, { indexId, model }: LiveState): Promise<void> {
  await copyFolder(indexFolder(from, indexId), indexFolder(to, indexId), INDEX_KIND, 'INDEX_DAMAGED')
  if (model === undefined) return
  await copyFolder(reportFolder(from, model.id), reportFolder(to, model.id), REPORT_KIND, 'MODEL_INVALID')
  if (model.adapter === undefined) return
  for (const folderOf of [adapterFolder, judgedFolder]) {
    await copyFolder(folderOf(from, model.id), folderOf(to, model.id), ADAPTER_KIND, 'MODEL_INVALID')
  }
}

/** Item-item scores are made again where they are missing, so they come along only if they are sound. */
async function copyCrowd(from: string, to: string): Promise<void> {
  if (!existsSync(crowdFolder(from))) return
  const target = crowdFolder(to)
  try {
    await copyFolder(crowdFolder(from), target, CROWD_KIND, 'INDEX_DAMAGED')
  } catch (error) {
    if (!isTextrecError(error)) throw error
    await rm(dirname(target), { recursive: true, force: true })
  }
}

/** Takes out what is true on this machine only, and looks whether the copy is sound. */
async function finish(folder: string, { check, signal, onProgress }: ExportOptions): Promise<StoreCounts> {
  throwIfAborted(signal, 'The export')
  const copy = Store.open(folder)
  try {
    dropRejectFiles(copy)
    if (check) {
      onProgress?.({ stage: 'checking the copy', done: 0, total: 1, unit: 'catalogues' })
      // What the copy's hash then is, it is compared with wherever it is put.
      const [problem] = copy.accept()
      if (problem !== undefined) throw unsound(problem)
    }
    return copy.counts()
  } finally {
    // The last connection writes its log back and removes it: the folder then holds the catalogue alone.
    copy.close()
    await copy.leaveHash()
  }
}

function unsound(problem: string): TextrecError {
  return new TextrecError(
    'DATABASE_DAMAGED',
    `The catalogue is not sound: ${problem}`,
    "Restore a backup; to copy it as it is, export without the check ('--no-check').",
  )
}

function replacedTooOften(cause: unknown): TextrecError {
  return new TextrecError(
    'DATABASE_BUSY',
    `What is live was replaced ${ATTEMPTS} times while it was being copied.`,
    'Export while no index is being published.',
    { cause },
  )
}
