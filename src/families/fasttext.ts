import { addScaled } from '../math/matrix.js'
import { type ByteReader, Damaged } from './byte-reader.js'

/*
 * fastText's own binary format (.bin, version 11 and 12; Bojanowski et al. 2017, arXiv:1607.04606), little-endian:
 *   magic, version                                                int32 each
 *   dim, ws, epoch, minCount, neg, wordNgrams, loss, model, bucket, minn, maxn, lrUpdateRate   int32 each; t  float64
 *   entries, words, labels                                        int32 each; tokens, pruned  int64 each
 *   per entry: its bytes and a zero, count int64, kind int8 (0: a word)
 *   per pruned n-gram: two int32
 *   quantised                                                     one byte
 *   rows, dim  int64 each; the input matrix, float32 [rows, dim]: one row per word, then one per bucket
 * A word's vector is the mean of its own row and those of its n-grams, whose buckets come from a hash; a word that the
 * dictionary does not have is made of its n-grams alone.
 */

const MAGIC = 793712314
const VERSIONS = [11, 12]
const SUPERVISED = 3
const LONGEST_WORD = 4096
/** The mark of a line's end is an entry without n-grams. */
const END_OF_LINE = '</s>'

interface Header {
  readonly dim: number
  readonly bucket: number
  readonly shortest: number
  readonly longest: number
  readonly entries: number
  readonly words: number
  /** -1 where no n-gram was pruned. */
  readonly pruned: number
}

/** Whether the stream is fastText's. Nothing is taken. */
export async function isFastText(bytes: ByteReader): Promise<boolean> {
  const start = await bytes.peek(8)
  return start.length >= 8 && start.readInt32LE(0) === MAGIC && VERSIONS.includes(start.readInt32LE(4))
}

/**
 * Reads the vectors of the wanted words; of the matrix only the rows that these need are kept.
 * @throws Damaged for a file that is quantised, is cut short or contradicts itself
 */
export async function readFastText(
  bytes: ByteReader,
  wanted: ReadonlySet<string>,
  mostDim: number,
): Promise<{ readonly dim: number; readonly vectors: ReadonlyMap<string, Float32Array> }> {
  const header = await readHeader(bytes, mostDim)
  const { dim, words, bucket } = header
  const known = await readDictionary(bytes, header, wanted)
  const [quantised] = await exactly(bytes, 1)
  if (quantised !== 0 || header.pruned >= 0) throw new Damaged('it is quantised')
  const matrix = await exactly(bytes, 16)
  const [rows, columns] = [Number(matrix.readBigInt64LE(0)), Number(matrix.readBigInt64LE(8))]
  if (columns !== dim || rows !== words + bucket) {
    throw new Damaged(
      `it has a matrix of ${rows} rows of ${columns} for ${words} words and ${bucket} buckets of ${dim}`,
    )
  }
  const parts = new Map<string, number[]>()
  for (const word of wanted) {
    const id = known.get(word)
    const own = id === undefined ? [] : [id]
    const ids = [...own, ...(word === END_OF_LINE ? [] : ngramRows(word, header))]
    if (ids.length > 0) parts.set(word, ids)
  }
  return { dim, vectors: await readRows(bytes, parts, rows, dim) }
}

async function readHeader(bytes: ByteReader, mostDim: number): Promise<Header> {
  const start = await exactly(bytes, 8 + 12 * 4 + 8)
  const number = (n: number) => start.readInt32LE(8 + 4 * n)
  const sizes = await exactly(bytes, 3 * 4 + 2 * 8)
  // Models for classes from before version 12 say that they have n-grams of letters, and have none.
  const hasNgrams = !(start.readInt32LE(4) === 11 && number(7) === SUPERVISED)
  const header: Header = {
    dim: number(0),
    bucket: number(8),
    shortest: number(9),
    longest: hasNgrams ? number(10) : 0,
    entries: sizes.readInt32LE(0),
    words: sizes.readInt32LE(4),
    pruned: Number(sizes.readBigInt64LE(20)),
  }
  const { dim, bucket, entries, words, longest } = header
  if (dim < 1 || dim > mostDim) throw new Damaged(`it says that vectors have ${dim} numbers`)
  if (words < 0 || entries < words || bucket < 0 || longest > LONGEST_WORD) {
    throw new Damaged(`it says that ${words} of ${entries} entries are words, with ${bucket} buckets`)
  }
  return header
}

/** The row of each wanted word that has one. */
async function readDictionary(
  bytes: ByteReader,
  { entries, words, pruned }: Header,
  wanted: ReadonlySet<string>,
): Promise<ReadonlyMap<string, number>> {
  const known = new Map<string, number>()
  for (let id = 0; id < entries; id++) {
    const name = await bytes.until(0, LONGEST_WORD)
    const rest = name && (await bytes.take(9))
    if (name === undefined || rest === undefined) {
      throw new Damaged(`it ends at entry ${id + 1} of the ${entries} that it promises`)
    }
    const word = name.toString('utf8')
    if (rest[8] === 0 && id < words && wanted.has(word) && !known.has(word)) known.set(word, id)
  }
  if (pruned > 0 && !(await bytes.skip(8 * pruned))) throw new Damaged('it ends among its pruned n-grams')
  return known
}

/** Rows of the n-grams of a word between its marks, in letters of UTF-8; single marks are none. */
function ngramRows(word: string, { words, bucket, shortest, longest }: Header): number[] {
  const letters = Array.from(`<${word}>`)
  const rows: number[] = []
  if (bucket === 0) return rows
  for (let from = 0; from < letters.length; from++) {
    for (let count = Math.max(1, shortest); count <= longest && from + count <= letters.length; count++) {
      if (count === 1 && (from === 0 || from === letters.length - 1)) continue
      rows.push(words + (hash(letters.slice(from, from + count).join('')) % bucket))
    }
  }
  return rows
}

/** FNV-1a of 32 bits; bytes count as signed, as they always have in fastText. */
function hash(text: string): number {
  let value = 2166136261
  for (const byte of Buffer.from(text, 'utf8')) {
    value = Math.imul(value ^ ((byte << 24) >> 24), 16777619) >>> 0
  }
  return value
}

/** The mean of the rows that each word names. The matrix is read once, up to the last row that is needed. */
async function readRows(
  bytes: ByteReader,
  parts: ReadonlyMap<string, readonly number[]>,
  rows: number,
  dim: number,
): Promise<ReadonlyMap<string, Float32Array>> {
  const vectors = new Map(Array.from(parts.keys(), (word) => [word, new Float32Array(dim)]))
  const uses: { readonly row: number; readonly word: string; readonly share: number }[] = []
  for (const [word, ids] of parts) for (const row of ids) uses.push({ row, word, share: 1 / ids.length })
  uses.sort((left, right) => left.row - right.row)
  const values = new Float32Array(dim)
  let next = 0
  for (const { row, word, share } of uses) {
    if (row >= next) {
      const block = (await bytes.skip(4 * dim * (row - next))) ? await bytes.take(4 * dim) : undefined
      if (block === undefined)
        throw new Damaged(`it ends before row ${row + 1} of the ${rows} that it promises`)
      for (let d = 0; d < dim; d++) values[d] = block.readFloatLE(4 * d)
      if (!values.every(Number.isFinite)) throw new Damaged(`row ${row + 1} has a number that is not finite`)
      next = row + 1
    }
    addScaled(vectors.get(word)!, values, share)
  }
  return vectors
}

async function exactly(bytes: ByteReader, count: number): Promise<Buffer> {
  const taken = await bytes.take(count)
  if (taken === undefined) throw new Damaged('it ends in the middle of its header')
  return taken
}
