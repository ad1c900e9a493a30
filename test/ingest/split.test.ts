import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DelimitedReader } from '#src/ingest/formats/delimited.js'
import { countFields, quoteState, splitLine, splitRecords } from '#src/ingest/formats/split.js'

const csv = { delimiter: ',', quoting: true }

test('records that are not exactly one cost themselves only', () => {
  const sound = ['a,b', '"x ""y""\nz",', '""', 'a"b,c']
  const fields = [['a', 'b'], ['x "y"\nz', ''], [''], ['a"b', 'c']]
  expect(splitRecords(sound, csv)).toEqual(fields)
  expect(splitRecords([...sound, '"open', ...sound], csv)).toEqual([...fields, undefined, ...fields])
  expect(splitRecords([...sound, 'a\nb', ...sound], csv)).toEqual([...fields, undefined, ...fields])
  expect(splitRecords([], csv)).toEqual([])
})

test('a long record among others is split like them', () => {
  const long = 'x'.repeat(2 ** 20)
  expect(splitRecords(['a,b', `${long},"${long}"`, 'c'], csv)).toEqual([['a', 'b'], [long, long], ['c']])
})

test('without quoting, quotes are ordinary and delimiters may be longer', () => {
  expect(splitRecords(['"a"::b":"::', 'c'], { delimiter: '::', quoting: false })).toEqual([
    ['"a"', 'b":"', ''],
    ['c'],
  ])
})

test.each([
  ['', false, 'closed'],
  ['a"b,c', false, 'closed'],
  ['"a"', false, 'closed'],
  ['a,"b', false, 'open'],
  ['"a""', false, 'open'],
  ['"a"""', false, 'closed'],
  ['"",""', false, 'closed'],
  ['"",",', false, 'open'],
  ['"a" ,b', false, 'broken'],
  ['"a"\u0000', false, 'broken'],
  ['', true, 'open'],
  ['a,b', true, 'open'],
  ['a"', true, 'closed'],
  ['a","', true, 'open'],
  ['a"b', true, 'broken'],
] as const)('%j after a quote that is open (%s) leaves it %s', (line, open, state) => {
  expect(quoteState(line, ',', open)).toBe(state)
})

test('a line on its own', () => {
  expect(splitLine('a,"b,c"\r', csv)).toEqual(['a', 'b,c'])
  expect(splitLine('a,"b', csv)).toBeUndefined()
  expect(splitLine('"a"b,c', csv)).toBeUndefined()
  expect(splitLine('"a', { delimiter: '\t', quoting: false })).toEqual(['"a'])
})

test('fields are counted as they are split, quotes and all', () => {
  const part = fc.string({ unit: fc.constantFrom('a', '"', ',', ' ', 'é', ':'), maxLength: 6 })
  const quoted = part.map((text) => `"${text.replaceAll('"', '""')}"`)
  const dialects = [
    { delimiter: ',', quoting: true },
    { delimiter: ',', quoting: false },
    { delimiter: '::', quoting: false },
  ]
  fc.assert(
    fc.property(
      fc.array(fc.oneof(part, quoted), { minLength: 1, maxLength: 8 }),
      fc.constantFrom(...dialects),
      (parts, dialect) => {
        const record = parts.join(dialect.delimiter)
        if (dialect.quoting && quoteState(record, dialect.delimiter, false) !== 'closed') return
        const [row] = splitRecords([record], dialect)
        // An empty text is no record to csv-parse; the reader passes blank lines over.
        if (row !== undefined) expect(countFields(record, dialect)).toBe(row.length)
      },
    ),
    { seed: 8, numRuns: 2000 },
  )
})

test('a long record is refused by its number of fields without being split, and a sound one is not', () => {
  const read = (line: string) => {
    const seen: unknown[] = []
    const reader = new DelimitedReader(
      csv,
      { names: ['a', 'b'], types: 'content', width: 2 },
      {
        record: ({ values }) => seen.push(values.map((value) => String(value).length)),
        refuse: (number, { expected, received }) => seen.push([number, expected, received]),
      },
      0,
    )
    reader.line(line, 7)
    reader.end()
    return seen
  }
  const text = ','.repeat(100_000)
  expect(read(text)).toEqual([[7, '2 fields, as many as the header', `100001 fields: ${','.repeat(200)}`]])
  expect(read(`x,"${text}"`)).toEqual([[1, 100_000]])
})
