import { join } from 'node:path'
import type Database from 'better-sqlite3'
import { makeFolder, writeError } from '../artifact/index.js'
import { isTextrecError, TextrecError } from '../errors.js'
import { sqlite, translate } from './sqlite.js'

/** What only one process may do at a time in one project. */
export type LockName = 'index' | 'train' | 'tune'

export interface Lock {
  release(): void
}

/** Held locks: a connection that nothing refers to is closed by the garbage collector, and its lock is gone. */
const held = new Set<Database.Database>()

/**
 * Takes a lock that the operating system drops when its process ends, however it ends: an exclusive
 * transaction on an empty SQLite file of the lock's own. So there is no stale lock to clean up.
 * @throws PROJECT_LOCKED at once if another process, or another open project in this one, holds it; FILE_UNREADABLE
 *   or DISK_FULL if the lock cannot be asked for at all, which is no reason to wait for anybody.
 */
export function acquireLock(directory: string, name: LockName): Lock {
  const Sqlite = sqlite()
  const folder = join(directory, 'locks')
  const path = join(folder, `${name}.lock`)
  let database: Database.Database | undefined
  try {
    makeFolder(folder)
    database = new Sqlite(path, { timeout: 0 })
    database.exec('BEGIN EXCLUSIVE')
  } catch (cause) {
    database?.close()
    throw refusal(cause, directory, name, path)
  }
  held.add(database)
  return {
    release: () => {
      if (held.delete(database)) database.close()
    },
  }
}

function refusal(cause: unknown, directory: string, name: LockName, path: string): unknown {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  if (code.startsWith('SQLITE_BUSY')) {
    return new TextrecError(
      'PROJECT_LOCKED',
      `Another process is busy with '${name}' in ${directory}.`,
      'Wait for it to end, then try again; a killed process holds no lock.',
      { cause },
    )
  }
  if (code === 'SQLITE_NOTADB' || code.startsWith('SQLITE_CORRUPT')) {
    const fact = `${path} is no lock of textrec's.`
    return new TextrecError('FILE_UNREADABLE', fact, 'Remove it: locks hold nothing.', { cause })
  }
  const known = writeError(translate(cause, path), path)
  if (isTextrecError(known)) return known
  const fact = `${path} cannot be opened (${code || String(cause)}).`
  return new TextrecError('FILE_UNREADABLE', fact, 'Check that you may write in the project folder.', {
    cause,
  })
}
