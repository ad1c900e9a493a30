import type { LineFlaw } from '../lines.js'
import { MAX_JSON_DEPTH, MAX_JSON_PARTS, Refusal } from '../rules.js'
import { flawRefusal, type Reader, type RecordSinks } from './format.js'
import { pythonToJson } from './python-literal.js'

export type JsonRecord = { readonly [name: string]: unknown }

/** One JSON object a line. `adapt` is what a dialect makes of it before its fields are read. */
export class JsonLinesReader implements Reader {
  constructor(
    private readonly sinks: RecordSinks,
    private readonly adapt: (record: JsonRecord) => JsonRecord = (record) => record,
  ) {}

  readonly line = (text: string, number: number, flaw?: LineFlaw): void => {
    if (flaw !== undefined) {
      this.sinks.refuse(number, flawRefusal(flaw, text))
      return
    }
    if (text.trim() === '') return
    const parsed = parseRecord(text)
    if (parsed === undefined) {
      this.sinks.refuse(number, new Refusal('record', 'one JSON object on the line', text))
      return
    }
    const record = this.adapt(parsed)
    this.sinks.record({
      line: number,
      names: Object.keys(record),
      values: Object.values(record),
      types: 'json',
    })
  }

  // Every line is a record, handed on at once.
  flush(): void {}
  end(): void {}
}

/** The object that a line holds, or undefined. */
export function parseRecord(text: string): JsonRecord | undefined {
  const value = parseLossless(text) ?? (/^\s*\{\s*'/.test(text) ? fromPython(text) : undefined)
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as JsonRecord)
    : undefined
}

function fromPython(text: string): unknown {
  const json = pythonToJson(text)
  return json === undefined ? undefined : parseLossless(json)
}

/** Lines beyond so many characters are looked through before they are parsed. */
const LONG_LINE = 2 ** 16

/**
 * Whether a long line has more values or levels than any record: parsed, 16 MB of brackets or of tiny keys would
 * need up to a gigabyte of memory.
 */
function isBomb(text: string): boolean {
  if (text.length < LONG_LINE) return false
  let parts = 0
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) at = endOfString(text, at) - 1
    else if (code === OPEN_BRACKET || code === OPEN_BRACE) {
      if (++depth > MAX_JSON_DEPTH) return true
      parts++
    } else if (code === CLOSE_BRACKET || code === CLOSE_BRACE) depth--
    else if (code === COMMA) parts++
    if (parts > MAX_JSON_PARTS) return true
  }
  return false
}

const [QUOTE, COMMA, OPEN_BRACKET, CLOSE_BRACKET, OPEN_BRACE, CLOSE_BRACE] = Buffer.from('",[]{}')

/** JSON.parse, but whole numbers that a double cannot hold become text with all their digits. */
function parseLossless(text: string): unknown {
  if (isBomb(text)) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return /\d{16}/.test(text) ? JSON.parse(quoteLongIntegers(text)) : value
  } catch {
    return undefined
  }
}

/** Puts quotes around the whole numbers beyond 2^53 of a valid JSON text. */
function quoteLongIntegers(json: string): string {
  const parts: string[] = []
  const number = /-?\d+(\.\d+)?([eE][+-]?\d+)?/g
  let at = 0
  while (at < json.length) {
    const quote = json.indexOf('"', at)
    const plain = json.slice(at, quote < 0 ? json.length : quote)
    parts.push(
      plain.replace(number, (digits, fraction?: string, exponent?: string) =>
        fraction === undefined && exponent === undefined && !Number.isSafeInteger(Number(digits))
          ? `"${digits}"`
          : digits,
      ),
    )
    if (quote < 0) break
    const end = endOfString(json, quote)
    parts.push(json.slice(quote, end))
    at = end
  }
  return parts.join('')
}

/** Where the string that starts at `quote` ends, behind its closing quote. */
function endOfString(json: string, quote: number): number {
  for (let at = quote + 1; at < json.length; at++) {
    const code = json.charCodeAt(at)
    if (code === 92) at++
    else if (code === 34) return at + 1
  }
  return json.length
}
