import { decodeHTMLStrict } from 'entities/decode'
import { parseDate } from '../dates.js'
import { MAX_ID_BYTES, MAX_TEXT, MAX_VALUE, ORDER_LIMIT, Refusal } from './rules.js'

/** Where a value comes from: file texts may hold HTML entities, texts of library calls are final. */
export type Origin = 'file' | 'library'

const PLAIN_NUMBER = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?$/

/** The number that `text` spells in decimal notation (no hex, no separators), else undefined. */
export function decimal(text: string): number | undefined {
  const trimmed = text.trim()
  return trimmed.length <= 64 && PLAIN_NUMBER.test(trimmed) ? Number(trimmed) : undefined
}

/** True for what counts as "nothing there" in any format. */
export function isMissing(value: unknown): boolean {
  return value === undefined || value === null || value === ''
}

// One pass for the common case: no control character and no surrogate at all, paired or not.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const ID_SUSPECT = /[\u0000-\u001f\u007f\ud800-\udfff]/
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above
const CONTROL = /[\u0000-\u001f\u007f]/
const LONE_SURROGATE = /\p{Surrogate}/u
const LONE_SURROGATES = /\p{Surrogate}/gu
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above
const NULS = /\u0000/g
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above
const TEXT_SUSPECT = /[\u0000\r\ud800-\udfff]/

/** An external id. @throws Refusal by the rules of ids. */
export function parseId(field: string, value: unknown): string {
  const id = typeof value === 'number' || typeof value === 'bigint' ? numericId(field, value) : value
  if (typeof id !== 'string') throw new Refusal(field, 'an id (text or a whole number)', value)
  if (id.trim() === '') throw new Refusal(field, 'an id that is not empty', value)
  if (id.trim() !== id) throw new Refusal(field, 'an id without white space around it', value)
  if (id.length > MAX_ID_BYTES / 4 && Buffer.byteLength(id) > MAX_ID_BYTES) {
    throw new Refusal(field, `an id of at most ${MAX_ID_BYTES} bytes`, value)
  }
  if (ID_SUSPECT.test(id)) {
    if (CONTROL.test(id)) throw new Refusal(field, 'an id without control characters', value)
    if (LONE_SURROGATE.test(id)) throw new Refusal(field, 'an id without lone surrogates', value)
  }
  return id
}

function numericId(field: string, value: number | bigint): string {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    throw new Refusal(field, 'a whole number up to 2^53 (write larger ids as text)', value)
  }
  return String(value === 0 ? 0 : value)
}

/** Text as textrec stores it, or undefined where nothing is left. No limit is applied here. */
export function cleanText(raw: string, origin: Origin): string | undefined {
  let text = origin === 'file' && raw.includes('&') ? decodeHTMLStrict(raw) : raw
  if (TEXT_SUSPECT.test(text)) {
    text = text.replaceAll('\r\n', '\n').replace(NULS, ' ').replace(LONE_SURROGATES, '\ufffd')
  }
  text = text.trim()
  return text === '' ? undefined : text
}

/** A title, description or review text. Lists of texts are joined by line breaks. @throws Refusal */
export function parseText(field: string, value: unknown, origin: Origin): string | undefined {
  if (isMissing(value)) return undefined
  if (Array.isArray(value) && value.every((part) => typeof part === 'string')) {
    const parts = value.map((part) => cleanText(part, origin)).filter((part) => part !== undefined)
    return limited(field, parts.join('\n') || undefined, value)
  }
  if (typeof value === 'number' && Number.isFinite(value)) return String(value)
  if (typeof value !== 'string') throw new Refusal(field, 'a text', value)
  return limited(field, cleanText(value, origin), value)
}

function limited(field: string, text: string | undefined, received: unknown): string | undefined {
  if (text !== undefined && text.length > MAX_TEXT) {
    throw new Refusal(field, `a text of at most ${MAX_TEXT} characters`, received)
  }
  return text
}

/** A rating or the value of an interaction. @throws Refusal */
export function parseValue(field: string, value: unknown): number | undefined {
  if (isMissing(value) || (typeof value === 'string' && value.trim() === '')) return undefined
  const number = typeof value === 'string' ? decimal(value) : value
  if (typeof number !== 'number' || !(Math.abs(number) <= MAX_VALUE)) {
    throw new Refusal(field, `a finite number of at most ${MAX_VALUE}`, value)
  }
  return number
}

const AMAZON_VOTES = /^\[\s*(\d{1,9})\s*,\s*\d{1,9}\s*\]$/
const GROUPED_COUNT = /^\d{1,3}(?:,\d{3})+$/

/** How many found a review helpful: 12, '12', '1,234', [helpful, total] or '[helpful, total]'. @throws Refusal */
export function parseHelpful(field: string, value: unknown): number | undefined {
  if (isMissing(value)) return undefined
  let count: unknown = value
  if (Array.isArray(value)) {
    count = value.length === 2 ? value[0] : undefined
  } else if (typeof value === 'string' && value.length <= 32) {
    const text = value.trim()
    if (text === '') return undefined
    const votes = AMAZON_VOTES.exec(text)
    if (votes !== null) count = Number(votes[1])
    else count = decimal(GROUPED_COUNT.test(text) ? text.replaceAll(',', '') : text)
  }
  if (typeof count !== 'number' || !Number.isSafeInteger(count) || count < 0) {
    throw new Refusal(field, "a count of votes (12, '1,234' or '[helpful, total]')", value)
  }
  return count
}

const TIME = 'a time (seconds or milliseconds since 1970, an ISO 8601 date, or a position below 1e8)'

/** Milliseconds since 1970 (at least ORDER_LIMIT), or a position (below it). @throws Refusal */
export function parseTime(field: string, value: unknown): number | undefined {
  if (isMissing(value)) return undefined
  if (typeof value === 'number') return timeOfNumber(field, value, value)
  if (value instanceof Date) return lateEnough(field, value.getTime(), value)
  if (typeof value !== 'string') throw new Refusal(field, TIME, value)
  const text = value.trim()
  if (text === '') return undefined
  const number = decimal(text)
  if (number !== undefined) return timeOfNumber(field, number, value)
  const date = parseDate(text)
  if (date === undefined) throw new Refusal(field, TIME, value)
  return lateEnough(field, date, value)
}

function timeOfNumber(field: string, number: number, received: unknown): number {
  if (!(number >= 0 && number < 1e17)) throw new Refusal(field, `${TIME}, not negative`, received)
  if (number < ORDER_LIMIT) {
    if (!Number.isInteger(number)) throw new Refusal(field, `${TIME}; positions are whole`, received)
    return number
  }
  if (number < 1e11) return Math.round(number * 1000)
  return Math.round(number < 1e14 ? number : number / 1000)
}

function lateEnough(field: string, milliseconds: number, received: unknown): number {
  if (Number.isNaN(milliseconds)) throw new Refusal(field, 'a date that exists', received)
  if (milliseconds < ORDER_LIMIT) throw new Refusal(field, 'a date after 1970-01-02', received)
  return milliseconds
}
