import { accessSync, constants, existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { makeFolder } from '../artifact/index.js'
import { isTextrecError, TextrecError } from '../errors.js'
import { loseHash } from './known-sound.js'
import { openToRead } from './open-to-read.js'
import { APPLICATION_ID, MIGRATIONS, SCHEMA_VERSION } from './schema.js'
import { Connection } from './sqlite.js'

export interface OpenOptions {
  /** Make the folder and the catalogue where there is none. Default false. */
  readonly create?: boolean
  /** Refuse every write. Default: only where the folder or its catalogue may not be written. */
  readonly readonly?: boolean
  /** How long to wait for another process's lock, milliseconds. Default 15,000. */
  readonly busyTimeout?: number
}

/** Folders of a project that there is no reason to have before there are records. */
const MADE_FROM_CATALOGUE = ['indexes', 'adapters', 'crowd', 'training']

export const BUSY_TIMEOUT = 15_000
/** Milliseconds. */
const BETWEEN_TRIES = 10

/**
 * The folder whatever the process changes to later. Node would try for ever to make a relative folder inside a
 * working directory that has been deleted.
 * @throws FILE_UNREADABLE in that case; OPTION_INVALID for an empty name, which is most often a variable that was
 *   not set, and would mean the current folder
 */
export function absolutePath(directory: string): string {
  if (directory === '') {
    throw new TextrecError(
      'OPTION_INVALID',
      'The name of the project folder is empty.',
      "Name a folder; the current one is '.'.",
    )
  }
  try {
    return resolve(directory)
  } catch (cause) {
    throw new TextrecError(
      'FILE_UNREADABLE',
      'The working directory has been deleted.',
      'Change to a folder that exists, or give an absolute path.',
      { cause },
    )
  }
}

/** The catalogue's file in a project's folder. */
export function catalogPath(directory: string): string {
  return join(directory, 'catalog.db')
}

/**
 * Opens `<directory>/catalog.db`, brings it to this version's schema and makes every commit durable.
 * @throws PROJECT_MISSING, FILE_UNREADABLE, DATABASE_VERSION (foreign or newer), DATABASE_DAMAGED, DATABASE_BUSY.
 */
export function openCatalog(directory: string, options: OpenOptions): Connection {
  const path = catalogPath(directory)
  if (!existsSync(path)) {
    if (options.create !== true || options.readonly === true) {
      throw new TextrecError(
        'PROJECT_MISSING',
        `There is no textrec project at ${directory}.`,
        'Import something first.',
      )
    }
    try {
      makeFolder(directory)
    } catch (cause) {
      throw new TextrecError(
        'FILE_UNREADABLE',
        `${directory} cannot be made.`,
        'Choose a folder that you may write.',
        {
          cause,
        },
      )
    }
  }
  const readonly = options.readonly === true || !mayWrite(directory)
  const busyTimeout = options.busyTimeout ?? BUSY_TIMEOUT
  const connection = readonly
    ? openToRead(path, busyTimeout)
    : Connection.open(path, { readonly, busyTimeout })
  try {
    requireOwn(connection, directory, options.create === true && !readonly)
    configure(connection, readonly, busyTimeout)
    migrate(connection, readonly)
    return connection
  } catch (error) {
    connection.close()
    throw error
  }
}

/** False on a medium that is mounted to be read, and in somebody else's folder. */
function mayWrite(directory: string): boolean {
  try {
    for (const path of [directory, catalogPath(directory)]) {
      if (existsSync(path)) accessSync(path, constants.W_OK)
    }
    return true
  } catch {
    return false
  }
}

function configure(connection: Connection, readonly: boolean, busyTimeout: number): void {
  // 32 MB of pages, which a million interactions fill: memory does not grow beyond. What does not fit there, the
  // operating system keeps.
  connection.exec('PRAGMA foreign_keys = ON; PRAGMA cell_size_check = ON; PRAGMA cache_size = -32768')
  // A crafted file must not run functions or virtual tables from its own schema.
  connection.exec('PRAGMA trusted_schema = OFF')
  if (readonly) return
  writeAhead(connection, busyTimeout)
  // FULL: in WAL mode anything less can lose acknowledged commits when the power goes.
  connection.exec('PRAGMA synchronous = FULL; PRAGMA secure_delete = ON')
  // A log of 32 MB: pages that many commits touch are written back once.
  connection.exec('PRAGMA wal_autocheckpoint = 8192; PRAGMA journal_size_limit = 67108864')
}

/**
 * Before anything is written. An empty database becomes a catalogue only where one may be made, and nothing says
 * that there was one: otherwise a truncated catalogue would pass for an empty shop.
 * @throws DATABASE_VERSION for a database that textrec did not make, DATABASE_DAMAGED for an empty one
 */
function requireOwn(connection: Connection, directory: string, create: boolean): void {
  const application = connection.pragma('application_id')
  if (application === APPLICATION_ID) return
  const objects = connection.prepare<{ n: number }>('SELECT count(*) AS n FROM sqlite_schema').get()
  if (application === 0 && objects?.n === 0 && connection.pragma('user_version') === 0) {
    const part = MADE_FROM_CATALOGUE.find((name) => existsSync(join(directory, name)))
    if (create && part === undefined) return
    throw new TextrecError(
      'DATABASE_DAMAGED',
      `${connection.path} is empty${part === undefined ? '' : `, and ${part} beside it was made from a catalogue`}.`,
      part === undefined
        ? 'Import something into it, or restore a backup.'
        : 'Restore a backup, or import the source files again into a new project.',
    )
  }
  throw new TextrecError(
    'DATABASE_VERSION',
    `${connection.path} is an SQLite database, but not one of textrec's.`,
    'Choose another project folder.',
  )
}

function migrate(connection: Connection, readonly: boolean): void {
  if (requireKnownVersion(connection) === SCHEMA_VERSION) return
  if (readonly) {
    throw new TextrecError(
      'DATABASE_VERSION',
      `${connection.path} was made by an older textrec.`,
      'Open it once for writing (any textrec command that writes) to bring it up to date.',
    )
  }
  loseHash(connection.path)
  connection.write(() => {
    // Another process may have been faster: what counts is the version seen inside the transaction.
    for (let version = requireKnownVersion(connection); version < SCHEMA_VERSION; version++) {
      connection.exec(MIGRATIONS[version])
      connection.exec(`PRAGMA user_version = ${version + 1}`)
    }
    connection.exec(`PRAGMA application_id = ${APPLICATION_ID}`)
  })
}

/** @throws DATABASE_VERSION for a database of a newer textrec. */
function requireKnownVersion(connection: Connection): number {
  const version = Number(connection.pragma('user_version'))
  if (version > SCHEMA_VERSION || version < 0) {
    throw new TextrecError(
      'DATABASE_VERSION',
      `${connection.path} has version ${version}; this textrec knows versions up to ${SCHEMA_VERSION}.`,
      'Use the newer textrec that made it.',
    )
  }
  return version
}

/**
 * SQLite does not wait for others where a new database is put into WAL mode: two that upgrade their locks would wait
 * for each other. So the wait is ours, when several processes make one project at once.
 */
function writeAhead(connection: Connection, busyTimeout: number): void {
  const deadline = Date.now() + busyTimeout
  for (;;) {
    try {
      connection.exec('PRAGMA journal_mode = WAL')
      return
    } catch (error) {
      if (!isTextrecError(error) || error.code !== 'DATABASE_BUSY' || Date.now() > deadline) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BETWEEN_TRIES)
    }
  }
}
