import { createHash } from 'node:crypto'
import { closeSync, openSync, readFileSync, readSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { TextrecError } from '../errors.js'
import { checkCatalog } from './check.js'
import type { Connection } from './sqlite.js'

/** Catalogues above these bytes (1 GiB, some four seconds) are left to `doctor`. */
const LARGEST_CHECKED = 2 ** 30
const PART = 2 ** 22

/**
 * Which state of a catalogue's file is known to be sound: one that has been checked, or that textrec made of such a one.
 *
 * SQLite has no checksums of pages. So a record beside the file keeps what the system says of that state (file, size,
 * times) and, once the last process has closed it, the SHA-256 of the whole. A file that was copied, restored, damaged
 * or written by another program has other times, and is compared with the hash before it is believed; where textrec was
 * killed there is no hash, and SQLite's own check takes its place. What turns a bit on the disk and leaves the times as
 * they were is not found here.
 */
export class KnownSound {
  /** What the file looked like when it was last known to be sound. */
  private sound: Stamp | undefined
  private kept: Left | undefined
  private refused: { readonly as: string; readonly error: TextrecError } | undefined
  private readonly path: string

  /** @param isNew the catalogue has just been made: nothing can have damaged it */
  constructor(
    private readonly db: Connection,
    isNew: boolean,
  ) {
    this.path = `${db.path}-checked`
    this.kept = this.read()
    const now = stampOf(db.path)
    if (isNew || now?.text === this.kept?.state) this.sound = now
    if (db.readonly) return
    db.onWrite(() => this.loseHash())
    db.onCommit(() => this.follow())
  }

  /**
   * Checks the file unless it is known to be sound, once for each state of it: against the hash some 1 GB a second,
   * else some 300 MB.
   * @throws DATABASE_DAMAGED
   */
  require(): void {
    if (this.sound !== undefined) return
    const now = stampOf(this.db.path)
    if (now === undefined || now.bytes > LARGEST_CHECKED) return
    if (this.refused?.as === now.text) throw this.refused.error
    // Another process may have checked it since, or written it.
    this.kept = this.read()
    if (this.kept?.state === now.text) {
      this.sound = now
      return
    }
    const doubt = this.doubt()
    const { hash } = this.kept ?? {}
    const problems = doubt !== undefined ? [doubt] : hash === undefined ? checkCatalog(this.db) : []
    if (problems.length === 0) {
      this.accept(now, this.hasLog ? undefined : hash)
      return
    }
    const error = new TextrecError(
      'DATABASE_DAMAGED',
      `${this.db.path} is not sound: ${problems.slice(0, 3).join('; ')}.`,
      doubt === undefined
        ? "Run 'textrec doctor' to see all of it, then restore a backup, or import the source files into a new project."
        : "Restore a backup; if this file was put here on purpose, 'textrec doctor --repair' checks and accepts it.",
    )
    this.refused = { as: now.text, error }
    throw error
  }

  /** Why the file may not be what textrec left, although SQLite may find nothing wrong with it. */
  doubt(): string | undefined {
    while (this.sound === undefined && this.kept?.hash !== undefined) {
      const { hash } = this.kept
      if (hashOf(this.db.path) === hash) return undefined
      this.kept = this.read()
      // Otherwise another process has written meanwhile, and taken its hash away first.
      if (this.kept?.hash === hash) return 'it has been changed by something else than textrec'
    }
    return undefined
  }

  /** The file is sound as it is now. */
  accept(now = stampOf(this.db.path), hash?: string): void {
    this.sound = now
    if (now !== undefined) this.keep({ state: now.text, hash })
  }

  /** After the connection has been closed. The last one has carried the log into the file, and can tell its hash. */
  closed(): void {
    this.follow()
    if (this.sound === undefined || this.kept?.hash !== undefined) return
    const { text, bytes } = this.sound
    if (bytes > LARGEST_CHECKED || this.hasLog) return
    const hash = hashOf(this.db.path)
    if (stampOf(this.db.path)?.text === text && !this.hasLog) this.keep({ state: text, hash })
  }

  /** SQLite may have carried its log into the file. */
  private follow(): void {
    if (this.sound === undefined) return
    const now = stampOf(this.db.path)
    // What was put in the place of the file that was opened is not what textrec made of it.
    if (now === undefined || now.file !== this.sound.file) {
      this.sound = undefined
    } else if (now.text !== this.kept?.state) {
      this.sound = now
      this.keep({ state: now.text })
    }
  }

  /** Before a write: should this process be killed after it, the file may be changed by whoever opens it next. */
  private loseHash(): void {
    // Read anew: a process that was closed since this one was opened has left one.
    const left = this.read()
    if (left?.hash !== undefined) this.keep({ state: left.state })
  }

  private get hasLog(): boolean {
    return (stampOf(`${this.db.path}-wal`)?.bytes ?? 0) > 0
  }

  private keep(left: Left): void {
    if (this.db.readonly) return
    this.kept = left
    // A full disk, a folder that is gone: without a record the file is checked once more, which is all that is lost.
    if (tried(() => writeFileSync(this.path, JSON.stringify(left), { flush: true }))) return
    tried(() => rmSync(this.path, { force: true }))
  }

  private read(): Left | undefined {
    try {
      const { state, hash } = JSON.parse(readFileSync(this.path, 'utf8')) as { [key: string]: unknown }
      if (typeof state !== 'string') return undefined
      return { state, hash: typeof hash === 'string' ? hash : undefined }
    } catch {
      return undefined
    }
  }
}

interface Left {
  readonly state: string
  /** SHA-256, hexadecimal; only of a file that nobody has written since. */
  readonly hash?: string | undefined
}

interface Stamp {
  readonly file: string
  readonly bytes: number
  readonly text: string
}

function tried(work: () => void): boolean {
  try {
    work()
    return true
  } catch {
    return false
  }
}

/** Undefined where there is no file. */
function stampOf(path: string): Stamp | undefined {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true })
    const file = `${dev} ${ino}`
    return { file, bytes: Number(size), text: `${file} ${size} ${mtimeNs} ${ctimeNs}` }
  } catch {
    return undefined
  }
}

/** Undefined where the file cannot be read to its end. */
function hashOf(path: string): string | undefined {
  const hash = createHash('sha256')
  const part = Buffer.allocUnsafe(PART)
  try {
    const file = openSync(path, 'r')
    try {
      for (let n = readSync(file, part); n > 0; n = readSync(file, part)) hash.update(part.subarray(0, n))
    } finally {
      closeSync(file)
    }
  } catch {
    return undefined
  }
  return hash.digest('hex')
}
