import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { TextrecError, throwIfAborted } from '../errors.js'
import type { OnProgress } from '../types.js'
import { openToRead } from './open-to-read.js'
import { State } from './state.js'

/** Pages copied between two turns of the event loop: 16 MB. */
const PAGES_AT_A_TIME = 4096

export interface BackupOptions {
  /**
   * Runs before anything is copied, while the state that will be copied is held; `meta` reads its named values.
   * What those point to can be copied here: it belongs to the copy whatever is written meanwhile.
   */
  readonly whileHeld?: (meta: <T>(name: string) => T | undefined) => Promise<void>
  readonly signal?: AbortSignal
  readonly onProgress?: OnProgress
}

/**
 * Copies the catalogue as it is at this moment into a new file, through SQLite's backup API. Others may write
 * meanwhile: the copy is made inside a read transaction of its own, so it never has to start again.
 * The file appears under its name when it is complete and on disk.
 * @throws OPTION_INVALID if `target` exists, DISK_FULL, FILE_UNREADABLE, ABORTED.
 */
export async function backupCatalog(
  path: string,
  target: string,
  busyTimeout: number,
  { whileHeld, signal, onProgress }: BackupOptions = {},
): Promise<void> {
  if (existsSync(target)) {
    throw new TextrecError('OPTION_INVALID', `${target} exists.`, 'Choose a new file name for the backup.')
  }
  const unfinished = `${target}.${process.pid}.tmp`
  const source = openToRead(path, busyTimeout)
  try {
    source.exec('BEGIN')
    // A transaction begins to see one state with its first read.
    source.prepare('SELECT 1 FROM meta').get()
    const state = new State(source)
    await whileHeld?.((name) => state.meta(name))
    await source.backup(unfinished, (done, total) => {
      throwIfAborted(signal, 'The backup')
      onProgress?.({ stage: 'copying the catalogue', done, total, unit: 'pages' })
      return PAGES_AT_A_TIME
    })
    source.exec('COMMIT')
    syncPath(unfinished)
    renameSync(unfinished, target)
    syncPath(dirname(target))
  } finally {
    source.close()
    for (const end of ['', '-journal', '-wal', '-shm']) rmSync(unfinished + end, { force: true })
  }
}

function syncPath(path: string): void {
  const file = openSync(path, 'r')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}
