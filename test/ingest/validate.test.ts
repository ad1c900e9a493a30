import { expect, test } from 'vitest'
import { validateInteraction, validateItem, validateReview } from '#src/ingest/index.js'

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
  expect(validateInteraction({ userId: 7, itemId: 'p', time: 3 })).toEqual({
    userId: '7',
    itemId: 'p',
    time: 3,
  })
})

test('texts of a library call are final: no entity is decoded, no text attribute retyped', () => {
  expect(validateItem({ id: 'p', title: '&amp;', attributes: { price: '9.99' } })).toEqual({
    id: 'p',
    title: '&amp;',
    attributes: { price: '9.99' },
  })
})

test.each([
  ['no object', () => validateItem('x'), /'record' of this item is x.*an object/],
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
    /'time' of this interaction is soon/,
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
  ['attributes no object', () => validateItem({ id: '1', attributes: ['x'] }), /'attributes'/],
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
