import { statSync } from 'node:fs'
import { createRequire } from 'node:module'
import type Sqlite from 'better-sqlite3'
import { TextrecError } from '../errors.js'

/** What SQLite stores and returns here. Blobs arrive as Buffers. */
export type Value = string | number | null | Uint8Array
export type Row = { readonly [column: string]: Value }

/** WAL databases could lose a reset before this version (https://sqlite.org/wal.html#walresetbug). */
const OLDEST_SQLITE = [3, 51, 3] as const

let native: typeof Sqlite | undefined

/**
 * better-sqlite3, loaded on first use: `textrec --help` must not need a compiled module.
 * @throws DEPENDENCY_MISSING when it is absent, was not compiled, or carries too old an SQLite.
 */
export function sqlite(): typeof Sqlite {
  if (native !== undefined) return native
  let version: string
  let loaded: typeof Sqlite
  try {
    loaded = createRequire(import.meta.url)('better-sqlite3') as typeof Sqlite
    // The compiled part is only looked for when a database is opened.
    const probe = new loaded(':memory:')
    version = probe.prepare('SELECT sqlite_version()').pluck().get() as string
    probe.close()
  } catch (cause) {
    throw new TextrecError(
      'DEPENDENCY_MISSING',
      'better-sqlite3 could not be loaded.',
      "Install textrec again with install scripts allowed for better-sqlite3 and a C++ compiler at hand ('npm rebuild better-sqlite3').",
      { cause },
    )
  }
  requireVersion(version)
  native = loaded
  return loaded
}

/** @throws DEPENDENCY_MISSING for an SQLite older than OLDEST_SQLITE. */
export function requireVersion(version: string): void {
  const parts = version.split('.').map(Number)
  for (let i = 0; i < OLDEST_SQLITE.length; i++) {
    const part = parts[i] ?? 0
    if (part > OLDEST_SQLITE[i]) return
    if (part < OLDEST_SQLITE[i]) {
      throw new TextrecError(
        'DEPENDENCY_MISSING',
        `better-sqlite3 carries SQLite ${version}, which can lose data in WAL mode.`,
        `Install a better-sqlite3 with SQLite ${OLDEST_SQLITE.join('.')} or newer.`,
      )
    }
  }
}

/** SQLite's own error as a TextrecError; errors that are not SQLite's come back unchanged. */
export function translate(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || error.name !== 'SqliteError') return error
  const code = String((error as Error & { code?: unknown }).code)
  const made = (kind: ConstructorParameters<typeof TextrecError>[0], fact: string, remedy: string) =>
    new TextrecError(kind, fact, remedy, { cause: error })
  if (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED')) {
    return made(
      'DATABASE_BUSY',
      `${path} was held by another process for too long.`,
      'Wait for the other process to finish, then try again.',
    )
  }
  if (code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB') {
    return made(
      'DATABASE_DAMAGED',
      `${path} is not a sound database: ${error.message}.`,
      'Restore a backup, or import the source files again into a new project.',
    )
  }
  if (code === 'SQLITE_FULL' || code.startsWith('SQLITE_IOERR')) {
    return made(
      'DISK_FULL',
      `${path} could not be written or read to the end: ${error.message}.`,
      'Make room on the disk and check it, then try again; what was acknowledged is kept.',
    )
  }
  if (code.startsWith('SQLITE_READONLY')) return readonlyError(path, error)
  if (/^SQLITE_(CANTOPEN|PERM|AUTH)/.test(code)) {
    return made(
      'FILE_UNREADABLE',
      `${path} cannot be opened: ${error.message}.`,
      'Check that its folder exists and that you may read and write it.',
    )
  }
  return made('INTERNAL', `SQLite refused a statement: ${error.message}.`, 'Please report this.')
}

export function readonlyError(path: string, cause?: unknown): TextrecError {
  return new TextrecError(
    'PROJECT_READONLY',
    `${path} may be read but not written.`,
    'Give yourself the right to write the project folder and its files, or copy the project elsewhere.',
    { cause },
  )
}

