import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { meanOfWordVectors, readWordVectors } from '#src/families/word-vectors.js'

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
    const start = fc.constantFrom('', '2 2\n', '1 1\n', 'a 1 2\n', '5 3\na ')
    await fc.assert(
      fc.asyncProperty(start, fc.uint8Array({ maxLength: 80 }), async (head, tail) => {
        const content = Buffer.concat([Buffer.from(head), tail])
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
  const [means] = await meanOfWordVectors(path, [['Red drum', 'red unknown', '']], words)
  const expected = [1 / Math.sqrt(5), 2 / Math.sqrt(5), 1, 0, 0, 0]
  for (const [i, value] of expected.entries()) expect(means.data[i]).toBeCloseTo(value, 6)
})
