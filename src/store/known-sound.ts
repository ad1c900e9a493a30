import { execFile } from 'node:child_process'
import {
  closeSync,
  constants,
  fsyncSync,
  lstatSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { TextrecError } from '../errors.js'
import { checkCatalog } from './check.js'
import { type Connection, readonlyError } from './sqlite.js'

/** Catalogues above these bytes (1 GiB, some four seconds) are left to `doctor`. */
const LARGEST_CHECKED = 2 ** 30
/** A record is a line; what is longer is something else. */
const LONGEST_RECORD = 4096

const CHANGED = 'it has been changed by something else than textrec'
const LOGGED = 'a log lies beside it that textrec has not written'

/**
 * Which state of a catalogue's file is known to be sound: one that has been checked, or that textrec made of such a one.
 *
 * SQLite has no checksums of pages. So a record beside the file keeps what the system says of that state (file, size,
 * times) and, once the last process has closed it, the SHA-256 of the whole. A file that was copied, restored, damaged
 * or written by another program has other times, and is compared with the hash before it is believed; where textrec was
 * killed there is no hash, and SQLite's own check takes its place. What turns a bit on the disk and leaves the times as
 * they were is not found here.
 *
 * A hash stands on record only while nobody writes: it is taken away, and that is on disk, before the first write.
 */
export class KnownSound {
  /** What the file looked like when it was last known to be sound. */
  private sound: Stamp | undefined
  private refused: { readonly as: string; readonly error: TextrecError } | undefined
  private requiring: Promise<void> | undefined
  private readonly record: string

  /** @param isNew the catalogue has just been made: nothing can have damaged it */
  constructor(
    private readonly db: Connection,
    isNew: boolean,
  ) {
    this.record = recordOf(db.path)
    const now = stampOf(db.path)
    if (isNew) this.sound = now
    else this.recognize(now)
    if (db.readonly) return
    db.onWrite(() => this.beforeWrite())
    db.onCommit(() => this.follow())
  }

  get isKnown(): boolean {
    return this.sound !== undefined
  }

  /**
   * Checks the file unless it is known to be sound: against the hash some 1 GB a second, else some 300 MB.
   * @throws DATABASE_DAMAGED
   */
  require(): Promise<void> {
    if (this.sound !== undefined) return Promise.resolve()
    this.requiring ??= this.examine().finally(() => {
      this.requiring = undefined
    })
    return this.requiring
  }

  /** Why the file may not be what textrec left, although SQLite may find nothing wrong with it. */
  async doubt(): Promise<string | undefined> {
    for (;;) {
      // Another process may have checked it since, or written it.
      if (this.recognize(stampOf(this.db.path)) || this.sound !== undefined) return undefined
      const left = this.read()
      if (left?.hash === undefined) return undefined
      const doubt = this.hasLog ? LOGGED : (await hashOf(this.db.path)) === left.hash ? undefined : CHANGED
      // Whoever writes takes the hash away first.
      if (this.read()?.hash === left.hash) return doubt
    }
  }

  /** The file is sound as it is now. */
  accept(now = stampOf(this.db.path), hash?: string): void {
    this.sound = now
    if (now !== undefined && !this.db.readonly)
      this.keep({ state: now.text, hash: this.hasLog ? undefined : hash })
  }

  /** Before the connection is closed, which may carry the log into the file. */
  closing(): void {
    if (!this.db.readonly) this.requireOwn()
  }

  /** After it. */
  closed(): void {
    if (!this.db.readonly) this.follow()
  }

  /** After the closing: whoever was the last to close the file leaves its hash. */
  async leaveHash(): Promise<void> {
    const { sound } = this
    if (this.db.readonly || sound === undefined || sound.bytes > LARGEST_CHECKED) return
    const left = this.read()
    if (left?.state !== sound.text || left.hash !== undefined || this.hasLog) return
    const hash = await hashOf(this.db.path)
    const isUnchanged = () => stampOf(this.db.path)?.text === sound.text && !this.hasLog
    if (hash === undefined || !isUnchanged()) return
    this.keep({ state: sound.text, hash })
    // Whoever has begun to write meanwhile may have looked for a hash too early.
    if (!isUnchanged()) this.keep({ state: sound.text })
  }

  private async examine(): Promise<void> {
    if ((stampOf(this.db.path)?.bytes ?? 0) > LARGEST_CHECKED) return
    const doubt = await this.doubt()
    const now = stampOf(this.db.path)
    if (this.sound !== undefined || now === undefined) return
    if (this.refused?.as === now.text) throw this.refused.error
    const hash = this.read()?.hash
    const problems = doubt !== undefined ? [doubt] : hash === undefined ? checkCatalog(this.db) : []
    if (problems.length === 0) return this.accept(now, hash)
    const error = new TextrecError(
      'DATABASE_DAMAGED',
      `${this.db.path} is not as textrec left it: ${problems.slice(0, 3).join('; ')}.`,
      doubt === undefined
        ? "Run 'textrec doctor' to see all of it, then restore a backup, or import the source files into a new project."
        : "Restore a backup; if this file was put here on purpose, 'textrec doctor --repair' checks and accepts it.",
    )
    if (doubt === undefined) this.refused = { as: now.text, error }
    throw error
  }

  /** Whether that is the state on record, and no log beside it that is not textrec's. */
  private recognize(now: Stamp | undefined): boolean {
    const left = this.read()
    if (now === undefined || left?.state !== now.text) return false
    if (left.hash !== undefined && this.hasLog && this.read()?.hash !== undefined) return false
    this.sound = now
    return true
  }

  /** What has changed since is another textrec's work, which is on record, or else is not known to be sound. */
  private requireOwn(): void {
    if (this.sound === undefined) return
    const now = stampOf(this.db.path)
    if (now?.text === this.sound.text) return
    this.sound = undefined
    this.recognize(now)
  }

  /** Should this process be killed afterwards, the file may be changed by whoever opens it next. */
  private beforeWrite(): void {
    this.requireOwn()
    loseHash(this.db.path)
  }

  /** SQLite may have carried its log into the file. */
  private follow(): void {
    if (this.sound === undefined) return
    const now = stampOf(this.db.path)
    if (now?.text === this.sound.text) return
    // What was put in the place of the file that was opened is not what textrec made of it.
    this.sound = now?.file === this.sound.file ? now : undefined
    if (this.sound !== undefined) this.keep({ state: this.sound.text })
  }

  private get hasLog(): boolean {
    return (stampOf(`${this.db.path}-wal`)?.bytes ?? 0) > 0
  }

  private keep(left: Left): void {
    // A full disk, a folder that is gone: without a record the file is checked once more, which is all that is lost.
    if (!tried(() => writeRecord(this.record, left))) tried(() => rmSync(this.record, { force: true }))
  }

  private read(): Left | undefined {
    return readRecord(this.record)
  }
}

/**
 * Before a write, by a connection that knows of no KnownSound too.
 * @throws PROJECT_READONLY where the record can be neither written nor removed: it would accuse what is written
 */
export function loseHash(path: string): void {
  const record = recordOf(path)
  const left = readRecord(record)
  if (left?.hash === undefined) return
  if (tried(() => writeRecord(record, { state: left.state }))) return
  if (!tried(() => rmSync(record, { force: true }))) throw readonlyError(record)
}

const recordOf = (path: string): string => `${path}-checked`

interface Left {
  readonly state: string
  /** SHA-256, hexadecimal; only of a file that nobody has written since. */
  readonly hash?: string | undefined
}

/** Forced to the disk, and never through a link. */
function writeRecord(path: string, left: Left): void {
  const { O_CREAT, O_NOFOLLOW = 0, O_NONBLOCK = 0, O_TRUNC, O_WRONLY } = constants
  const file = openSync(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK, 0o666)
  try {
    writeSync(file, JSON.stringify(left))
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** Undefined for whatever is not a record. */
function readRecord(path: string): Left | undefined {
  try {
    const found = lstatSync(path)
    if (!found.isFile() || found.size > LONGEST_RECORD) return undefined
    const { state, hash } = JSON.parse(readFileSync(path, 'utf8')) as { [key: string]: unknown }
    if (typeof state !== 'string') return undefined
    return { state, hash: typeof hash === 'string' ? hash : undefined }
  } catch {
    return undefined
  }
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

/** In a process of its own (see there). Undefined where the file cannot be read to its end. */
async function hashOf(path: string): Promise<string | undefined> {
  const script = fileURLToPath(new URL('./hash-process.js', import.meta.url))
  try {
    return (await promisify(execFile)(process.execPath, [script, path])).stdout
  } catch {
    return undefined
  }
}
