import { stemmer } from 'stemmer'
import { eng as stopWordsOfEnglish } from 'stopword'

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
  const common = new Set(stopWordsOfEnglish)
  const stems = new Map<string, string>()
  const stemOf = (word: string) => {
    const known = stems.get(word) ?? stemmer(word)
    stems.set(word, known)
    return known
  }
  return (text) => {
    let found = runs(lowercase ? text.toLowerCase() : text)
    if (stopWords) found = found.filter((word) => !common.has(word.toLowerCase()))
    return stemming ? found.map(stemOf) : found
  }
}

function runs(text: string): string[] {
  return text.match(/[\p{L}\p{N}\p{M}]+/gu) ?? []
}
