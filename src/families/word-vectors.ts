import { createReadStream } from 'node:fs'
import { TextrecError } from '../errors.js'
import { addScaled, matrix, normalize, row } from '../math/matrix.js'
import type { Matrix } from '../types.js'
import { ByteReader, Damaged } from './byte-reader.js'
import { isFastText, readFastText } from './fasttext.js'

/** Vectors of the words that were asked for and that the file has. */
export interface WordVectors {
  readonly dim: number
  readonly vectors: ReadonlyMap<string, Float32Array>
}

/** Finds the vectors of words, in a file or anywhere else. */
export type WordSource = (wanted: ReadonlySet<string>) => Promise<WordVectors>

/** @throws as readWordVectors, once it is asked */
export function wordsOfFile(path: string): WordSource {
  return (wanted) => readWordVectors(path, wanted)
}

/** More than any published file has; what a damaged one claims is not believed beyond it. */
const MOST_DIM = 4096
const LONGEST_WORD = 4096
const LONGEST_LINE = LONGEST_WORD + 32 * MOST_DIM
/** An unfinished number in other notations, a hexadecimal one or an empty field is no number of these files. */
const NUMBER = /^[+-]?(\d+(?:\.\d*)?|\.\d+)(e[+-]?\d+)?$/i

/**
 * Reads word vectors in the formats in which they are published: GloVe text (a word and its numbers on a line), word2vec
 * and fastText text (.vec: the same below a line with count and dimension), word2vec binary (that line, then for each word
 * its bytes, a space and little-endian float32 numbers), and fastText's own .bin. Which one it is the file itself tells.
 * It is read as a stream: memory grows with what is wanted, whatever the file holds or claims. Of two vectors of one word
 * the first counts.
 * @param wanted the words to keep, spelt as in the file
 * @throws FILE_UNREADABLE, or MODEL_INVALID with the place for a file that is none of these, damaged or cut short
 */
export async function readWordVectors(path: string, wanted: ReadonlySet<string>): Promise<WordVectors> {
  const stream = createReadStream(path)
  const bytes = new ByteReader(stream)
  try {
    return await read(bytes, wanted)
  } catch (cause) {
    if (cause instanceof Damaged) throw invalid(path, cause.message)
    if (!isSystemError(cause)) throw cause
    throw new TextrecError('FILE_UNREADABLE', `${path} cannot be read: ${cause.code}.`, 'Check the path.', {
      cause,
    })
  } finally {
    stream.destroy()
  }
}

/**
 * The mean of the word vectors of each text, of unit length; zeros for a text without a known word.
 * @param lists of texts; the source is asked once for all
 * @param words how a text becomes words, spelt as in the file
 * @returns [texts, dim] for each list
 * @throws what the source throws
 */
export async function meanOfWordVectors(
  source: WordSource,
  lists: readonly (readonly string[])[],
  words: (text: string) => readonly string[],
): Promise<Matrix[]> {
  const wanted = new Set(lists.flatMap((texts) => texts.flatMap(words)))
  const { dim, vectors } = await source(wanted)
  return lists.map((texts) => {
    const means = matrix(texts.length, dim)
    for (const [i, text] of texts.entries()) {
      const mean = row(means, i)
      for (const word of words(text)) {
        const vector = vectors.get(word)
        if (vector !== undefined) addScaled(mean, vector, 1)
      }
      normalize(mean)
    }
    return means
  })
}

interface Header {
  readonly count: number
  readonly dim: number
}

/**
 * The first `length` known words of each text, as rows of a table of their vectors.
 * @param lists of texts; the source is asked once for all
 * @returns the table [words + 1, dim], row 0 for no word, and [texts, length] rows for each list, 0 in front of shorter texts
 * @throws what the source throws
 */
export async function wordRows(
  source: WordSource,
  lists: readonly (readonly string[])[],
  words: (text: string) => readonly string[],
  length: number,
): Promise<{ readonly table: Matrix; readonly tokens: Int32Array[] }> {
  const wanted = new Set(lists.flatMap((texts) => texts.flatMap(words)))
  const { dim, vectors } = await source(wanted)
  const table = matrix(vectors.size + 1, dim)
  const rowOf = new Map(Array.from(vectors.keys(), (word, i) => [word, i + 1]))
  for (const [word, at] of rowOf) row(table, at).set(vectors.get(word)!)
  const tokens = lists.map((texts) => {
    const rows = new Int32Array(texts.length * length)
    for (const [i, text] of texts.entries()) {
      const known = words(text).flatMap((word) => rowOf.get(word) ?? [])
      const read = known.slice(0, length)
      rows.set(read, (i + 1) * length - read.length)
    }
    return rows
  })
  return { table, tokens }
}

