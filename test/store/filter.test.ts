import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Filter, FilterTests, FilterValue, Store } from '#src/store/index.js'
import { openStore } from './temporary.js'

type Value = string | number | boolean | Date | readonly string[]
interface Thing {
  readonly id: string
  readonly title?: string
  readonly attributes?: { readonly [name: string]: Value }
}

// The oracle: the documented meaning of a filter, evaluated on plain objects.

const WRITTEN = /^(\d{4})(?:-(\d\d))?(?:-(\d\d))?(?:T(\d\d:\d\d)(:\d\d)?Z?)?$/

/** The first and the last moment that a written date stands for; undefined for what is none. */
function momentsOf(text: string): readonly [first: number, last: number] | undefined {
  const parts = WRITTEN.exec(text)
  if (parts === null) return undefined
  const [, year, month, day, clock, second = ':00'] = parts
  const at = (y: number, m: number, d: number) => Date.UTC(y, m, d)
  const [y, m, d] = [Number(year), Number(month ?? 1) - 1, Number(day ?? 1)]
  const exists = m < 12 && new Date(at(y, m, d)).getUTCDate() === d
  if (!exists) return undefined
  if (clock !== undefined) {
    const moment = Date.parse(`${text.slice(0, 10)}T${clock}${second}Z`)
    return [moment, moment]
  }
  const next = month === undefined ? at(y + 1, m, d) : day === undefined ? at(y, m + 1, d) : at(y, m, d + 1)
  return [at(y, m, d), next - 1]
}

function codePoints(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

/** -1, 0 or 1, or undefined where the two do not compare. */
function compare(value: Value, operand: FilterValue): number | undefined {
  if (value instanceof Date) {
    const moments =
      operand instanceof Date
        ? [operand.getTime(), operand.getTime()]
        : typeof operand === 'string'
          ? momentsOf(operand)
          : undefined
    if (moments === undefined) return undefined
    const [first, last] = moments
    return value.getTime() < first ? -1 : value.getTime() > last ? 1 : 0
  }
  if (typeof value !== typeof operand || operand instanceof Date) return undefined
  if (typeof value === 'string') return codePoints(value, operand as string)
  return Math.sign(Number(value) - Number(operand))
}

function any(value: Value | undefined, operand: FilterValue, passes: (sign: number) => boolean): boolean {
  const values = value === undefined ? [] : Array.isArray(value) ? (value as string[]) : [value as Value]
  return values.some((one) => {
    const sign = compare(one, operand)
    return sign !== undefined && passes(sign)
  })
}

function passesTests(value: Value | undefined, tests: FilterTests | FilterValue): boolean {
  if (typeof tests !== 'object' || tests instanceof Date) return any(value, tests, (sign) => sign === 0)
  const equal = (operand: FilterValue) => any(value, operand, (sign) => sign === 0)
  return Object.entries(tests).every(([operator, operand]) => {
    if (operator === '$eq') return equal(operand)
    if (operator === '$ne') return !equal(operand)
    if (operator === '$in') return operand.some(equal)
    if (operator === '$nin') return !operand.some(equal)
    if (operator === '$gt') return any(value, operand, (sign) => sign > 0)
    if (operator === '$gte') return any(value, operand, (sign) => sign >= 0)
    if (operator === '$lt') return any(value, operand, (sign) => sign < 0)
    if (operator === '$lte') return any(value, operand, (sign) => sign <= 0)
    if (operator === '$exists') return (value !== undefined) === operand
    return !passesTests(value, operand)
  })
}

function own(attributes: NonNullable<Thing['attributes']>, name: string): Value | undefined {
  return Object.hasOwn(attributes, name) ? attributes[name] : undefined
}

function passes(thing: Thing, filter: Filter): boolean {
  return Object.entries(filter).every(([name, part]) => {
    if (name === '$and') return (part as Filter[]).every((one) => passes(thing, one))
    if (name === '$or') return (part as Filter[]).some((one) => passes(thing, one))
    if (name === '$not') return !passes(thing, part as Filter)
    const value =
      name === 'id' ? thing.id : name === 'title' ? thing.title : own(thing.attributes ?? {}, name)
    return passesTests(value, part as FilterTests)
  })
}

type Kind = 'number' | 'boolean' | 'date' | 'text'

/** What values an operand compares with. */
function comparesWith(operand: FilterValue): Kind[] {
  if (typeof operand === 'number') return ['number']
  if (typeof operand === 'boolean') return ['boolean']
  if (operand instanceof Date) return ['date']
  return momentsOf(operand) === undefined ? ['text'] : ['text', 'date']
}

function kindsHeld(catalogue: readonly Thing[], name: string): Kind[] {
  if (name === 'id' || name === 'title') return ['text']
  return catalogue.flatMap(({ attributes = {} }): Kind[] => {
    const value = own(attributes, name)
    if (value === undefined) return []
    if (Array.isArray(value)) return value.length === 0 ? [] : ['text']
    if (value instanceof Date) return ['date']
    return [typeof value === 'string' ? 'text' : (typeof value as Kind)]
  })
}

/** Whether some test that is not turned round asks for a type that no item has there. */
function asksForNoType(catalogue: readonly Thing[], filter: Filter): boolean {
  return Object.entries(filter).some(([name, part]) => {
    if (name === '$and' || name === '$or')
      return (part as Filter[]).some((one) => asksForNoType(catalogue, one))
    if (name === '$not') return false
    const held = kindsHeld(catalogue, name)
    const cannot = (operands: readonly FilterValue[]) =>
      held.length > 0 &&
      operands.length > 0 &&
      !operands.flatMap(comparesWith).some((kind) => held.includes(kind))
    if (typeof part !== 'object' || part instanceof Date) return cannot([part as FilterValue])
    return Object.entries(part as FilterTests).some(([operator, operand]) => {
      if (['$ne', '$nin', '$not', '$exists'].includes(operator)) return false
      return cannot(operator === '$in' ? operand : [operand])
    })
  })
}

// The generators: few values, so that tests hit and miss about as often.

const INJECTIONS = [
  "'",
  "x'; DROP TABLE item; --",
  '") OR 1=1 --',
  '%',
  '\\',
  '$eq',
  '__proto__',
  'a\0b',
  '?',
]
const often = <T>(common: readonly T[], rare: readonly T[]) =>
  fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...common) },
    { weight: 1, arbitrary: fc.constantFrom(...rare) },
  )
