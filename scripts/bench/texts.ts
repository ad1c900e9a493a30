import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { random } from '../../src/math/random.js'
import { sampleFiles } from '../../src/sample/index.js'

/** Real texts of three lengths, and where they come from. */
export interface RealTexts {
  readonly from: string
  /** Titles: some 20 tokens. */
  readonly short: readonly string[]
  /** Reviews and short descriptions: some 60. */
  readonly medium: readonly string[]
  /** Descriptions of 100 words and more, which still fit one window. */
  readonly long: readonly string[]
}

interface RawItem {
  readonly title?: string
  readonly description?: string
}

interface RawReview {
  readonly text?: string
  readonly reviewText?: string
}

/** `count` texts of each length, drawn with a seed; of the shared sets, or of the built-in sample without them. */
export function realTexts(data: string | undefined, count: number): RealTexts {
  const files =
    data === undefined
      ? { items: sampleFiles().items, reviews: sampleFiles().reviews }
      : {
          items: join(data, 'amazon-industrial', 'items.jsonl.gz'),
          reviews: join(data, 'amazon-all-beauty', 'All_Beauty_5.json.gz'),
        }
  const items = jsonLines<RawItem>(files.items)
  const reviews = jsonLines<RawReview>(files.reviews)
  const descriptions = items.map(({ title = '', description = '' }) => `${title}\n${description}`)
  const words = (text: string) => text.split(/\s+/).length
  const opinions = reviews.map(({ text, reviewText }) => text ?? reviewText ?? '')
  return {
    from: data === undefined ? 'the built-in sample' : 'amazon-industrial and amazon-all-beauty',
    short: drawn(
      items.map(({ title = '' }) => title).filter((title) => title !== ''),
      count,
    ),
    medium: drawn(
      [...opinions, ...descriptions].filter((text) => words(text) >= 25 && words(text) < 80),
      count,
    ),
    long: drawn(
      descriptions.filter((text) => words(text) >= (data === undefined ? 40 : 100) && words(text) < 150),
      count,
    ),
  }
}

/** One object a line, plain or gzip. */
export function jsonLines<T>(path: string): T[] {
  const bytes = readFileSync(path)
  const text = (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8')
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => JSON.parse(line) as T)
}

/** So many of them at random, in random order, from the start again where there are too few. */
function drawn(all: readonly string[], count: number): string[] {
  const source = random(1)
  const order = all.map((text) => ({ text, at: source.next() })).sort((a, b) => a.at - b.at)
  return Array.from({ length: count }, (_, i) => order[i % order.length].text)
}

/** Words that are one token each for every BERT that knows English. */
const WORDS =
  'the of and in to was he is as for on with that it his by at from her she you had an were but be this'.split(
    ' ',
  )

/** Texts of exactly so many tokens, special ones included. */
export function textsOfTokens(tokens: number, count: number): string[] {
  const source = random(tokens)
  return Array.from({ length: count }, () =>
    Array.from({ length: tokens - 2 }, () => WORDS[source.integer(WORDS.length)]).join(' '),
  )
}
