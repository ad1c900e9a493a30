import { matrix, normalize, row } from '#src/math/matrix.js'
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
