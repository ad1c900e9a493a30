import { TextrecError } from '../errors.js'
import { nearest, show } from '../options.js'
import type { Connection, Value } from './sqlite.js'

export type FilterValue = string | number | boolean | Date

/** What may be asked of one attribute. */
export interface FilterTests {
  readonly $eq?: FilterValue
  readonly $ne?: FilterValue
  readonly $in?: readonly FilterValue[]
  readonly $nin?: readonly FilterValue[]
  readonly $gt?: string | number | Date
  readonly $gte?: string | number | Date
  readonly $lt?: string | number | Date
  readonly $lte?: string | number | Date
  readonly $exists?: boolean
  readonly $not?: FilterTests
}

/**
 * Which items may be answered with: a document in the manner of MongoDB. `{ brand: 'Yamaha' }` is short for
 * `{ brand: { $eq: 'Yamaha' } }`; several fields must all hold.
 *
 * - A field is an attribute's name, or `id` or `title`.
 * - `$eq $in $gt $gte $lt $lte` hold if the attribute has the operand's type and passes; of a list, if any
 *   element does. Numbers and booleans are never equal to texts. Texts compare by code points. A text that is
 *   an ISO 8601 date also compares with dates.
 * - `$ne $nin $not` are the exact opposites of `$eq $in` and what they enclose: an item without the attribute
 *   passes, and a list passes if no element is equal.
 * - `$exists` asks whether the attribute is there, be it an empty list.
 */
export type Filter = {
  readonly $and?: readonly Filter[]
  readonly $or?: readonly Filter[]
  readonly $not?: Filter
} & { readonly [field: string]: FilterValue | FilterTests | Filter | readonly Filter[] | undefined }

const DEEPEST = 32
const MOST_TESTS = 1_000
const MOST_VALUES = 10_000
const OPERATORS = ['$eq', '$ne', '$in', '$nin', '$gt', '$gte', '$lt', '$lte', '$exists', '$not']
const COMPARISONS: { readonly [operator: string]: string } = { $gt: '>', $gte: '>=', $lt: '<', $lte: '<=' }
const LOGIC = ['$and', '$or', '$not']

/** A date, or a date and a time, as ISO 8601 writes them. */
const ISO_DATE = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})?)?$/

/** The keys of all items that pass, in ascending order. @throws OPTION_INVALID naming the place in the filter. */
export function filterItems(db: Connection, filter: Filter): Int32Array {
  const { sql, values } = compileFilter(filter)
  const rows = db.prepareRawPassing<[number]>(`SELECT key FROM item WHERE ${sql} ORDER BY key`).all(...values)
  return Int32Array.from(rows, ([key]) => key)
}

/** A condition on `item` whose only parts from outside are bound values. */
export function compileFilter(filter: Filter): { sql: string; values: Value[] } {
  const compiler = new Compiler()
  const sql = compiler.document(filter, 'filter', 0)
  return { sql, values: compiler.values }
}

/** Walks a filter once: SQL is put together from constants, what the filter says goes to `values`. */
class Compiler {
  readonly values: Value[] = []
  private tests = 0
  private operands = 0

  document(filter: unknown, path: string, depth: number): string {
    if (depth > DEEPEST) refuse(path, `is nested more than ${DEEPEST} deep`, 'Make it flatter.')
    const parts: string[] = []
    for (const [name, value] of entries(filter, path)) {
      const here = `${path}.${name}`
      if (name === '$and' || name === '$or') {
        if (!Array.isArray(value)) refuse(here, `is ${show(value)}`, 'It must be an array of filters.')
        const inner = value.map((part, i) => this.document(part, `${here}[${i}]`, depth + 1))
        parts.push(join(inner, name === '$and' ? 'AND' : 'OR'))
      } else if (name === '$not') {
        parts.push(`NOT ${this.document(value, here, depth + 1)}`)
      } else if (name.startsWith('$')) {
        refuse(here, 'is not an operator', suggestion(name, LOGIC))
      } else {
        parts.push(this.field(name, value, here, depth + 1))
      }
    }
    return join(parts, 'AND')
  }

  private field(name: string, tests: unknown, path: string, depth: number): string {
    if (depth > DEEPEST) refuse(path, `is nested more than ${DEEPEST} deep`, 'Make it flatter.')
    const isTests =
      tests !== null && typeof tests === 'object' && !Array.isArray(tests) && !(tests instanceof Date)
    if (!isTests) return this.anyOf(name, '=', [tests], path)
    const parts: string[] = []
    const given = entries(tests, path)
    if (given.length === 0) refuse(path, 'has no test', 'Write { $exists: true } to ask whether it is there.')
    for (const [operator, operand] of given) {
      const here = `${path}.${operator}`
      if (operator === '$eq') parts.push(this.anyOf(name, '=', [operand], here))
      else if (operator === '$ne') parts.push(`NOT ${this.anyOf(name, '=', [operand], here)}`)
      else if (operator === '$in') parts.push(this.anyOf(name, '=', list(operand, here), here))
      else if (operator === '$nin') parts.push(`NOT ${this.anyOf(name, '=', list(operand, here), here)}`)
      else if (operator === '$exists') parts.push(this.exists(name, operand, here))
      else if (operator === '$not')
        parts.push(`NOT ${this.field(name, asTests(operand, here), here, depth + 1)}`)
      else if (Object.hasOwn(COMPARISONS, operator)) parts.push(this.compare(name, operator, operand, here))
      else refuse(here, 'is not an operator', suggestion(operator, OPERATORS))
    }
    return join(parts, 'AND')
  }