const words = often(
  ['a', 'b', 'B'],
  ['', 'é', 'e\u0301', '\uffee', '😀', '1', 'true', '2020-01-02', ...INJECTIONS],
)
const numbers = often([1, 2], [-1.5, -0, 0, 2.5, 1e300, 1_577_923_200_000])
const dates = fc
  .constantFrom('2019-12-31T23:59:59.999Z', '2020-01-01', '2020-01-02T12:30:00Z', '2020-02-01')
  .map((iso) => new Date(iso))
const written = often(
  ['2020', '2020-01', '2020-01-02'],
  ['2019', '2020-02', '2020-01-02T12:30', '2020-01-02T12:30:00Z', '2020-13', '2020-02-30', '20201'],
)
const ordered = fc.oneof(
  { weight: 4, arbitrary: words },
  { weight: 3, arbitrary: numbers },
  { weight: 1, arbitrary: dates },
  { weight: 1, arbitrary: written },
)
const scalar: fc.Arbitrary<FilterValue> = fc.oneof({ weight: 5, arbitrary: ordered }, fc.boolean())
const value: fc.Arbitrary<Value> = fc.oneof(scalar, fc.array(words, { maxLength: 3, size: 'max' }))
const NAMES = ['a', '__proto__', '\'"; --']
const names = fc.constantFrom(...NAMES)
const attributes = fc
  .array(fc.tuple(names, value), { maxLength: 8, size: 'max' })
  .map((entries) => Object.fromEntries(entries))

const things = fc
  .array(fc.record({ title: fc.constantFrom('a', 'b', 'é', "'"), attributes }, { requiredKeys: [] }), {
    minLength: 15,
    maxLength: 25,
    size: 'max',
  })
  .map((list): Thing[] => list.map((thing, i) => ({ id: `i${i}`, ...thing })))

