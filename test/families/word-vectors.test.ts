import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { meanOfWordVectors, readWordVectors, wordRows, wordsOfFile } from '#src/families/word-vectors.js'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'textrec-word-vectors-'))
})
afterAll(() => rm(folder, { recursive: true }))

let files = 0
async function file(content: string | Buffer): Promise<string> {
  const path = join(folder, `${files++}`)
  await writeFile(path, content)
  return path
}
const read = async (content: string | Buffer, words: readonly string[]) =>
  readWordVectors(await file(content), new Set(words))

function binary(words: { readonly [word: string]: readonly number[] }, after = '\n'): Buffer {
  const entries = Object.entries(words)
  const blocks = entries.map(([word, vector]) =>
    Buffer.concat([
      Buffer.from(`${word} `),
      Buffer.from(Float32Array.from(vector).buffer),
      Buffer.from(after),
    ]),
  )
  return Buffer.concat([Buffer.from(`${entries.length} ${entries[0][1].length}\n`), ...blocks])
}

interface FastTextFile {
  readonly dim: number
  readonly words: readonly string[]
  readonly bucket: number
  readonly ngrams: readonly [shortest: number, longest: number]
  /** [words + bucket, dim] */
  readonly rows: readonly (readonly number[])[]
  readonly quantised?: boolean
}

/** fastText's .bin, as its documentation lays it out. */
function fastText({ dim, words, bucket, ngrams, rows, quantised = false }: FastTextFile): Buffer {
  const numbers = [793712314, 12, dim, 5, 5, 1, 5, 1, 2, 2, bucket, ...ngrams, 100]
  const head = Buffer.alloc(4 * numbers.length + 8 + 12 + 16)
  for (const [i, value] of numbers.entries()) head.writeInt32LE(value, 4 * i)
  const at = 4 * numbers.length
  head.writeDoubleLE(1e-4, at)
  for (const [i, value] of [words.length, words.length, 0].entries()) head.writeInt32LE(value, at + 8 + 4 * i)
  head.writeBigInt64LE(1000n, at + 20)
  head.writeBigInt64LE(-1n, at + 28)
  const entries = words.map((word) => Buffer.concat([Buffer.from(`${word}\0`), Buffer.alloc(9)]))
  const sizes = Buffer.alloc(17)
  sizes[0] = Number(quantised)
  sizes.writeBigInt64LE(BigInt(rows.length), 1)
  sizes.writeBigInt64LE(BigInt(dim), 9)
  const matrix = Buffer.from(Float32Array.from(rows.flat()).buffer)
  return Buffer.concat([head, ...entries, sizes, matrix, Buffer.from('the output matrix')])
}

describe('word vectors are read from', () => {
  test('GloVe text, words with spaces and beyond ASCII among them', async () => {
    const { dim, vectors } = await read('the 0.5 -1e-2 3\n. . . 1 2 3\nñandú .25 +4 -0\nrest 1 1 1', [
      'the',
      '. . .',
      'ñandú',
      'absent',
    ])
    expect(dim).toBe(3)
    expect(Object.fromEntries(vectors)).toEqual({
      the: Float32Array.of(0.5, -0.01, 3),
      '. . .': Float32Array.of(1, 2, 3),
      ñandú: Float32Array.of(0.25, 4, -0),
    })
  })

  test('word2vec and fastText text, whatever ends a line, and of two vectors the first', async () => {
    for (const end of ['\n', '\r\n', ' \n']) {
      const { dim, vectors } = await read(['3 2', 'a 1 2', 'b 3 4', 'a 5 6', ''].join(end), ['a', 'b'])
      expect(dim).toBe(2)
      expect([...vectors.get('a')!, ...vectors.get('b')!]).toEqual([1, 2, 3, 4])
    }
  })

  test('word2vec binary, with and without a line break behind each vector', async () => {
    // 0x0a0a0a0a and 0x20202020 are finite floats: their bytes must not end a line or a word.
    const odd = [...new Float32Array(Uint32Array.of(0x0a0a0a0a, 0x20202020).buffer)]
    for (const after of ['\n', '']) {
      const { dim, vectors } = await read(binary({ a: [1.5, -2], größe: odd, c: [0, 7] }, after), [
        'größe',
        'c',
      ])
      expect(dim).toBe(2)
      expect(Object.fromEntries(vectors)).toEqual({ größe: Float32Array.from(odd), c: Float32Array.of(0, 7) })
    }
  })

  test('both forms of the same words alike', async () => {
    // A written -0 is 0.
    const number = fc.float({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0)
    const word = fc.stringMatching(/^[a-zäß]{1,8}$/)
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(word, fc.tuple(number, number, number), { minKeys: 1 }),
        async (words) => {
          const lines = Object.entries(words).map(([name, vector]) => `${name} ${vector.join(' ')}`)
          const text = `${lines.length} 3\n${lines.join('\n')}\n`
          const names = Object.keys(words)
          const [a, b] = [await read(text, names), await read(binary(words), names)]
          expect([...a.vectors].map(([name, vector]) => [name, [...vector]])).toEqual(
            names.map((name) => [name, [...Float32Array.from(words[name])]]),
          )
          // A zero keeps its sign in bytes only.
          const values = (all: typeof a) =>
            [...all.vectors.values()].map((vector) => [...vector].map((x) => x + 0))
          expect(values(b)).toEqual(values(a))
        },
      ),
      { numRuns: 30 },
    )
  })
})