  private compare(name: string, operator: string, operand: unknown, path: string): string {
    if (typeof operand === 'boolean') refuse(path, 'is a boolean', 'Booleans have no order: use $eq.')
    return this.anyOf(name, COMPARISONS[operator], [operand], path)
  }

  private exists(name: string, operand: unknown, path: string): string {
    if (typeof operand !== 'boolean') refuse(path, `is ${show(operand)}`, 'It must be true or false.')
    this.count(path, 0)
    const not = operand ? '' : 'NOT '
    if (name === 'id') return operand ? '1' : '0'
    if (name === 'title') return `${not}(title IS NOT NULL)`
    this.values.push(name)
    return `${not}(key IN (SELECT item FROM item_attribute WHERE ${NAMED}))`
  }

  /** True for items of which some value of the attribute passes for some operand. */
  private anyOf(name: string, comparison: string, operands: readonly unknown[], path: string): string {
    const byKind = new Map<string, Value[]>()
    this.count(path, operands.length)
    for (const operand of operands) {
      for (const [kind, value] of typed(operand, path)) {
        const values = byKind.get(kind)
        if (values === undefined) byKind.set(kind, [value])
        else values.push(value)
      }
    }
    if (byKind.size === 0) return '0'
    if (name === 'id' || name === 'title') {
      // A missing title is NULL, and NOT of a NULL would be NULL: ifnull makes it plain false.
      const texts = byKind.get('t') ?? []
      return texts.length === 0 ? '0' : `ifnull(${name} ${this.against(comparison, texts)}, 0)`
    }
    const parts: string[] = []
    for (const [kind, values] of byKind) {
      this.values.push(name)
      parts.push(`key IN (SELECT item FROM item_attribute WHERE ${NAMED} AND kind = '${kind}'
        AND value ${this.against(comparison, values)})`)
    }
    return join(parts, 'OR')
  }

  private against(comparison: string, values: readonly Value[]): string {
    this.values.push(...values)
    return comparison === '=' ? `IN (${values.map(() => '?').join(',')})` : `${comparison} ?`
  }

  private count(path: string, operands: number): void {
    this.tests++
    this.operands += operands
    if (this.tests > MOST_TESTS)
      refuse(path, `is test number ${this.tests}`, `A filter has at most ${MOST_TESTS}.`)
    if (this.operands > MOST_VALUES)
      refuse(path, 'is one value too many', `A filter has at most ${MOST_VALUES}.`)
  }
}

const NAMED = 'name = (SELECT key FROM attribute_name WHERE name = ?)'

/** Joined as a balanced tree, because SQLite bounds the depth of an expression. */
function join(parts: readonly string[], word: 'AND' | 'OR'): string {
  if (parts.length === 0) return word === 'AND' ? '1' : '0'
  if (parts.length === 1) return `(${parts[0]})`
  const half = parts.length >> 1
  return `(${join(parts.slice(0, half), word)} ${word} ${join(parts.slice(half), word)})`
}

/** The kinds of stored values that an operand compares with. */
function typed(operand: unknown, path: string): [kind: string, value: Value][] {
  if (typeof operand === 'number' && Number.isFinite(operand)) return [['n', operand]]
  if (typeof operand === 'boolean') return [['b', operand ? 1 : 0]]
  if (operand instanceof Date && !Number.isNaN(operand.getTime())) return [['d', operand.getTime()]]
  if (typeof operand === 'string') {
    const date = ISO_DATE.test(operand) ? Date.parse(operand) : Number.NaN
    return Number.isNaN(date)
      ? [['t', operand]]
      : [
          ['t', operand],
          ['d', date],
        ]
  }
  if (operand === null || operand === undefined) {
    refuse(path, `is ${operand}`, 'To ask for a missing attribute, write { $exists: false }.')
  }
  if (Array.isArray(operand))
    refuse(path, 'is an array', 'To ask for any of several values, write { $in: [...] }.')
  refuse(path, `is ${show(operand)}`, 'It must be a text, a finite number, a boolean or a date.')
}

function list(operand: unknown, path: string): readonly unknown[] {
  if (!Array.isArray(operand)) refuse(path, `is ${show(operand)}`, 'It must be an array of values.')
  return operand
}

function asTests(operand: unknown, path: string): object {
  if (operand === null || typeof operand !== 'object' || Array.isArray(operand) || operand instanceof Date) {
    refuse(
      path,
      `is ${show(operand)}`,
      'It must enclose tests, as in { $not: { $gt: 3 } }; for one value use $ne.',
    )
  }
  return operand
}

/** The own entries of a plain object whose values are given. */
function entries(value: unknown, path: string): [string, unknown][] {
  if (value === null || typeof value !== 'object' || Array.isArray(value) || value instanceof Date) {
    refuse(path, `is ${show(value)}`, 'It must be an object of fields and operators.')
  }
  return Object.entries(value)
}

function suggestion(name: string, known: readonly string[]): string {
  const near = nearest(name, known)
  return near === undefined ? `Operators here are ${known.join(', ')}.` : `Did you mean '${near}'?`
}

function refuse(path: string, fact: string, remedy: string): never {
  throw new TextrecError('OPTION_INVALID', `${path} ${fact}.`, remedy)
}
