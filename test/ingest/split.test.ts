import { expect, test } from 'vitest'
import { quoteState, splitLine, splitRecords } from '#src/ingest/formats/split.js'

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
