import { parseDate } from '../dates.js'
import { isPlainObject } from '../options.js'
import type { Attributes, AttributeValue } from '../types.js'
import { MAX_ATTRIBUTE_NAME, MAX_ATTRIBUTE_TEXT, MAX_ATTRIBUTES, MAX_DEPTH, Refusal } from './rules.js'
import { cleanText, decimal, type Origin } from './values.js'

/**
 * How the text values of a source are typed: by their form ('content', for CSV), as they are ('json'), or as a
 * RecBole header says.
 */
export type ColumnType = 'content' | 'json' | 'token' | 'token_seq' | 'float' | 'float_seq'

const MONEY = /^[$€£]\s?(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?$/
// An exponent needs its sign ('1e-05'): without one ('12E4') it is more often a part number.
const EXACT_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]\d{1,3})?$/

/** Gathers the attributes of one record. Nothing is stored under a name until its value is known to be sound. */
export class AttributeCollector {
  private readonly found: Record<string, AttributeValue> = {}
  private count = 0

  constructor(private readonly origin: Origin) {}

  /** The attributes, or undefined where there are none. */
  result(): Attributes | undefined {
    return this.count === 0 ? undefined : this.found
  }

  /** @throws Refusal by the rules of attributes. */
  add(name: string, value: unknown, type: ColumnType, depth = 0): void {
    if (value === null || value === undefined || value === '') return
    if (name === '__proto__') throw new Refusal(name, "an attribute name other than '__proto__'", value)
    if (isPlainObject(value)) {
      if (depth >= MAX_DEPTH) throw new Refusal(name, `nesting of at most ${MAX_DEPTH} levels`, value)
      for (const key of Object.keys(value)) {
        if (key === '__proto__') {
          throw new Refusal(`${name}.__proto__`, "an attribute name other than '__proto__'", value[key])
        }
        // Amazon's styles of 2018 are written {"Size:": " 7.0 oz"}'.
        this.add(`${name}.${key.trim().replace(/:$/, '')}`, value[key], type, depth + 1)
      }
      return
    }
    if (name.length > MAX_ATTRIBUTE_NAME) {
      throw new Refusal(name.slice(0, 60), `a name of at most ${MAX_ATTRIBUTE_NAME} characters`, name)
    }
    const typed = typedValue(name, value, type, this.origin)
    if (typed === undefined) return
    if (!Object.hasOwn(this.found, name)) this.count++
    if (this.count > MAX_ATTRIBUTES) throw new Refusal(name, `at most ${MAX_ATTRIBUTES} attributes`, value)
    this.found[name] = typed
  }
}

function typedValue(
  name: string,
  value: unknown,
  type: ColumnType,
  origin: Origin,
): AttributeValue | undefined {
  if (typeof value === 'boolean') return value
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new Refusal(name, 'a finite number', value)
    return value
  }
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw new Refusal(name, 'a date that exists', value)
    return value
  }
  if (Array.isArray(value)) return listOf(name, value, origin)
  if (typeof value !== 'string') throw new Refusal(name, 'a number, boolean, date, text or list', value)
  const text = cleanText(value, origin)
  if (text === undefined) return undefined
  if (text.length > MAX_ATTRIBUTE_TEXT) {
    throw new Refusal(name, `a text of at most ${MAX_ATTRIBUTE_TEXT} characters`, value)
  }
  return typedText(name, text, type, origin)
}

function typedText(name: string, text: string, type: ColumnType, origin: Origin): AttributeValue | undefined {
  if (type === 'token') return text
  if (type === 'token_seq' || type === 'float_seq') return text.split(/\s+/)
  if (type === 'float') {
    const number = decimal(text)
    if (number === undefined) throw new Refusal(name, 'a number, as its header says', text)
    return number
  }
  if (type === 'content') {
    const number = exactNumber(text)
    if (number !== undefined) return number
    if (/^true$/i.test(text)) return true
    if (/^false$/i.test(text)) return false
    const list = text[0] === '[' ? jsonList(text) : undefined
    if (list !== undefined) return list.length === 0 ? undefined : listOf(name, list, origin)
  }
  const money = text.length <= 32 ? MONEY.exec(text) : null
  if (money !== null) return Number(money[1].replaceAll(',', '') + (money[2] ?? ''))
  if (/price$/i.test(name)) {
    const number = exactNumber(text)
    if (number !== undefined) return number
  }
  const date = parseDate(text)
  // Amazon's 'MM DD, YYYY' is a form of time fields; in an attribute only ISO dates are told from text.
  if (date !== undefined && !Number.isNaN(date) && /^\d{4}-\d{2}-\d{2}/.test(text)) return new Date(date)
  return text
}

/** The number of a text that is one and loses nothing by becoming one: '007' and '9007199254740993' stay text. */
function exactNumber(text: string): number | undefined {
  if (text.length > 32 || !EXACT_NUMBER.test(text)) return undefined
  const number = Number(text)
  if (!Number.isFinite(number)) return undefined
  return Number.isInteger(number) && !Number.isSafeInteger(number) ? undefined : number
}

function jsonList(text: string): unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return Array.isArray(value) && value.every((part) => typeof part !== 'object') ? value : undefined
  } catch {
    return undefined
  }
}

/** A list of texts: nested arrays are flattened and repeats dropped; arrays of objects are kept as JSON text. */
function listOf(name: string, values: readonly unknown[], origin: Origin): AttributeValue | undefined {
  const flat = flatten(name, values)
  if (flat.some((part) => typeof part === 'object' && part !== null)) {
    const text = jsonText(name, values)
    if (text.length > MAX_ATTRIBUTE_TEXT) {
      throw new Refusal(name, `at most ${MAX_ATTRIBUTE_TEXT} characters of nested data`, values)
    }
    return text
  }
  const texts = new Set<string>()
  let length = 0
  for (const part of flat) {
    const text = part === null || part === undefined ? undefined : cleanText(String(part), origin)
    if (text === undefined || texts.has(text)) continue
    length += text.length
    texts.add(text)
  }
  if (length > MAX_ATTRIBUTE_TEXT) {
    throw new Refusal(name, `a list of at most ${MAX_ATTRIBUTE_TEXT} characters`, values)
  }
  return texts.size === 0 ? undefined : [...texts]
}

function jsonText(name: string, values: readonly unknown[]): string {
  try {
    return JSON.stringify(values)
  } catch {
    throw new Refusal(name, `nesting of at most ${MAX_DEPTH} levels`, values) // the stack ran out
  }
}

function flatten(name: string, values: readonly unknown[], depth = 0, into: unknown[] = []): unknown[] {
  if (depth >= MAX_DEPTH) throw new Refusal(name, `nesting of at most ${MAX_DEPTH} levels`, values)
  for (const value of values) {
    if (Array.isArray(value)) flatten(name, value, depth + 1, into)
    else into.push(value)
  }
  return into
}
