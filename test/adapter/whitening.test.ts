import { expect, test } from 'vitest'
import { fitWhitening, whiten } from '#src/adapter/whitening.js'
import { dot, matrix, row } from '#src/math/matrix.js'
import { random } from '#src/math/random.js'

/** Rows around a far mean, with very unequal spread, and one row without text. */
function texts(rows: number, dim: number) {
  const source = random(2)
  const m = matrix(rows, dim)
  for (let i = 0; i < rows; i++) {
    for (let d = 0; d < dim; d++) m.data[i * dim + d] = 3 + source.normal() * (1 + 4 * d)
  }
  row(m, 0).fill(0)
  return m
}
const all = (rows: number) => Int32Array.from({ length: rows }, (_, i) => i)

test('what it was fitted on gets mean 0 and the identity as covariance', () => {
  const [rows, dim] = [4000, 6]
  const m = texts(rows, dim)
  const { mean, directions } = fitWhitening(m, all(rows), dim)
  // The map before rows are brought to unit length.
  const mapped = matrix(rows, dim)
  for (let i = 1; i < rows; i++) {
    const centred = row(m, i).map((value, d) => value - mean[d])
    for (let j = 0; j < dim; j++) mapped.data[i * dim + j] = dot(row(directions, j), centred)
  }
  for (let a = 0; a < dim; a++) {
    for (let b = 0; b <= a; b++) {
      let sum = 0
      for (let i = 1; i < rows; i++) sum += mapped.data[i * dim + a] * mapped.data[i * dim + b]
      // The floor under small variances keeps the diagonal a little below 1.
      expect(Math.abs(sum / (rows - 1) - (a === b ? 1 : 0))).toBeLessThan(0.2 * Number(a === b) + 1e-3)
    }
  }
})

test('rows come out with unit length, a row without text stays zero, and is no part of the statistics', () => {
  const m = texts(50, 4)
  const whitening = fitWhitening(m, all(50), 4)
  const white = whiten(whitening, m)
  expect([...row(white, 0)]).toEqual([0, 0, 0, 0])
  for (let i = 1; i < 50; i++) expect(dot(row(white, i), row(white, i))).toBeCloseTo(1, 5)
  expect(fitWhitening(m, all(50).subarray(1), 4)).toEqual(whitening)
})

test('the directions of largest variance are kept, no more than the rows can tell', () => {
  const m = texts(200, 8)
  const { directions } = fitWhitening(m, all(200), 3)
  expect([directions.rows, directions.dim]).toEqual([3, 8])
  // The first direction is along the last, widest column.
  const first = row(directions, 0).map(Math.abs)
  expect(first.indexOf(Math.max(...first))).toBe(7)
  expect(fitWhitening(m, Int32Array.of(1, 2, 3), 8).directions.rows).toBe(2)
})

test('text of another size, and too little text, are refused', () => {
  const m = texts(50, 4)
  const whitening = fitWhitening(m, all(50), 4)
  expect(() => whiten(whitening, texts(5, 3))).toThrow(/Text vectors of 3 numbers met an adapter for 4/)
  expect(() => fitWhitening(m, Int32Array.of(0, 1), 4)).toThrow(/Only 1 items/)
})
