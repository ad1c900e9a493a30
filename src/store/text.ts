import { createHash } from 'node:crypto'
import { TextrecError } from '../errors.js'
import { show } from '../options.js'

/** Half of a surrogate pair on its own: UTF-8 cannot carry it. */
const LONE_SURROGATE = /\p{Surrogate}/u
const LONE_SURROGATES = /\p{Surrogate}/gu

/** The text as SQLite will give it back: lone surrogates become U+FFFD. */
export function wellFormed(text: string): string {
  return LONE_SURROGATE.test(text) ? text.replace(LONE_SURROGATES, '\ufffd') : text
}

/** A text column's value; null for an absent or empty text. */
export function textOrNull(text: string | undefined): string | null {
  return text === undefined || text === '' ? null : wellFormed(text)
}

/**
 * An id as it is stored: exactly as given.
 * @throws RECORD_INVALID for an empty id, or one that would be merged with another by UTF-8.
 */
export function requireId(id: unknown, record: string, field: string): string {
  if (typeof id === 'string' && id !== '' && !LONE_SURROGATE.test(id)) return id
  throw new TextrecError(
    'RECORD_INVALID',
    `${record}: ${field} is ${show(id)}.`,
    'It must be a non-empty text of whole Unicode characters.',
  )
}

/** A number column's value; null where absent. @throws RECORD_INVALID for NaN and infinities. */
export function numberOrNull(value: number | undefined, record: string, field: string): number | null {
  if (value === undefined) return null
  if (Number.isFinite(value)) return value
  throw new TextrecError(
    'RECORD_INVALID',
    `${record}: ${field} is ${show(value)}.`,
    'It must be a finite number.',
  )
}

/** The name of a text in the embedding cache: the first 16 bytes of the SHA-256 of its UTF-8. */
export function textHash(text: string): Uint8Array {
  return new Uint8Array(createHash('sha256').update(text, 'utf8').digest().subarray(0, 16))
}
