import fc from 'fast-check'
import { expect, test } from 'vitest'
import { TextrecError } from '#src/errors.js'
import { attributeFromText, validateInteraction, validateItem, validateReview } from '#src/ingest/index.js'
import { importContent, jsonLines } from './memory-sink.js'

test('sound records come back as they will be stored', () => {
  const attributes = { price: 9.99, tags: ['a', 'b'], since: new Date('2020-01-01'), new: true, code: '007' }
  expect(validateItem({ id: 'p', title: ' T ', description: undefined, attributes })).toEqual({
    id: 'p',
    title: 'T',
    attributes,
  })
  expect(
    validateReview({
      userId: 'u',
      itemId: 'p',
      text: 'a\r\nb',
      rating: 4,
      time: new Date('2020-01-01'),
      helpful: 2,
    }),
  ).toEqual({
    userId: 'u',
    itemId: 'p',
    text: 'a\nb',
    rating: 4,
    time: Date.UTC(2020, 0, 1),
    helpful: 2,
  })
  expect(validateInteraction({ userId: '7', itemId: 'p', time: 3 })).toEqual({
    userId: '7',
    itemId: 'p',
    time: 3,
  })
})

test('texts of a library call are final: no entity is decoded', () => {
  const record = { id: 'p', title: '&amp;', attributes: { note: '&amp;' } }
  expect(validateItem(record)).toEqual(record)
})

const json = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('9.99', '$9.99', '007', '1980', '1980-05-17', '2020-02-30', ' ') },
  { weight: 3, arbitrary: fc.string({ unit: fc.constantFrom('a', '1', '.', ' ', '[', '€', 'é') }) },
  { weight: 2, arbitrary: fc.double({ noDefaultInfinity: true, noNaN: true }) },
  { weight: 4, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
)
const names = fc.constantFrom('a', 'released', 'list price', 'style')
const attributes = fc.dictionary(names, json, { maxKeys: 3 })

test('a record gives the same item to a library call as from a JSON line that is imported', async () => {
  const records = fc.sample(fc.record({ title: fc.constantFrom('x', undefined), attributes }), {
    numRuns: 2000,
    seed: 1,
  })
  // Files alone have entities, and whole numbers that a caller's number cannot hold.
  const some = records.filter((record) => !/&|(?<![.\d])\d{16,}/.test(JSON.stringify(record)))
  const lines = some.map(({ title, attributes }, i) => ({ id: String(i), title, ...attributes }))
  const { sink, rejects } = await importContent('items', jsonLines(...lines), { format: 'jsonl' })
  const imported = new Map(sink.items.map((item) => [item.id, item]))
  const refused = new Set(rejects.map(({ line }) => line - 1))
  let typed = 0
  for (const [i, { title, attributes }] of some.entries()) {
    const record = { id: String(i), title, attributes: JSON.parse(JSON.stringify(attributes)) }
    if (refused.has(i)) expect(() => validateItem(record)).toThrow(TextrecError)
    else expect(validateItem(record)).toEqual(imported.get(String(i)))
    if (Object.values(imported.get(String(i))?.attributes ?? {}).some((one) => one instanceof Date)) typed++
  }
  expect(typed).toBeGreaterThan(20)
})

test('a text whose type nobody knows gives the attribute that a CSV file with it does', async () => {
  const cells = [
    '9.99',
    '12',
    '007',
    '9007199254740993',
    'true',
    'False',
    '["a", "b"]',
    '[1, 2]',
    '1980-05-17',
  ]
  const more = ['$1,299.00', 'Size: 7', '1e5', '1e-05', '{"a": 1}', ' padded ']
  for (const cell of [...cells, ...more]) {
    const quoted = `"${cell.replaceAll('"', '""')}"`
    const { sink } = await importContent('items', `id,title,shade\n1,x,${quoted}\n`, { format: 'csv' })
    expect(attributeFromText('shade', cell), cell).toEqual(sink.items[0].attributes?.shade)
  }
  for (const nothing of ['', ' ', '[]']) expect(attributeFromText('shade', nothing)).toBeUndefined()
  expect(attributeFromText('released', '1980-05-17')).toEqual(new Date('1980-05-17'))
  expect(() => attributeFromText('shade', 'x'.repeat(100_001))).toThrow(TextrecError)
})

test.each([
  ['no object', () => validateItem('x'), /'record' of this item is "x"\..*an object/],
  ['no id', () => validateItem({ title: 'x' }), /'id' of this item is undefined/],
  ['empty id', () => validateItem({ id: '' }), /'id' of this item is ""\..*not empty/],
  ['misspelt field', () => validateItem({ id: '1', tilte: 'x' }), /'tilte'.*'title'/],
  ['unknown field', () => validateItem({ id: '1', manufacturer: 'x' }), /'manufacturer'.*attributes/],
  ['no user', () => validateReview({ itemId: '1' }), /'userId' of this review/],
  [
    'NaN rating',
    () => validateReview({ userId: 'u', itemId: '1', rating: Number.NaN }),
    /'rating' of this review is NaN.*finite/,
  ],
  [
    'bad time',
    () => validateInteraction({ userId: 'u', itemId: '1', time: 'soon' }),
    /'time' of this interaction is "soon".*a number.*or a Date/,
  ],
  ['negative time', () => validateInteraction({ userId: 'u', itemId: '1', time: -1 }), /not negative/],
  [
    'invalid date',
    () => validateInteraction({ userId: 'u', itemId: '1', time: new Date('x') }),
    /date that exists/,
  ],
  [
    'infinite value',
    () => validateInteraction({ userId: 'u', itemId: '1', value: Number.POSITIVE_INFINITY }),
    /'value'/,
  ],
  [
    'a rating in text',
    () => validateReview({ userId: 'u', itemId: '1', rating: '5' }, 2),
    /'rating' of reviews\[2\] is "5"\..*a number/,
  ],
  [
    'a value in text',
    () => validateInteraction({ userId: 'u', itemId: '1', value: '5' }),
    /'value'.*a number/,
  ],
  [
    'votes in text',
    () => validateReview({ userId: 'u', itemId: '1', helpful: '[1, 2]' }),
    /'helpful'.*a number/,
  ],
  [
    'a written date',
    () => validateReview({ userId: 'u', itemId: '1', time: '2014-02-28' }),
    /'time'.*or a Date/,
  ],
  ['a number for an id', () => validateInteraction({ userId: 7, itemId: '1' }), /'userId'.* is 7\..*a text/],
  ['a number for a title', () => validateItem({ id: '1', title: 5 }), /'title' of this item is 5\..*a text/],
  ['a list for a text', () => validateReview({ userId: 'u', itemId: '1', text: ['a'] }), /'text'.*a text/],
  [
    'a Set of labels',
    () => validateItem({ id: '1', attributes: { tags: new Set(['a']) } }),
    /'tags'.*or list/,
  ],
  ['attributes no object', () => validateItem({ id: '1', attributes: ['x'] }), /'attributes'/],
  ['attributes a Map', () => validateItem({ id: '1', attributes: new Map([['a', 1]]) }), /'attributes'/],
  [
    'NaN attribute',
    () => validateItem({ id: '1', attributes: { a: Number.NaN } }),
    /'a' of this item.*finite/,
  ],
  [
    '__proto__',
    () => validateItem({ id: '1', attributes: JSON.parse('{"__proto__":{"polluted":1}}') }),
    /'__proto__'/,
  ],
])('%s is RECORD_INVALID with field, expected and received', (_, call, message) => {
  expect(call).toThrow(
    expect.objectContaining({ code: 'RECORD_INVALID', message: expect.stringMatching(message) }),
  )
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
})