/** The same for the opening of a file, where better-sqlite3 says in a TypeError that its folder is missing. */
function unreachable(error: unknown, path: string): unknown {
  if (!(error instanceof TypeError)) return translate(error, path)
  return new TextrecError(
    'FILE_UNREADABLE',
    `${path} cannot be opened: ${error.message}.`,
    'Check that its folder exists and that you may read and write it.',
    { cause: error },
  )
}

/** A prepared statement whose errors are TextrecErrors. `R` is the row: an object, or an array when raw. */
export class Statement<R> {
  constructor(
    private readonly statement: Sqlite.Statement<Value[], R>,
    private readonly path: string,
  ) {}

  /** Runs it and returns how many rows changed. */
  run(...values: Value[]): number {
    try {
      return this.statement.run(...values).changes
    } catch (error) {
      throw translate(error, this.path)
    }
  }

  /** Runs an INSERT and returns the new row's key. */
  insert(...values: Value[]): number {
    try {
      return Number(this.statement.run(...values).lastInsertRowid)
    } catch (error) {
      throw translate(error, this.path)
    }
  }

  get(...values: Value[]): R | undefined {
    try {
      return this.statement.get(...values)
    } catch (error) {
      throw translate(error, this.path)
    }
  }

  all(...values: Value[]): R[] {
    try {
      return this.statement.all(...values)
    } catch (error) {
      throw translate(error, this.path)
    }
  }

  /** Streams the rows. The connection can do nothing else until the loop ends. */
  *each(...values: Value[]): Generator<R, void, undefined> {
    try {
      yield* this.statement.iterate(...values)
    } catch (error) {
      throw translate(error, this.path)
    }
  }
}

export interface ConnectionOptions {
  readonly readonly: boolean
  /** How long to wait for another process's lock, milliseconds. */
  readonly busyTimeout: number
}

/** Rarely repeated statements (filters) share this many places; the oldest is dropped first. */
const PASSING_STATEMENTS = 100

/** One connection: prepared statements are kept, errors are typed, transactions nest by joining. */
export class Connection {
  private readonly statements = new Map<string, Statement<unknown>>()
  private readonly passing = new Map<string, Statement<unknown>>()
  private readonly rollbackListeners: (() => void)[] = []
  private readonly writeListeners: (() => void)[] = []
  private readonly commitListeners: (() => void)[] = []
  /** The file that was opened: by its path another one may be found later. */
  private readonly file: string | undefined

  private constructor(
    private readonly database: Sqlite.Database,
    readonly path: string,
  ) {
    this.file = fileAt(database.name)
  }

  /**
   * Opens `path` without looking inside. The file is created when absent, unless read-only.
   * @param name what to call it in errors
   */
  static open(path: string, options: ConnectionOptions, name = path): Connection {
    const Database = sqlite()
    try {
      return new Connection(
        new Database(path, {
          readonly: options.readonly,
          fileMustExist: options.readonly,
          timeout: options.busyTimeout,
        }),
        name,
      )
    } catch (error) {
      throw unreachable(error, name)
    }
  }

  /** A statement whose rows are objects. Prepared once per SQL text. */
  prepare<R = Row>(sql: string): Statement<R> {
    return this.cached<R>(`o ${sql}`, sql, false)
  }

  /** A statement whose rows are arrays, in column order: faster for many rows. */
  prepareRaw<R extends readonly Value[]>(sql: string): Statement<R> {
    return this.cached<R>(`r ${sql}`, sql, true)
  }

  /** Like `prepareRaw` for SQL with many shapes: only the latest are kept. */
  prepareRawPassing<R extends readonly Value[]>(sql: string): Statement<R> {
    const held = this.passing.get(sql) as Statement<R> | undefined
    const statement = held ?? this.compile<R>(sql, true)
    this.passing.delete(sql)
    this.passing.set(sql, statement as Statement<unknown>)
    if (this.passing.size > PASSING_STATEMENTS)
      this.passing.delete(this.passing.keys().next().value as string)
    return statement
  }

  /** Runs SQL text that has no parameters. */
  exec(sql: string): void {
    this.requireOpen()
    try {
      this.database.exec(sql)
    } catch (error) {
      throw translate(error, this.path)
    }
  }

