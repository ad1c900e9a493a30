import { expect, test } from 'vitest'
import { itemDocument, reviewDocument } from '#src/profile/documents.js'

test('an item is its title, its labels and its description', () => {
  const item = {
    title: 'Heat (1995)',
    description: 'A thief and a detective.',
    attributes: { genres: ['Action', 'Crime'], tmdb_id: '949', brand: 'Warner', price: 9.5 },
  }
  expect(itemDocument(item)).toBe('Heat (1995)\nWarner, Action, Crime\nA thief and a detective.')
})

test('links, codes, prose and long lists are no labels', () => {
  const attributes = {
    link: 'https://example.org/a',
    code: 'B0002H03YY 12345',
    prose: 'word '.repeat(40),
    also: Array.from({ length: 30 }, () => 'Thing'),
    image_url: 'pretty picture',
    mark: '**',
  }
  expect(itemDocument({ title: 'A', attributes })).toBe('A')
})

test('what is missing leaves no trace', () => {
  expect(itemDocument({})).toBe('')
  expect(itemDocument({ title: '  ', description: ' x ' })).toBe('x')
  expect(reviewDocument({ title: 'Good', text: '' })).toBe('Good')
  expect(reviewDocument({})).toBe('')
})