async function read(bytes: ByteReader, wanted: ReadonlySet<string>): Promise<WordVectors> {
  if (await isFastText(bytes)) return readFastText(bytes, wanted, MOST_DIM)
  const first = await bytes.line(LONGEST_LINE)
  if (first === undefined) throw new Damaged('it is empty')
  const header = headerOf(first)
  if (header === undefined) return readLines(bytes, wanted, first)
  if (await looksLikeText(bytes, header.dim)) return readLines(bytes, wanted, undefined, header)
  return readBinary(bytes, wanted, header)
}

/** "400000 300": how many words, and numbers for each. A line of GloVe begins with a word and has more fields. */
function headerOf(line: Buffer): Header | undefined {
  const match = /^(\d{1,15}) (\d{1,15})\s*$/.exec(line.toString('latin1'))
  if (match === null) return undefined
  const [count, dim] = [Number(match[1]), Number(match[2])]
  if (dim < 1 || dim > MOST_DIM) throw new Damaged(`it says that vectors have ${dim} numbers`)
  return { count, dim }
}

/** Whether what follows the header is a word and `dim` written numbers. */
async function looksLikeText(bytes: ByteReader, dim: number): Promise<boolean> {
  const ahead = await bytes.peek(LONGEST_LINE)
  const end = ahead.indexOf(0x0a)
  const fields = ahead
    .subarray(0, end < 0 ? ahead.length : end)
    .toString('latin1')
    .trimEnd()
    .split(' ')
  return fields.length > dim && fields.slice(-dim).every((field) => NUMBER.test(field))
}

async function readLines(
  bytes: ByteReader,
  wanted: ReadonlySet<string>,
  first: Buffer | undefined,
  header?: Header,
): Promise<WordVectors> {
  const vectors = new Map<string, Float32Array>()
  let dim = header?.dim
  let at = header === undefined ? 1 : 2
  let words = 0
  for (let line = first ?? (await bytes.line(LONGEST_LINE)); line !== undefined; at++) {
    const text = line.toString('utf8').trimEnd()
    if (text !== '') {
      words++
      // A word may hold spaces, as some of GloVe's do: its numbers are counted from the end of the line.
      dim ??= text.split(' ').length - 1
      if (dim < 1 || dim > MOST_DIM) throw new Damaged(`line ${at} is no word with its numbers`)
      const fields = text.split(' ')
      const word = fields.slice(0, -dim).join(' ')
      if (word === '') throw new Damaged(`line ${at} has ${fields.length - 1} numbers where there are ${dim}`)
      if (wanted.has(word) && !vectors.has(word)) vectors.set(word, numbersOf(fields.slice(-dim), at))
    }
    line = await bytes.line(LONGEST_LINE)
  }
  requireCount(words, header)
  return { dim: dim ?? 0, vectors }
}

function numbersOf(fields: readonly string[], line: number): Float32Array {
  const vector = Float32Array.from(fields, (field) => (NUMBER.test(field) ? Number(field) : Number.NaN))
  const wrong = vector.findIndex((value) => !Number.isFinite(value))
  if (wrong < 0) return vector
  throw new Damaged(`line ${line} has ${JSON.stringify(fields[wrong].slice(0, 40))} for a number`)
}

async function readBinary(
  bytes: ByteReader,
  wanted: ReadonlySet<string>,
  header: Header,
): Promise<WordVectors> {
  const { count, dim } = header
  const vectors = new Map<string, Float32Array>()
  for (let n = 1; n <= count; n++) {
    const name = await bytes.until(0x20, LONGEST_WORD)
    const block = name && (await bytes.take(4 * dim))
    if (name === undefined || block === undefined) {
      throw new Damaged(`it ends at word ${n} of the ${count} that it promises`)
    }
    // Some writers end each vector with a line break, which then stands before the next word.
    const word = name.toString('utf8').replace(/^\n/, '')
    if (!wanted.has(word) || vectors.has(word)) continue
    const vector = Float32Array.from({ length: dim }, (_, d) => block.readFloatLE(4 * d))
    if (!vector.every(Number.isFinite)) throw new Damaged(`word ${n} has a number that is not finite`)
    vectors.set(word, vector)
  }
  const rest = await bytes.line(LONGEST_LINE)
  if (rest !== undefined && rest.length > 0)
    throw new Damaged(`it goes on after the ${count} words that it promises`)
  return { dim, vectors }
}

function requireCount(words: number, header: Header | undefined): void {
  if (header === undefined || words === header.count) return
  throw new Damaged(`it has ${words} words and promises ${header.count}`)
}

function invalid(path: string, what: string): TextrecError {
  return new TextrecError(
    'MODEL_INVALID',
    `${path} holds no word vectors that can be read: ${what}.`,
    'Give GloVe text, word2vec text or binary, fastText .vec, or .bin that is not quantised, unpacked and complete.',
  )
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && 'syscall' in error
}
