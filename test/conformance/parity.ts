import { matrix, normalize, row } from '#src/math/matrix.js'
import type { WordTexts } from '../../src/families/index.js'
import type { Matrix } from '../../src/types.js'

/** [items, 3] text vectors that know the parity of an item, and a little of its number. */
export function parityVectors(itemCount: number): Matrix {
  const vectors = matrix(itemCount, 3)
  for (let i = 0; i < itemCount; i++) {
    row(vectors, i).set([i % 2, (i + 1) % 2, 0.01 * i])
    normalize(row(vectors, i))
  }
  return vectors
}

/** Texts of up to three words that tell the parity of an item, and its number a little. */
export function parityWords(itemCount: number, length: number): WordTexts {
  const table = matrix(5, 4)
  for (let word = 1; word < 5; word++) row(table, word)[word - 1] = 1
  const tokens = new Int32Array(itemCount * length)
  for (let i = 0; i < itemCount; i++) {
    const text = [3 + (i % 3 === 0 ? 1 : 0), 1 + (i % 2)].slice(i % 5 === 0 ? 1 : 0)
    tokens.set(text, (i + 1) * length - text.length)
  }
  return { table, length, tokens }
}
