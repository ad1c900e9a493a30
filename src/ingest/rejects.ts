import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { makeFolder } from '../artifact/index.js'
import { TextrecError } from '../errors.js'
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
 * A JSON-lines file of refused records. What an earlier run left there is removed at once; the file itself appears
 * with the first refusal, so that no file means no refusal.
 */
export class RejectFile {
  private descriptor: number | undefined
  private lines: string[] = []

  constructor(readonly path: string) {
    this.guard(() => rmSync(path, { force: true }))
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

  /** Writes what has been added. @throws TextrecError DISK_FULL */
  flush(): void {
    if (this.lines.length === 0) return
    const bytes = Buffer.from(this.lines.join(''))
    this.lines = []
    this.guard(() => {
      if (this.descriptor === undefined) {
        makeFolder(dirname(this.path))
        this.descriptor = openSync(this.path, 'w')
      }
      for (let at = 0; at < bytes.length; ) at += writeSync(this.descriptor, bytes, at)
    })
  }

  close(): void {
    this.flush()
    if (this.descriptor !== undefined) closeSync(this.descriptor)
    this.descriptor = undefined
  }

  private guard(write: () => void): void {
    try {
      write()
    } catch (cause) {
      const code = cause instanceof Error && 'code' in cause ? cause.code : 'unknown error'
      throw new TextrecError(
        'DISK_FULL',
        `The reject file ${this.path} cannot be written (${code}).`,
        'Make room, or name another place for it with the option rejects.',
        { cause },
      )
    }
  }
}

/** A value as text, for a person to recognize. */
export function picture(value: unknown): string {
  if (typeof value === 'string') return value
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
