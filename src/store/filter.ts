import { isPlainObject, nearest, show } from '../options.js'
import { type AllItems, addKeys, type Bits, both, either, KeySet, without } from './bits.js'
import type { Columns } from './columns.js'
import { COMPARISONS, limitOf, list, type Operand, refuse, TYPES, typed } from './filter-operands.js'
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
 *   element does. Numbers and booleans are never equal to texts. Texts compare by code points.
 * - A text that is a written date also compares with dates, and stands for all of it: '1980' for the year, '1980-05' for
 *   the month, '1980-05-17' for the day (UTC), so that `$lte: '1980'` reaches to its end, `$gt: '1980'` begins after it
 *   and `$eq: '1980'` is anywhere within. With a time it is that moment.
 * - `$ne $nin $not` are the exact opposites of `$eq $in` and what they enclose: an item without the attribute
 *   passes, and a list passes if no element is equal.
 * - `$exists` asks whether the attribute is there, be it an empty list.
 * - An attribute that no item ever had is most often misspelt, and no item could pass: it is refused, except under
 *   `$exists`, `$ne`, `$nin` and `$not`, for which every item may. So is an operand of a type that no item has there,
 *   such as the text '20' for a price in numbers.
 */
export type Filter = {
  readonly $and?: readonly Filter[]
  readonly $or?: readonly Filter[]
  readonly $not?: Filter
} & { readonly [field: string]: FilterValue | FilterTests | Filter | readonly Filter[] | undefined }

const DEEPEST = 32
const MOST_TESTS = 1_000
const MOST_VALUES = 10_000
/** Attributes that a refusal lists. */
const MOST_NAMED = 20
const OPERATORS = ['$eq', '$ne', '$in', '$nin', '$gt', '$gte', '$lt', '$lte', '$exists', '$not']
const LOGIC = ['$and', '$or', '$not']

/**
 * All items that pass.
 * Every test is one look-up in an index of attribute values; what they find is combined as bits, one per key.
 * SQL is put together from constants only: whatever the filter says is a bound value.
 * @throws OPTION_INVALID naming the place in the filter.
 */
export function filterItems(db: Connection, all: AllItems, columns: Columns, filter: Filter): KeySet {
  return db.read(() => {
    const evaluation = new Evaluation(db, all, columns)
    const bits = evaluation.document(filter, 'filter', 0)
    evaluation.requireKnown()
    return new KeySet(bits)
  })
}

/**
 * @param path who asks, for the message @param also names that are as good as attributes there
 * @throws OPTION_INVALID for an attribute that no item ever had, with the nearest one that there is
 */
export function requireAttribute(
  db: Connection,
  name: string,
  path: string,
  also: readonly string[] = [],
): void {
  const isThere = db.prepareRaw<[number]>('SELECT key FROM attribute_name WHERE name = ?').get(name)
  if (isThere !== undefined || also.includes(name)) return
  const known = db.prepareRaw<[string]>('SELECT name FROM attribute_name ORDER BY name').all()
  const names = [...also, ...known.map(([one]) => one)]
  const near = nearest(name, names)
  const some = `${names.slice(0, MOST_NAMED).join(', ')}${names.length > MOST_NAMED ? ', ...' : ''}`
  const remedy = names.length === 0 ? 'Items here have none.' : `There are ${some}.`
  refuse(
    path,
    'asks for an attribute that no item has',
    near === undefined ? remedy : `Did you mean '${near}'?`,
  )
}

/** One walk over one filter, within one read transaction. */
class Evaluation {
  private readonly size: number
  private tests = 0
  private operands = 0
  /** How many negations enclose what is being walked. */
  private negations = 0
  /** The attributes of which a value is asked for, each with the first place that asks. */
  private readonly asked = new Map<string, string>()
  /** Tests that no item passes, each with the types of value that could have. */
  private readonly failed: { readonly name: string; readonly path: string; readonly kinds: Set<string> }[] =
    []

  constructor(
    private readonly db: Connection,
    private readonly all: AllItems,
    private readonly columns: Columns,
  ) {
    this.size = all.size()
  }

