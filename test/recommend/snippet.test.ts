import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { namesOf, requireItem } from '#src/recommend/answers.js'
import { Store } from '#src/store/index.js'

let folder: string
let store: Store
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'textrec-snippet-'))
  store = Store.open(folder, { create: true })
})
afterEach(() => {
  store.close()
  rmSync(folder, { recursive: true, force: true })
})

const shown = (id: string, rank = 1) => namesOf(store, [requireItem(store, id)], rank)[0]
const review = (itemId: string, userId: string, text: string, more: object = {}) => ({
  itemId,
  userId,
  text,
  ...more,
})

describe('what a person knows an item by', () => {
  test('its title; else its own text; else its most telling review; else its id alone', () => {
    store.write({
      items: [
        { id: 'titled', title: 'A lamp', description: 'It glows.' },
        { id: 'described', description: 'It\n glows.' },
        { id: 'bare' },
      ],
      reviews: [
        review('reviewed', 'ann', 'Meh.', { rating: 1 }),
        review('reviewed', 'bob', 'Lights the whole street.', { title: 'Bright', rating: 5, helpful: 40 }),
        review('reviewed', 'cem', ''),
      ],
    })
    expect(shown('titled')).toEqual({ itemId: 'titled', title: 'A lamp' })
    expect(shown('described')).toEqual({
      itemId: 'described',
      snippet: { text: 'It: glows.', source: 'description' },
    })
    expect(shown('reviewed')).toEqual({
      itemId: 'reviewed',
      snippet: { text: 'Bright: Lights the whole street.', source: 'review' },
    })
    expect(shown('bare')).toEqual({ itemId: 'bare' })
  })

  test('long texts are cut between words, and far down a list there is nothing to read', () => {
    store.write({
      reviews: [
        review('long', 'ann', 'wonderful '.repeat(50)),
        review('unbroken', 'ann', '\u{1F600}'.repeat(500)),
      ],
    })
    const { text } = shown('long')?.snippet ?? { text: '' }
    expect(text).toMatch(/^(wonderful )+wonderful…$/)
    expect(text.length).toBeLessThanOrEqual(120)
    expect(Array.from(shown('unbroken')?.snippet?.text ?? '')).toHaveLength(120)
    expect(shown('long', 101)).toEqual({ itemId: 'long' })
  })

  test('is not remembered once the catalogue has changed', () => {
    store.write({ reviews: [review('lamp', 'ann', 'What ann said.')] })
    expect(shown('lamp')?.snippet?.text).toBe('What ann said.')
    store.forgetUser('ann')
    expect(shown('lamp')).toEqual({ itemId: 'lamp' })
  })
})

describe('an item that is not there', () => {
  const remedyFor = (id: string) => {
    try {
      requireItem(store, id)
    } catch (error) {
      return (error as { remedy: string }).remedy
    }
    throw new Error(`${id} was found`)
  }

  test('the nearest id is named, where there is one', () => {
    store.write({ items: [{ id: 'B0002H03YY' }, { id: 'B0002H03ZZ' }, { id: 'dracula' }] })
    expect(remedyFor('B0002H03YX')).toBe('Did you mean "B0002H03YY"?')
    expect(remedyFor('b0002h03zz')).toBe('Did you mean "B0002H03ZZ"?')
    expect(remedyFor(' dracula')).toBe('Did you mean "dracula"?')
    expect(remedyFor('dracla')).toBe('Did you mean "dracula"?')
    expect(remedyFor('frankenstein')).toContain('Ids are taken as they stand')
    expect(remedyFor('')).toContain('Ids are taken as they stand')
  })
})