  /** The first column of a pragma's first row. */
  pragma(text: string): Value {
    this.requireOpen()
    try {
      return this.database.pragma(text, { simple: true }) as Value
    } catch (error) {
      throw translate(error, this.path)
    }
  }

  /**
   * A write transaction, taken at once (BEGIN IMMEDIATE) so that it never fails half-way for a lock.
   * @throws PROJECT_MISSING if the file was removed, moved or replaced since: what is written would be lost with it
   */
  write<T>(work: () => T): T {
    if (this.database.open && !this.database.inTransaction && !this.isInPlace) {
      const fact = `${this.path} was removed, moved or replaced after it was opened.`
      throw new TextrecError('PROJECT_MISSING', fact, 'Close the project, and open it where it is now.')
    }
    const isOutermost = !this.database.inTransaction
    if (isOutermost) for (const listener of this.writeListeners) listener()
    const result = this.transaction('BEGIN IMMEDIATE', work)
    if (isOutermost) for (const listener of this.commitListeners) listener()
    return result
  }

  /** Several reads of one state. */
  read<T>(work: () => T): T {
    return this.transaction('BEGIN', work)
  }

  /** Called whenever a transaction is undone: memory that mirrors the database must forget. */
  onRollback(listener: () => void): void {
    this.rollbackListeners.push(listener)
  }

  /** Called before every write. */
  onWrite(listener: () => void): void {
    this.writeListeners.push(listener)
  }

  /** Called after every write that is committed. */
  onCommit(listener: () => void): void {
    this.commitListeners.push(listener)
  }

  /**
   * Copies the database as it is now into a new file.
   * @param step told how many pages are done, it says how many to copy next; what it throws ends the copy.
   */
  async backup(target: string, step: (done: number, total: number) => number): Promise<void> {
    this.requireOpen()
    try {
      await this.database.backup(target, {
        progress: ({ totalPages, remainingPages }) => step(totalPages - remainingPages, totalPages),
      })
    } catch (error) {
      throw unreachable(error, target)
    }
  }

  get readonly(): boolean {
    return this.database.readonly
  }

  /** Whether the file that is open is the one that others find at its path. */
  get isInPlace(): boolean {
    return fileAt(this.database.name) === this.file
  }

  get isOpen(): boolean {
    return this.database.open
  }

  /** Harmless when repeated. */
  close(): void {
    this.statements.clear()
    this.passing.clear()
    try {
      this.database.close()
    } catch (error) {
      throw translate(error, this.path)
    }
  }

  private transaction<T>(begin: string, work: () => T): T {
    this.requireOpen()
    if (this.database.inTransaction) return work()
    this.exec(begin)
    try {
      const result = work()
      this.exec('COMMIT')
      return result
    } catch (error) {
      // SQLite rolls back by itself on some errors (full disk); a second ROLLBACK would be an error.
      if (this.database.open && this.database.inTransaction) this.exec('ROLLBACK')
      for (const listener of this.rollbackListeners) listener()
      throw error
    }
  }

  private cached<R>(name: string, sql: string, raw: boolean): Statement<R> {
    let statement = this.statements.get(name) as Statement<R> | undefined
    if (statement === undefined) {
      statement = this.compile<R>(sql, raw)
      this.statements.set(name, statement as Statement<unknown>)
    }
    return statement
  }

  private compile<R>(sql: string, raw: boolean): Statement<R> {
    this.requireOpen()
    try {
      const statement = this.database.prepare<Value[], R>(sql)
      return new Statement(raw ? statement.raw(true) : statement, this.path)
    } catch (error) {
      throw translate(error, this.path)
    }
  }

  private requireOpen(): void {
    if (!this.database.open) {
      throw new TextrecError('PROJECT_CLOSED', `${this.path} was closed.`, 'Open the project again.')
    }
  }
}

/** What tells a file from all others on this machine; undefined where there is none. */
function fileAt(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path, { bigint: true })
    return `${dev} ${ino}`
  } catch {
    return undefined
  }
}