  /** What passes all parts of a document. */
  document(filter: unknown, path: string, depth: number): Bits {
    if (depth > DEEPEST) refuse(path, `is nested more than ${DEEPEST} deep`, 'Make it flatter.')
    const parts: Bits[] = []
    for (const [name, value] of entries(filter, path)) {
      const here = `${path}.${name}`
      if (name === '$and' || name === '$or') {
        if (!Array.isArray(value)) refuse(here, `is ${show(value)}`, 'It must be an array of filters.')
        const inner = value.map((one, i) => this.document(one, `${here}[${i}]`, depth + 1))
        parts.push(name === '$and' ? this.every(inner) : inner.reduce(either, this.nothing()))
      } else if (name === '$not') {
        parts.push(this.negated(() => this.document(value, here, depth + 1)))
      } else if (name.startsWith('$')) {
        refuse(here, 'is not an operator', suggestion(name, LOGIC))
      } else {
        parts.push(this.field(name, value, here, depth + 1))
      }
    }
    return this.every(parts)
  }

  /**
   * @throws OPTION_INVALID for an attribute that no item ever had, and for an operand of a type that it never has. After
   *   the walk, whose own refusals come first.
   */
  requireKnown(): void {
    for (const [name, path] of this.asked) requireAttribute(this.db, name, path, ['id', 'title'])
    for (const { name, path, kinds } of this.failed) {
      const held = this.kindsOf(name)
      if (held.length === 0 || held.some((kind) => kinds.has(kind))) continue
      const [are, written] = [held.map((kind) => TYPES[kind].is), held.map((kind) => TYPES[kind].written)]
      refuse(
        path,
        `cannot be: the values of '${name}' are ${are.join(' or ')}`,
        `Write ${written.join(', or ')}.`,
      )
    }
  }

  /** The types that values of an attribute have. */
  private kindsOf(name: string): string[] {
    if (name === 'id' || name === 'title') return ['t']
    const isThere = this.db.prepareRaw<[number]>(
      `SELECT EXISTS (SELECT 1 FROM item_attribute
         WHERE name = (SELECT key FROM attribute_name WHERE name = ?) AND kind = ?)`,
    )
    return Object.keys(TYPES).filter((kind) => isThere.get(name, kind)?.[0] === 1)
  }

  /** Notes a test that nothing passes, unless it is turned round: then everything does. */
  private noteFailure(bits: Bits, name: string, path: string, operands: readonly Operand[]): void {
    if (this.negations > 0 || operands.length === 0 || bits.includes(1)) return
    this.failed.push({ name, path, kinds: new Set(operands.map(({ kind }) => kind)) })
  }

  private field(name: string, tests: unknown, path: string, depth: number): Bits {
    if (depth > DEEPEST) refuse(path, `is nested more than ${DEEPEST} deep`, 'Make it flatter.')
    const isTests =
      tests !== null && typeof tests === 'object' && !Array.isArray(tests) && !(tests instanceof Date)
    if (!isTests) return this.equalAny(name, [tests], path)
    const given = entries(tests, path)
    if (given.length === 0) refuse(path, 'has no test', 'Write { $exists: true } to ask whether it is there.')
    const parts: Bits[] = []
    const bounds: Bound[] = []
    for (const [operator, operand] of given) {
      const here = `${path}.${operator}`
      if (operator === '$eq') parts.push(this.equalAny(name, [operand], here))
      else if (operator === '$ne') parts.push(this.negated(() => this.equalAny(name, [operand], here)))
      else if (operator === '$in') parts.push(this.equalAny(name, list(operand, here), here))
      else if (operator === '$nin')
        parts.push(this.negated(() => this.equalAny(name, list(operand, here), here)))
      else if (operator === '$exists') parts.push(this.exists(name, operand, here))
      else if (operator === '$not') {
        parts.push(this.negated(() => this.field(name, asTests(operand, here), here, depth + 1)))
      } else if (Object.hasOwn(COMPARISONS, operator)) bounds.push(this.bound(name, operator, operand, here))
      else refuse(here, 'is not an operator', suggestion(operator, OPERATORS))
    }
    if (bounds.length > 0) parts.push(this.within(name, bounds))
    return this.every(parts)
  }

  private exists(name: string, operand: unknown, path: string): Bits {
    if (typeof operand !== 'boolean') refuse(path, `is ${show(operand)}`, 'It must be true or false.')
    this.count(path, 0)
    const there = this.nothing()
    if (name === 'id') there.set(this.all.get())
    else if (name === 'title') addKeys(there, this.db, `${COLUMN} title IS NOT NULL`, [])
    else addKeys(there, this.db, ROWS, [name])
    return operand ? there : this.not(there)
  }

