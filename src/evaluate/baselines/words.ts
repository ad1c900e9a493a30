import { createRequire } from 'node:module'
import { stemmer } from 'stemmer'

/** What is done to a text before its words are compared. English is what stop words and stems are known of. */
export interface WordOptions {
  /** Whether case is taken away. */
  readonly lowercase: boolean
  /** Whether words that say nothing (the, of, you) are left out. */
  readonly stopWords: boolean
  /** Whether words are cut to their stem (Porter 1980): guitars and guitar become one. */
  readonly stemming: boolean
}

export const PLAIN_WORDS: WordOptions = { lowercase: true, stopWords: false, stemming: false }

/** From a text to its words. */
export type ToWords = (text: string) => string[]

/** Runs of letters and digits in lower case. */
export const words: ToWords = (text) => runs(text.toLowerCase())

/** The words of a text under these options, in their order. */
export function toWords({ lowercase, stopWords, stemming }: WordOptions): ToWords {
  const common = stopWords ? stopWordsOfEnglish() : new Set<string>()
  const stems = new Map<string, string>()
  const stemOf = (word: string) => {
    const known = stems.get(word) ?? stemmer(word)
    stems.set(word, known)
    return known
  }
  return (text) => {
    const all = runs(lowercase ? text.toLowerCase() : text)
    const found = all.filter((word) => !common.has(word.toLowerCase()))
    return stemming ? found.map(stemOf) : found
  }
}

/** Loaded with the first ranker that wants it: the package has sixty languages, and takes as long as a question does. */
function stopWordsOfEnglish(): ReadonlySet<string> {
  const { eng } = createRequire(import.meta.url)('stopword') as { readonly eng: readonly string[] }
  return new Set(eng)
}

function runs(text: string): string[] {
  return text.match(/[\p{L}\p{N}\p{M}]+/gu) ?? []
}
