import { matrix, row } from '../math/matrix.js'
import type { Matrix, TimeKind } from '../types.js'
import type { OwnTexts } from './steps.js'
import { fitWhitening, type Whitening, whiten } from './whitening.js'

/** When the events of histories were, for encoders that read it. */
export interface HistoryTimes {
  readonly kind: TimeKind
  /** Of each event of each history, in their order. */
  readonly times: readonly Float64Array[]
}

/** Histories with what they need around them. */
export interface Corpus {
  readonly histories: readonly Int32Array[]
  readonly when?: HistoryTimes
  /** What each of these may learn from instead of `white`, where people wrote some of the texts. */
  readonly own?: OwnTexts
  /** Items with interactions, ascending. */
  readonly warm: Int32Array
  readonly whitening: Whitening
  /** [items, textDim] */
  readonly white: Matrix
}

/** `texts` with the rows of the hidden items as they look before anybody has taken them. */
export function withColdTexts(texts: Matrix, coldTexts: Matrix | undefined, hidden: Int32Array): Matrix {
  if (coldTexts === undefined) return texts
  const mixed = matrix(texts.rows, texts.dim, texts.data.slice())
  for (const item of hidden) row(mixed, item).set(row(coldTexts, item))
  return mixed
}

/** [items] place among the warm items, -1 for the cold ones. */
export function idIndex(warm: Int32Array, items: number): Int32Array {
  const index = new Int32Array(items).fill(-1)
  for (let i = 0; i < warm.length; i++) index[warm[i]] = i
  return index
}

/**
 * @param histories by person number, empty ones for people without
 * @param textDim directions of whitened text that are kept
 * @param without see `FitData.textsWithout` @param when of the events of `histories`, where that is read
 */
export function corpusOf(
  histories: readonly Int32Array[],
  texts: Matrix,
  textDim: number,
  without?: readonly Matrix[],
  when?: HistoryTimes,
): Corpus {
  const warm = Int32Array.from(new Set(histories.flatMap((history) => [...history]))).sort()
  const whitening = fitWhitening(texts, warm, textDim)
  const people = Array.from(histories.keys()).filter((person) => histories[person].length > 1)
  const own = without && {
    texts: without.map((some) => whiten(whitening, some)),
    part: Int32Array.from(people, (person) => person % without.length),
  }
  return {
    histories: people.map((person) => histories[person]),
    ...(own === undefined ? {} : { own }),
    ...(when === undefined
      ? {}
      : { when: { kind: when.kind, times: people.map((person) => when.times[person]) } }),
    warm,
    whitening,
    white: whiten(whitening, texts),
  }
}
