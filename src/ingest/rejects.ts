import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { makeFolder } from '../artifact/index.js'
import { guardRejects, openRejectTarget } from './reject-target.js'
import type { RecordKind, Refusal } from './rules.js'

const SHOWN = 200

/** One line of a reject file. */
export interface Reject {
  readonly file: string
  readonly kind: RecordKind
  /** The line on which the refused record starts, from 1. */
  readonly line: number
  readonly field: string
  readonly expected: string
  /** The value, shortened. */
  readonly received: string
}

/**
 * A JSON-lines file of refused records. What an earlier run left there is gone at once; a file that was not there
 * appears with the first refusal, so that no file, or an empty one, means no refusal.
 */
export class RejectFile {
  private lines: string[] = []

  private constructor(
    readonly path: string,
    private descriptor: number | undefined,
  ) {}

  /** A file of textrec's own, in the project's folder `rejects`. @throws TextrecError FILE_UNREADABLE, DISK_FULL */
  static own(path: string): RejectFile {
    guardRejects(path, () => rmSync(path, { force: true }))
    return new RejectFile(path, undefined)
  }

  /**
   * A file that the caller named, which is never unlinked.
   * @throws TextrecError OPTION_INVALID for whatever is more than an earlier reject file, FILE_UNREADABLE, DISK_FULL
   */
  static named(path: string, project: string, inputs: readonly string[]): RejectFile {
    return new RejectFile(path, openRejectTarget(path, project, inputs))
  }

  add(file: string, kind: RecordKind, line: number, { field, expected, received }: Refusal): void {
    const reject: Reject = {
      file,
      kind,
      line,
      field: shorten(field),
      expected,
      received: shorten(picture(received)),
    }
    this.lines.push(`${JSON.stringify(reject)}\n`)
  }

  /** Writes what has been added. @throws TextrecError DISK_FULL, FILE_UNREADABLE */
  flush(): void {
    if (this.lines.length === 0) return
    const bytes = Buffer.from(this.lines.join(''))
    this.lines = []
    guardRejects(this.path, () => {
      if (this.descriptor === undefined) {
        makeFolder(dirname(this.path))
        // Whatever came there meanwhile is not ours to overwrite.
        this.descriptor = openSync(this.path, 'wx')
      }
      for (let at = 0; at < bytes.length; ) at += writeSync(this.descriptor, bytes, at)
    })
  }

  close(): void {
    try {
      this.flush()
    } finally {
      if (this.descriptor !== undefined) closeSync(this.descriptor)
      this.descriptor = undefined
    }
  }
}

/** A value as text, for a person to recognize. */
export function picture(value: unknown): string {
  // Nothing to see is quoted, or a message would end in 'is .'
  if (typeof value === 'string') return value.trim() === '' ? JSON.stringify(value) : value
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'an invalid date' : value.toISOString()
  if (typeof value !== 'object' || value === null) return String(value)
  if (Array.isArray(value))
    return `[${value.slice(0, 5).map(scalar).join(', ')}${value.length > 5 ? ', ...' : ''}]`
  return `{${Object.keys(value).slice(0, 5).join(', ')}}`
}

function scalar(value: unknown): string {
  return typeof value === 'object' && value !== null ? '...' : String(value)
}

export function shorten(text: string): string {
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}... (${text.length} characters)` : text
}