test('texts become rows of a table of their words, from their beginning, at the end of a row', async () => {
  const path = await file('red 1 0\ndrum 0 2\nunused 5 5\n')
  const words = (text: string) => text.split(' ')
  const { table, tokens } = await wordRows(
    wordsOfFile(path),
    [['red drum', 'odd red', ''], ['drum red red']],
    words,
    2,
  )
  expect(table.rows).toBe(3)
  const vectors = (rows: Int32Array) => Array.from(rows, (at) => [...table.data.subarray(2 * at, 2 * at + 2)])
  const [red, drum, none] = [
    [1, 0],
    [0, 2],
    [0, 0],
  ]
  expect(vectors(tokens[0])).toEqual([red, drum, none, red, none, none])
  expect(vectors(tokens[1])).toEqual([drum, red])
})

describe('the .bin of fastText', () => {
  test('without n-grams has a row for each word', async () => {
    const rows = [
      [1, 2],
      [3, 4],
      [5, 6],
    ]
    const bytes = fastText({ dim: 2, words: ['</s>', 'größe', 'c'], bucket: 0, ngrams: [0, 0], rows })
    const { dim, vectors } = await read(bytes, ['c', 'größe', 'absent'])
    expect(dim).toBe(2)
    expect(Object.fromEntries(vectors)).toEqual({ größe: Float32Array.of(3, 4), c: Float32Array.of(5, 6) })
  })

  test('makes a word the mean of its row and of its n-grams, and an unknown one of those alone', async () => {
    // Row w of the matrix is [1, 0, ...] for the word, and bucket b has its own axis: the mean counts who was met.
    const bucket = 7
    const rows = Array.from({ length: 2 + bucket }, (_, i) =>
      Array.from({ length: 2 + bucket }, (_column, d) => Number(i === d)),
    )
    const file = fastText({ dim: 2 + bucket, words: ['aé', '</s>'], bucket, ngrams: [2, 3], rows })
    const { vectors } = await read(file, ['aé', 'xy', '</s>'])
    // Of <aé> these are the n-grams of two and three letters, of bytes hashed by FNV-1a with signed bytes.
    const hash = (text: string) =>
      Buffer.from(text).reduce(
        (value, byte) =>
          Number(
            BigInt.asUintN(
              32,
              BigInt.asUintN(32, BigInt(value) ^ BigInt(byte < 128 ? byte : byte - 256)) * 16777619n,
            ),
          ),
        2166136261,
      )
    const mean = (own: readonly number[], ngrams: readonly string[]) => {
      const expected = new Array<number>(2 + bucket).fill(0)
      const places = [...own, ...ngrams.map((ngram) => 2 + (hash(ngram) % bucket))]
      for (const place of places) expected[place] += 1 / places.length
      return expected
    }
    const close = (found: Float32Array, expected: readonly number[]) => {
      for (const [d, value] of expected.entries()) expect(found[d]).toBeCloseTo(value, 6)
    }
    close(vectors.get('aé')!, mean([0], ['<a', '<aé', 'aé', 'aé>', 'é>']))
    close(vectors.get('xy')!, mean([], ['<x', '<xy', 'xy', 'xy>', 'y>']))
    close(vectors.get('</s>')!, mean([1], []))
    // Known values of 32-bit FNV-1a.
    expect([hash('a'), hash('foobar')]).toEqual([0xe40c292c, 0xbf9cf968])
  })

  test('is read up to the last row that is needed, and refused where that is missing', async () => {
    const rows = Array.from({ length: 5000 }, (_, i) => [i, -i])
    const words = rows.map((_, i) => `w${i}`)
    const bytes = fastText({ dim: 2, words, bucket: 0, ngrams: [0, 0], rows })
    const cut = bytes.subarray(0, -17 - 8 * 2000)
    const { vectors } = await read(cut, ['w2999', 'w3', 'w2998'])
    expect([vectors.get('w2999'), vectors.get('w3'), vectors.get('w2998')]).toEqual([
      Float32Array.of(2999, -2999),
      Float32Array.of(3, -3),
      Float32Array.of(2998, -2998),
    ])
    await expect(read(cut, ['w3000'])).rejects.toMatchObject({
      code: 'MODEL_INVALID',
      fact: expect.stringMatching(/before row 3001 of the 5000/),
    })
  })
})

