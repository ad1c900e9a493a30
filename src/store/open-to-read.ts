import { chmodSync, copyFileSync, existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { errorCode, writeError } from '../artifact/files.js'
import { isTextrecError, TextrecError } from '../errors.js'
import { Connection } from './sqlite.js'

/** How often the files may change while they are copied, before the opening gives up. */
const ATTEMPTS = 5

/**
 * Opens a catalogue to read it. Where its folder may not be written SQLite needs the shared memory file of a
 * writer beside a WAL database, and there is none while nobody writes; its way around that, an "immutable" address, is not
 * compiled into better-sqlite3. Then a copy is read, as the catalogue is at this moment: it takes room in the
 * system's temporary folder, and what is written later elsewhere is seen after the next opening.
 * @throws FILE_UNREADABLE, DATABASE_BUSY, DISK_FULL
 */
export function openToRead(path: string, busyTimeout: number): Connection {
  const connection = Connection.open(path, { readonly: true, busyTimeout })
  try {
    connection.pragma('user_version')
    return connection
  } catch (error) {
    connection.close()
    const needsWriting = isTextrecError(error) && ['FILE_UNREADABLE', 'PROJECT_READONLY'].includes(error.code)
    if (!needsWriting) throw error
    return openCopy(path, busyTimeout)
  }
}

/** The copy has no name any more once it is open, so that a killed process leaves nothing behind. */
function openCopy(path: string, busyTimeout: number): Connection {
  const folder = mkdtempSync(join(tmpdir(), 'textrec-read-'))
  try {
    const copy = join(folder, 'catalog.db')
    copyUnchanged(path, copy)
    // Takes over what a killed writer left in the log, and needs no files beside it from here on.
    const preparing = Connection.open(copy, { readonly: false, busyTimeout })
    try {
      preparing.pragma('journal_mode = DELETE')
    } finally {
      preparing.close()
    }
    return Connection.open(copy, { readonly: true, busyTimeout }, path)
  } catch (error) {
    throw copyError(error, path)
  } finally {
    // Windows keeps what is open; its temporary folder is where such things are cleared away.
    if (process.platform !== 'win32') rmSync(folder, { recursive: true, force: true })
  }
}

function copyError(error: unknown, path: string): unknown {
  const typed = writeError(error, `A copy of ${path} in ${tmpdir()}`)
  if (isTextrecError(typed)) return typed
  return new TextrecError(
    'FILE_UNREADABLE',
    `${path} could not be copied to be read (${errorCode(error)}).`,
    'Check that you may read it, and that the temporary folder can be written.',
    { cause: error },
  )
}

/** Copies database and log as they are together. @throws DATABASE_BUSY while somebody writes them */
function copyUnchanged(path: string, copy: string): void {
  const parts = ['', '-wal'] as const
  const stamp = () =>
    parts.map((part) => {
      const { mtimeMs, size } = statSync(path + part, { throwIfNoEntry: false }) ?? {}
      return `${mtimeMs} ${size}`
    })
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const before = stamp()
    for (const part of parts) {
      rmSync(copy + part, { force: true })
      if (!existsSync(path + part)) continue
      copyFileSync(path + part, copy + part)
      chmodSync(copy + part, 0o600)
    }
    if (stamp().join() === before.join()) return
  }
  throw new TextrecError(
    'DATABASE_BUSY',
    `${path} was being written all the time that it was read.`,
    'Wait for the other process to finish, then try again.',
  )
}
