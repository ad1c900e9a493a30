import { TextrecError } from './errors.js'

/** How one option is checked: `expected` completes the sentence "must be ...". */
export interface Option<T> {
  readonly default: T
  readonly expected: string
  readonly accepts: (value: unknown) => boolean
}

/** One checked option per key: the only place where the defaults of a call are written. */
export type OptionTable<T> = { readonly [K in keyof T]-?: Option<T[K]> }

function isInteger(value: unknown, min: number, max: number): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max
}

/** A whole number from `min` to `max`, both included. */
export function integer(
  fallback: number,
  min: number,
  max: number = Number.MAX_SAFE_INTEGER,
): Option<number> {
  const top = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`
  return {
    default: fallback,
    expected: `a whole number ${top}`,
    accepts: (value) => isInteger(value, min, max),
  }
}

/** A finite number from `min` to `max`, both included. */
export function number(fallback: number, min: number, max: number): Option<number> {
  return {
    default: fallback,
    expected: `a number from ${min} to ${max}`,
    accepts: (value) => typeof value === 'number' && value >= min && value <= max,
  }
}

export function boolean(fallback: boolean): Option<boolean> {
  return { default: fallback, expected: 'true or false', accepts: (value) => typeof value === 'boolean' }
}

/** One of a fixed list of words. */
export function choice<T extends string>(fallback: T, words: readonly T[]): Option<T> {
  return {
    default: fallback,
    expected: `one of ${words.map((word) => `'${word}'`).join(', ')}`,
    accepts: (value) => typeof value === 'string' && (words as readonly string[]).includes(value),
  }
}

export function text(fallback: string): Option<string> {
  return {
    default: fallback,
    expected: 'a non-empty text',
    accepts: (value) => typeof value === 'string' && value !== '',
  }
}

/** An option that may be left out; `inner.default` is ignored. */
export function optional<T>(inner: Option<T>): Option<T | undefined> {
  return {
    default: undefined,
    expected: inner.expected,
    accepts: (value) => value === undefined || inner.accepts(value),
  }
}

/** A value whose type is checked elsewhere (a filter document, a matrix). */
export function anything<T>(fallback: T, expected = 'a value'): Option<T> {
  return { default: fallback, expected, accepts: () => true }
}

const signal: Option<AbortSignal | undefined> = {
  default: undefined,
  expected: 'an AbortSignal',
  accepts: (value) =>
    typeof value === 'object' && value !== null && 'aborted' in value && 'addEventListener' in value,
}
const onProgress: Option<((progress: never) => void) | undefined> = {
  default: undefined,
  expected: 'a function',
  accepts: (value) => typeof value === 'function',
}

/** The two options that every long call takes: they are called from workers, where it is too late to refuse them. */
export const longRunning = { signal, onProgress }

/**
 * Fills `given` up from the defaults of `table`.
 * @throws TextrecError OPTION_UNKNOWN for a name the table does not have (naming the nearest one that it
 *   has), OPTION_INVALID for a value out of range. A key that is present but undefined takes its default.
 */
export function resolveOptions<T extends object>(
  call: string,
  table: OptionTable<T>,
  given: Partial<T> = {},
): T {
  if (given === null || typeof given !== 'object' || Array.isArray(given)) {
    throw new TextrecError('OPTION_INVALID', `${call}: options must be one object.`, `Pass { name: value }.`)
  }
  const names = Object.keys(table) as (keyof T & string)[]
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(table, name)) {
      const near = nearest(name, names)
      throw new TextrecError(
        'OPTION_UNKNOWN',
        `${call}: there is no option '${name}'.`,
        near === undefined ? `Options are ${names.join(', ')}.` : `Did you mean '${near}'?`,
      )
    }
  }
  const resolved = {} as T
  for (const name of names) {
    const option = table[name]
    const value = given[name]
    if (value === undefined) {
      resolved[name] = option.default
    } else if (option.accepts(value)) {
      resolved[name] = value as T[typeof name]
    } else {
      throw new TextrecError(
        'OPTION_INVALID',
        `${call}: option '${name}' is ${show(value)}.`,
        `It must be ${option.expected}.`,
      )
    }
  }
  return resolved
}

/**
 * Of no class, in whatever realm it was made. Not so a Map or a Set, whose contents have no names: taken for an object
 * it would be an empty one.
 */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

/** A short, safe picture of a value for an error message. */
export function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value)
  if (typeof value === 'bigint') return `${value}n`
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (value === undefined) return 'undefined'
  if (!Array.isArray(value)) return isObject(value) ? namesShown(value) : `a ${typeof value}`
  const isShort = value.length > 0 && value.length <= MOST_SHOWN && value.every((one) => !isObject(one))
  return isShort ? `[${value.map(show).join(', ')}]` : `an array of ${value.length}`
}

function namesShown(value: object): string {
  const names = Object.keys(value)
  const some = names.slice(0, MOST_SHOWN).join(', ')
  return names.length === 0 ? 'an object' : `an object { ${some}${names.length > MOST_SHOWN ? ', ...' : ''} }`
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null
/** Elements of an array, or names of an object, that a message shows. */
const MOST_SHOWN = 5

/** The known name within two edits of `name`, for "did you mean". */
export function nearest(name: string, known: readonly string[]): string | undefined {
  let best: string | undefined
  // Two edits make any two letters into any others.
  let bestDistance = Math.min(3, name.length)
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase())
    if (distance < bestDistance) {
      bestDistance = distance
      best = candidate
    }
  }
  return best
}

/** Levenshtein distance, the two-row form. Names are short, so nothing cleverer is needed. */
function editDistance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 2) return 3
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const current = [i]
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)
      current[j] = Math.min(substitution, previous[j] + 1, current[j - 1] + 1)
    }
    previous = current
  }
  return previous[b.length]
}