const operators = {
  $eq: scalar,
  $ne: scalar,
  $in: fc.array(scalar, { maxLength: 4, size: 'max' }),
  $nin: fc.array(scalar, { maxLength: 4, size: 'max' }),
  $gt: ordered,
  $gte: ordered,
  $lt: ordered,
  $lte: ordered,
  $exists: fc.boolean(),
}
const testsOf = fc.letrec<{ tests: FilterTests }>((tie) => {
  const one = fc.oneof(
    ...Object.entries({ ...operators, $not: tie('tests') }).map(([operator, operand]) =>
      fc.tuple(fc.constant(operator), operand as fc.Arbitrary<unknown>),
    ),
  )
  return { tests: fc.oneof(fc.tuple(one), fc.tuple(one, one)).map((tests) => Object.fromEntries(tests)) }
}).tests
const filters = fc.letrec<{ filter: Filter }>((tie) => {
  const part = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.tuple(
        fc.oneof({ weight: 5, arbitrary: names }, fc.constantFrom('id', 'title')),
        fc.oneof(scalar, testsOf),
      ),
    },
    {
      weight: 1,
      arbitrary: fc.tuple(
        fc.constantFrom('$and', '$or'),
        fc.array(tie('filter'), { maxLength: 3, size: 'max' }),
      ),
    },
    { weight: 1, arbitrary: fc.tuple(fc.constant('$not'), tie('filter')) },
  )
  return {
    filter: fc
      .oneof(
        { weight: 4, arbitrary: part.map((one) => [one]) },
        { weight: 2, arbitrary: fc.tuple(part, part) },
        { weight: 1, arbitrary: fc.constant([]) },
      )
      .map((parts) => Object.fromEntries(parts as [string, never][]) as Filter),
  }
}).filter

function answer(store: Store, filter: Filter): string[] {
  return store.itemIds(store.filterItems(filter)) as string[]
}