  /** Items of which some value of the attribute equals some operand. */
  private equalAny(name: string, given: readonly unknown[], path: string): Bits {
    this.count(path, given.length)
    this.ask(name, path)
    const operands = given.flatMap((operand) => typed(operand, path))
    const byKind = new Map<string, Value[]>()
    const bits = this.nothing()
    for (const { kind, from, to } of operands) {
      if (to !== from) this.select(bits, name, kind, '>= ? AND value < ?', [from, to])
      else if (byKind.has(kind)) byKind.get(kind)?.push(from)
      else byKind.set(kind, [from])
    }
    for (const [kind, values] of byKind) {
      this.select(bits, name, kind, `IN (${values.map(() => '?').join(',')})`, values)
    }
    this.noteFailure(bits, name, path, operands)
    return bits
  }

  private bound(name: string, operator: string, operand: unknown, path: string): Bound {
    this.count(path, 1)
    this.ask(name, path)
    if (typeof operand === 'boolean') refuse(path, 'is a boolean', 'Booleans have no order: use $eq.')
    return { path, operator, operands: typed(operand, path) }
  }

  /** Items of which, for each bound, some value of the attribute keeps it. */
  private within(name: string, bounds: readonly Bound[]): Bits {
    const bits = this.range(name, bounds) ?? this.every(bounds.map((bound) => this.keeping(name, bound)))
    for (const { path, operands } of bounds) this.noteFailure(bits, name, path, operands)
    return bits
  }

  /**
   * The same where all bounds are numbers, or all are moments: these are never in lists, so one value has to keep all the
   * bounds, and one range is read. Undefined for others.
   */
  private range(name: string, bounds: readonly Bound[]): Bits | undefined {
    const { kind } = bounds[0].operands[0]
    const isRange = bounds.every(({ operands }) => operands.length === 1 && operands[0].kind === kind)
    if (kind === 't' || !isRange || name === 'id' || name === 'title') return undefined
    const limits = bounds.map((bound) => {
      const { comparison, value } = limitOf(bound.operator, bound.operands[0])
      return { comparison, value: value as number }
    })
    const known = this.columns.range(name, kind, limits)
    if (known !== undefined) return this.marked(known)
    const condition = limits.map(({ comparison }) => `${comparison} ?`).join(' AND value ')
    const bits = this.nothing()
    this.select(
      bits,
      name,
      kind,
      condition,
      limits.map(({ value }) => value),
    )
    return bits
  }

  /** Items of which some value keeps the bound. */
  private keeping(name: string, { operator, operands }: Bound): Bits {
    const bits = this.nothing()
    for (const operand of operands) {
      const { comparison, value } = limitOf(operator, operand)
      this.select(bits, name, operand.kind, `${comparison} ?`, [value])
    }
    return bits
  }

  /** Marks the items with a value of this kind that meets the condition. */
  private select(bits: Bits, name: string, kind: string, condition: string, values: readonly Value[]): void {
    if (name !== 'id' && name !== 'title') {
      addKeys(bits, this.db, `${ROWS} AND kind = '${kind}' AND value ${condition}`, [name, ...values])
    } else if (kind === 't') addKeys(bits, this.db, `${COLUMN} ${name} ${condition}`, values)
  }

  /** What is in all of them; every item if there are none. */
  private every(parts: readonly Bits[]): Bits {
    return parts.length === 0 ? this.all.get() : parts.reduce(both)
  }

  private marked(keys: Int32Array): Bits {
    const bits = this.nothing()
    for (let i = 0; i < keys.length; i++) bits[keys[i]] = 1
    return bits
  }

  private nothing(): Bits {
    return new Uint8Array(this.size)
  }

  private negated(walk: () => Bits): Bits {
    this.negations++
    const bits = walk()
    this.negations--
    return this.not(bits)
  }

  private ask(name: string, path: string): void {
    if (this.negations === 0 && !this.asked.has(name)) this.asked.set(name, path)
  }

  private not(bits: Bits): Bits {
    return without(this.all.get(), bits)
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

/** One of $gt, $gte, $lt and $lte. */
interface Bound {
  readonly path: string
  readonly operator: string
  readonly operands: readonly Operand[]
}

const ROWS =
  'SELECT group_concat(item) FROM item_attribute WHERE name = (SELECT key FROM attribute_name WHERE name = ?)'
const COLUMN = 'SELECT group_concat(key) FROM item WHERE'

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

/** The own entries of a plain object. A Map, say, has none, and would let everything pass. */
function entries(value: unknown, path: string): [string, unknown][] {
  if (!isPlainObject(value))
    refuse(path, `is ${show(value)}`, 'It must be a plain object of fields and operators.')
  return Object.entries(value)
}

function suggestion(name: string, known: readonly string[]): string {
  const near = nearest(name, known)
  return near === undefined ? `Operators here are ${known.join(', ')}.` : `Did you mean '${near}'?`
}
