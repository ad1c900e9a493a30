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

const ISO = /^\d{4}-\d{2}-\d{2}/

function codePoints(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

/** -1, 0 or 1, or undefined where the two do not compare. */
function compare(value: Value, operand: FilterValue): number | undefined {
  if (value instanceof Date) {
    const other =
      operand instanceof Date
        ? operand.getTime()
        : typeof operand === 'string' && ISO.test(operand)
          ? Date.parse(operand)
          : Number.NaN
    return Number.isNaN(other) ? undefined : Math.sign(value.getTime() - other)
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
const dates = fc.constantFrom('2020-01-01', '2020-01-02T12:30:00Z').map((iso) => new Date(iso))
const ordered = fc.oneof({ weight: 4, arbitrary: words }, { weight: 3, arbitrary: numbers }, dates)
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
          const expected = catalogue.filter((thing) => passes(thing, filter)).map((thing) => thing.id)
          tried++
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
    [{ $and: {} }, 'filter.$and is object'],
    [{ $and: [{ a: 1 }, { $or: [3] }] }, 'filter.$and[1].$or[0] is 3'],
    [{ $or: Array(1_001).fill({ a: 1 }) }, 'filter.$or[1000].a is test number 1001'],
    [{ price: () => 1 }, 'filter.price is function'],
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