describe('filterItems', () => {
  test('agrees with the oracle on 6,000 generated filters', () => {
    let hits = 0
    let tried = 0
    let refused = 0
    for (let seed = 1; seed <= 20; seed++) {
      const written = fc.sample(things, { numRuns: 1, seed })[0]
      const store = openStore()
      // Every name is known, though not every catalogue has an item with it.
      const named = { id: 'named', attributes: Object.fromEntries(NAMES.map((name) => [name, 1])) }
      store.write({ items: [...written, named] })
      store.removeItems(['named'])
      // The set of all items is remembered between filters, and must not outlive a removal.
      expect(answer(store, {})).toHaveLength(written.length)
      const removed = written.filter((_, i) => i % 5 === 3).map((thing) => thing.id)
      store.removeItems(removed)
      const catalogue = written.filter((thing) => !removed.includes(thing.id))
      fc.assert(
        fc.property(filters, (filter) => {
          tried++
          if (asksForNoType(catalogue, filter)) {
            refused++
            expect(() => answer(store, filter)).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }))
            return
          }
          const expected = catalogue.filter((thing) => passes(thing, filter)).map((thing) => thing.id)
          if (expected.length > 0 && expected.length < catalogue.length) hits++
          expect(answer(store, filter)).toEqual(expected)
        }),
        { numRuns: 300, seed },
      )
      store.close()
    }
    expect(tried).toBeGreaterThanOrEqual(6_000)
    // A test whose filters nearly all accept or refuse everything would prove little.
    expect(hits / tried).toBeGreaterThan(0.25)
    expect(refused / tried).toBeGreaterThan(0.02)
    expect(refused / tried).toBeLessThan(0.3)
  })

  test('says what it means on an example', () => {
    const store = openStore()
    store.write({
      items: [
        {
          id: 'g',
          title: 'Guitar',
          attributes: { price: 99, tags: ['wood', 'blue'], made: new Date('2020-05-01') },
        },
        { id: 'a', title: 'Amp', attributes: { price: 20, tags: [], stock: true } },
        { id: 's', attributes: { price: '20' } },
      ],
    })
    expect(answer(store, {})).toEqual(['g', 'a', 's'])
    expect(answer(store, { price: { $lt: 50 } })).toEqual(['a'])
    expect(answer(store, { price: 20 })).toEqual(['a'])
    expect(answer(store, { tags: 'blue' })).toEqual(['g'])
    expect(answer(store, { tags: { $ne: 'blue' } })).toEqual(['a', 's'])
    expect(answer(store, { tags: { $exists: true } })).toEqual(['g', 'a'])
    expect(answer(store, { made: { $gte: '2020-01-01', $lt: new Date('2021-01-01') } })).toEqual(['g'])
    expect(answer(store, { made: { $lt: '2020' } })).toEqual([])
    expect(answer(store, { made: { $lte: '2020' } })).toEqual(['g'])
    expect(answer(store, { made: { $gt: '2020' } })).toEqual([])
    expect(answer(store, { made: '2020-05' })).toEqual(['g'])
    expect(answer(store, { made: { $in: ['2019', '2020-05-01'] } })).toEqual(['g'])
    expect(answer(store, { made: '2020-05-01T00:00' })).toEqual(['g'])
    expect(answer(store, { $or: [{ stock: true }, { title: 'Guitar' }], id: { $nin: ['a'] } })).toEqual(['g'])
    expect(answer(store, { price: { $not: { $gt: 50 } } })).toEqual(['a', 's'])
    expect(answer(store, { $or: [] })).toEqual([])
  })

  test.each([
    [null, 'filter is null'],
    ['price < 3', 'filter is "price < 3"'],
    [[], 'filter is an array of 0'],
    [{ $nor: [] }, "filter.$nor is not an operator. Did you mean '$or'?"],
    [{ price: { $gtt: 3 } }, "filter.price.$gtt is not an operator. Did you mean '$gt'?"],
    [{ price: { gt: 3 } }, 'filter.price.gt is not an operator'],
    [{ price: {} }, 'filter.price has no test'],
    [{ price: null }, 'filter.price is null. To ask for a missing attribute'],
    [{ price: Number.NaN }, 'filter.price is NaN'],
    [{ price: ['a'] }, 'filter.price is an array'],
    [{ price: { $in: 'a' } }, 'filter.price.$in is "a"'],
    [{ price: { $in: [['a']] } }, 'filter.price.$in is an array'],
    [{ price: { $gt: true } }, 'filter.price.$gt is a boolean'],
    [{ price: { $exists: 1 } }, 'filter.price.$exists is 1'],
    [{ price: { $not: 3 } }, 'filter.price.$not is 3'],
    [{ $and: {} }, 'filter.$and is an object'],
    [{ $and: [{ a: 1 }, { $or: [3] }] }, 'filter.$and[1].$or[0] is 3'],
    [{ $or: Array(1_001).fill({ a: 1 }) }, 'filter.$or[1000].a is test number 1001'],
    [{ price: () => 1 }, 'filter.price is a function'],
    [{ price: { $in: Array(10_001).fill(1) } }, 'A filter has at most 10000'],
  ])('refuses filter %#', (filter, message) => {
    expect(() => openStore().filterItems(filter as never)).toThrow(message)
  })

  test('an attribute that no item has is refused by name where no item could pass', () => {
    const store = openStore()
    store.write({ items: [{ id: 'i', attributes: { price: 1, brand: 'x' } }] })
    const refused: [Filter, string][] = [
      [
        { pirce: { $lt: 3 } },
        "filter.pirce.$lt asks for an attribute that no item has. Did you mean 'price'?",
      ],
      [{ Brand: 'x' }, "Did you mean 'brand'?"],
      [{ $or: [{ price: 1 }, { colour: { $in: ['red'] } }] }, 'filter.$or[1].colour.$in asks'],
      [{ colour: 'red' }, 'There are id, title, brand, price.'],
      [{ colour: { $exists: false, $eq: 'red' } }, 'filter.colour.$eq asks'],
    ]
    for (const [filter, message] of refused) {
      expect(() => store.filterItems(filter)).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }))
      expect(() => store.filterItems(filter)).toThrow(message)
    }
    const taken: Filter[] = [
      { colour: { $exists: false } },
      { colour: { $ne: 'red' } },
      { colour: { $nin: ['red'] } },
      { colour: { $not: { $gt: 3 } } },
      { $not: { $or: [{ colour: 'red' }, { pirce: { $lt: 3 } }] } },
    ]
    for (const filter of taken) expect(answer(store, filter)).toEqual(['i'])
    // An attribute whose last item is gone is known: an empty answer is true of it.
    store.removeItems(['i'])
    expect(answer(store, { price: 1 })).toEqual([])
  })

  test('an operand of a type that no item has there is refused where no item could pass', () => {
    const store = openStore()
    const made = new Date('1979-03-01')
    store.write({ items: [{ id: 'i', attributes: { price: 1, made, new: true, mixed: 1, tags: [] } }] })
    store.write({ items: [{ id: 'j', attributes: { brand: 'x', mixed: 'y' } }] })
    const dates = "the values of 'made' are dates. Write a date: '1980', '1980-05' or '1980-05-17'."
    const refused: [Filter, string][] = [
      [
        { price: { $lt: '20' } },
        "filter.price.$lt cannot be: the values of 'price' are numbers. Write a number, without quotes.",
      ],
      [{ made: { $lt: 1980 } }, dates],
      [{ made: { $lt: 'May 1980' } }, dates],
      [{ made: '1979-02-30' }, dates],
      [{ new: 'true' }, 'Write true or false, without quotes.'],
      [{ brand: { $in: [1, 2] } }, "filter.brand.$in cannot be: the values of 'brand' are texts."],
      [
        { mixed: true },
        "the values of 'mixed' are numbers or texts. Write a number, without quotes, or a text.",
      ],
      [{ $or: [{ id: 'i' }, { id: 7 }] }, "filter.$or[1].id cannot be: the values of 'id' are texts."],
    ]
    for (const [filter, message] of refused) {
      expect(() => store.filterItems(filter)).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }))
      expect(() => store.filterItems(filter)).toThrow(message)
    }
    const all = ['i', 'j']
    expect(answer(store, { price: { $ne: '20' } })).toEqual(all)
    expect(answer(store, { $not: { price: '20' } })).toEqual(all)
    expect(answer(store, { price: { $nin: ['20'] } })).toEqual(all)
    expect(answer(store, { price: { $in: ['20', 1] } })).toEqual(['i'])
    expect(answer(store, { price: { $in: [] } })).toEqual([])
    expect(answer(store, { tags: 'red' })).toEqual([])
    expect(answer(store, { made: { $lt: '1980' } })).toEqual(['i'])
    store.removeItems(['i'])
    expect(answer(store, { price: { $lt: '20' } })).toEqual([])
  })

  test('refuses what is no plain object, which would let everything pass', () => {
    const store = openStore()
    store.write({ items: [{ id: 'i', attributes: { a: 1 } }] })
    for (const odd of [new Map([['a', 2]]), new Set(['a']), /a/, new (class {})(), [], 'a']) {
      for (const filter of [odd, { $not: odd }, { $and: [odd] }]) {
        expect(() => store.filterItems(filter as unknown as Filter)).toThrow('It must be a plain object')
      }
    }
    expect(answer(store, Object.assign(Object.create(null), { a: 1 }))).toEqual(['i'])
  })

  test('refuses endless nesting, through documents and through tests', () => {
    let documents: Filter = { a: 1 }
    let tests: FilterTests = { $eq: 1 }
    for (let i = 0; i < 10_000; i++) {
      documents = { $not: documents }
      tests = { $not: tests }
    }
    expect(() => openStore().filterItems(documents)).toThrow('is nested more than 32 deep')
    expect(() => openStore().filterItems({ a: tests })).toThrow('is nested more than 32 deep')
  })

  test('at the limits of nesting and of values SQLite still answers', () => {
    const store = openStore()
    store.write({ items: [{ id: 'i', attributes: { a: 1 } }] })
    let filter: Filter = { a: { $in: Array.from({ length: 9_999 }, (_, i) => i) } }
    for (let i = 0; i < 30; i++) filter = { $and: [filter] }
    expect(answer(store, filter)).toEqual(['i'])
    const dates = Array.from({ length: 10_000 }, () => '2020-01-01')
    expect(answer(store, { a: { $nin: dates } })).toEqual(['i'])
    expect(answer(store, { $or: Array.from({ length: 1_000 }, (_, i) => ({ a: i })) })).toEqual(['i'])
  })
})
