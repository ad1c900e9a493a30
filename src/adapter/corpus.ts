import { matrix, row } from '../math/matrix.js'
import type { Matrix } from '../types.js'
import { fitWhitening, type Whitening, whiten } from './whitening.js'

/** Histories with what they need around them. */
export interface Corpus {
  readonly histories: readonly Int32Array[]
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

/** @param textDim directions of whitened text that are kept */
export function corpusOf(histories: readonly Int32Array[], texts: Matrix, textDim: number): Corpus {
  const warm = Int32Array.from(new Set(histories.flatMap((history) => [...history]))).sort()
  const whitening = fitWhitening(texts, warm, textDim)
  const usable = histories.filter((history) => history.length > 1)
  return { histories: usable, warm, whitening, white: whiten(whitening, texts) }
}
