import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { TextrecError } from '../errors.js'
import { checkCatalog } from './check.js'
import type { Connection } from './sqlite.js'

/** Catalogues above these bytes (1 GiB, some four seconds) are left to the whole check of `doctor`. */
const LARGEST_CHECKED = 2 ** 30

/**
 * Which state of a catalogue's file is known to be sound: one that has been checked, or that textrec made of such a one.
 * Beside the file stands a record of what the system says of that state (file, size, times); a file that was copied, restored,
 * damaged or written by another program has another one, and is checked before it is believed. SQLite has no
 * checksums of pages: what a check cannot see, and a bit that turns on the disk and leaves the times as they were, is not
 * found here.
 */
export class KnownSound {
  /** What the file looked like when it was last known to be sound. */
  private sound: Stamp | undefined
  private kept: string | undefined
  private refused: { readonly as: string; readonly error: TextrecError } | undefined
  private readonly record: string

  /** @param isNew the catalogue has just been made: nothing can have damaged it */
  constructor(
    private readonly db: Connection,
    isNew: boolean,
  ) {
    this.record = `${db.path}-checked`
    this.kept = this.recorded()
    const now = stampOf(db.path)
    if (isNew || now?.text === this.kept) this.sound = now
    if (!db.readonly) db.onCommit(() => this.follow())
  }

  /**
   * Checks the file unless it is known to be sound: some 300 MB a second, once for each state of it.
   * @throws DATABASE_DAMAGED
   */
  require(): void {
    if (this.sound !== undefined) return
    const now = stampOf(this.db.path)
    if (now === undefined || now.bytes > LARGEST_CHECKED) return
    if (this.refused?.as === now.text) throw this.refused.error
    const problems = checkCatalog(this.db)
    if (problems.length > 0) {
      const error = new TextrecError(
        'DATABASE_DAMAGED',
        `${this.db.path} is not sound: ${problems.slice(0, 3).join('; ')}.`,
        "Run 'textrec doctor' to see all of it, then restore a backup, or import the source files into a new project.",
      )
      this.refused = { as: now.text, error }
      throw error
    }
    this.sound = now
    if (!this.db.readonly) this.keep(now)
  }

  /** After a write, and after the closing: SQLite may have carried its log into the file. */
  follow(): void {
    if (this.sound === undefined || this.db.readonly) return
    const now = stampOf(this.db.path)
    // What was put in the place of the file that was opened is not what textrec made of it.
    if (now === undefined || now.file !== this.sound.file || now.text === this.kept) return
    this.sound = now
    this.keep(now)
  }

  private keep({ text }: Stamp): void {
    try {
      writeFileSync(this.record, `${text}\n`)
      this.kept = text
    } catch {
      // A full disk, a folder that is gone: the file is checked once more, which is all that is lost.
    }
  }

  private recorded(): string | undefined {
    try {
      return readFileSync(this.record, 'utf8').trim()
    } catch {
      return undefined
    }
  }
}

interface Stamp {
  readonly file: string
  readonly bytes: number
  readonly text: string
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
