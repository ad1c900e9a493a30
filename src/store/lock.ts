import { join } from 'node:path'
import type Database from 'better-sqlite3'
import { makeFolder } from '../artifact/index.js'
import { TextrecError } from '../errors.js'
import { sqlite } from './sqlite.js'

/** What only one process may do at a time in one project. */
export type LockName = 'index' | 'train'

export interface Lock {
  release(): void
}

/** Held locks: a connection that nothing refers to is closed by the garbage collector, and its lock is gone. */
const held = new Set<Database.Database>()

/**
 * Takes a lock that the operating system drops when its process ends, however it ends: an exclusive
 * transaction on an empty SQLite file of the lock's own. So there is no stale lock to clean up.
 * @throws PROJECT_LOCKED at once if another process, or another open project in this one, holds it.
 */
export function acquireLock(directory: string, name: LockName): Lock {
  const folder = join(directory, 'locks')
  makeFolder(folder)
  const Sqlite = sqlite()
  const database = new Sqlite(join(folder, `${name}.lock`), { timeout: 0 })
  try {
    database.exec('BEGIN EXCLUSIVE')
  } catch (cause) {
    database.close()
    throw new TextrecError(
      'PROJECT_LOCKED',
      `Another process is busy with '${name}' in ${directory}.`,
      'Wait for it to end, then try again; a killed process holds no lock.',
      { cause },
    )
  }
  held.add(database)
  return {
    release: () => {
      if (held.delete(database)) database.close()
    },
  }
}