const TINY: FastTextFile = { dim: 1, words: ['a'], bucket: 0, ngrams: [0, 0], rows: [[1]] }

describe('a file is refused', () => {
  const broken: readonly (readonly [string, string | Buffer, RegExp])[] = [
    ['that is empty', '', /it is empty/],
    ['with too few numbers on a line', 'a 1 2 3\nb 1 2', /line 2 has 2 numbers where there are 3/],
    ['with a word for a number', 'a 1 2\nb 1 x', /line 2 has "x" for a number/],
    ['with a number that is not finite', 'a 1 2\nb 1 1e999', /line 2 has "1e999" for a number/],
    ['that has fewer words than it says', '3 2\na 1 2\nb 3 4\n', /has 2 words and promises 3/],
    ['that has more words than it says', '1 2\na 1 2\nb 3 4\n', /has 2 words and promises 1/],
    ['that claims vectors without end', '1 999999999\na 1', /vectors have 999999999 numbers/],
    ['that claims words without end', Buffer.from('999999999999 2\na \u0001\u0001'), /ends at word 1/],
    ['that is cut short', binary({ a: [1, 2], b: [3, 4] }, '').subarray(0, -3), /ends at word 2 of the 2/],
    [
      'that goes on',
      Buffer.concat([binary({ a: [1, 2] }, ''), Buffer.from('b 1234')]),
      /goes on after the 1/,
    ],
    ['with a NaN in it', binary({ a: [1, Number.NaN] }), /word 1 has a number that is not finite/],
    ['without any line break', Buffer.alloc(300_000, 0x61), /longer than \d+ bytes/],
    ['of one lone word', 'word\n', /line 1 is no word with its numbers/],
    ['of fastText that is quantised', fastText({ ...TINY, quantised: true }), /it is quantised/],
    ['of fastText with a row too many', fastText({ ...TINY, rows: [[1], [2]] }), /2 rows of 1 for 1 words/],
    ['of fastText with a NaN', fastText({ ...TINY, rows: [[Number.NaN]] }), /row 1 has a number that is not/],
    ['of fastText that ends in its header', fastText(TINY).subarray(0, 40), /middle of its header/],
    ['of fastText that ends in its words', fastText(TINY).subarray(0, 95), /ends at entry 1 of the 1/],
    ['of fastText without end', fastText({ ...TINY, dim: 99999 }), /vectors have 99999 numbers/],
  ]
  test.each(broken)('%s', async (_, content, what) => {
    await expect(read(content, ['a', 'b'])).rejects.toMatchObject({
      code: 'MODEL_INVALID',
      fact: expect.stringMatching(what),
    })
  })

  test('that is not there, or a folder', async () => {
    for (const path of [join(folder, 'absent'), folder]) {
      await expect(readWordVectors(path, new Set())).rejects.toMatchObject({ code: 'FILE_UNREADABLE' })
    }
  })

  test('or read, but never believed, whatever its bytes are', async () => {
    const starts = ['', '2 2\n', '1 1\n', 'a 1 2\n', '5 3\na '].map((text) => Buffer.from(text))
    const start = fc.constantFrom(...starts, fastText(TINY).subarray(0, 90))
    await fc.assert(
      fc.asyncProperty(start, fc.uint8Array({ maxLength: 80 }), async (head, tail) => {
        const content = Buffer.concat([head, tail])
        try {
          const { dim, vectors } = await read(content, ['a'])
          for (const vector of vectors.values()) {
            expect(vector).toHaveLength(dim)
            for (const value of vector) expect(Number.isFinite(value)).toBe(true)
          }
        } catch (error) {
          expect(error).toMatchObject({ code: 'MODEL_INVALID' })
        }
      }),
      { numRuns: 100 },
    )
  })
})

test('a text is the mean of its known words, at unit length', async () => {
  const path = await file('red 1 0\ndrum 0 2\n')
  const words = (text: string) => text.toLowerCase().split(' ')
  const [means] = await meanOfWordVectors(wordsOfFile(path), [['Red drum', 'red unknown', '']], words)
  const expected = [1 / Math.sqrt(5), 2 / Math.sqrt(5), 1, 0, 0, 0]
  for (const [i, value] of expected.entries()) expect(means.data[i]).toBeCloseTo(value, 6)
})
