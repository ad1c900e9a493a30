import { invertPositiveDefinite, type Product } from '../math/linear-algebra.js'
import { byItem, type Pairs } from './pairs.js'

/**
 * EASE^R (Steck 2019, "Embarrassingly Shallow Autoencoders for Sparse Data"): with X the 0/1 matrix of who has
 * what, G = X^T X + lambda I and P = G^-1, the item-item weights are B[i,j] = -P[i,j] / P[j,j], B[j,j] = 0, and
 * a person's scores are the sum of the rows B[i, :] of what they have.
 *
 * People with one item add to the diagonal only. What is left is inverted on the smaller side: with D the
 * diagonal and X the people with two items or more, either D + X^T X [items, items] directly, or
 * (Woodbury) P = D^-1 - D^-1 X^T (I + X D^-1 X^T)^-1 X D^-1 with an inverse of [people, people].
 * @returns [warm, warm] row-major B.
 */
export async function easeWeights(
  pairs: Pick<Pairs, 'starts' | 'items'>,
  warmCount: number,
  lambda: number,
  product: Product,
  onStep?: (share: number) => void,
): Promise<Float32Array<ArrayBuffer>> {
  const { diagonal, linked } = splitOffSingles(pairs, warmCount, lambda)
  const people = linked.starts.length - 1
  return people < warmCount
    ? weightsByPeople(linked, people, warmCount, diagonal, product, onStep)
    : weightsByItems(linked, people, warmCount, diagonal, product, onStep)
}

type Rows = Pick<Pairs, 'starts' | 'items'>

/** The diagonal D [items] (lambda + people who have only that item), and the people with more than one. */
function splitOffSingles(pairs: Rows, warmCount: number, lambda: number) {
  const diagonal = new Float64Array(warmCount).fill(lambda)
  const starts = [0]
  const items: number[] = []
  for (let user = 0; user + 1 < pairs.starts.length; user++) {
    const mine = pairs.items.subarray(pairs.starts[user], pairs.starts[user + 1])
    if (mine.length === 1) diagonal[mine[0]]++
    if (mine.length < 2) continue
    for (const item of mine) items.push(item)
    starts.push(items.length)
  }
  return { diagonal, linked: { starts: Int32Array.from(starts), items: Int32Array.from(items) } }
}

async function weightsByItems(
  { starts, items }: Rows,
  people: number,
  n: number,
  diagonal: Float64Array,
  product: Product,
  onStep?: (share: number) => void,
): Promise<Float32Array<ArrayBuffer>> {
  const inverse = new Float64Array(n * n)
  for (let j = 0; j < n; j++) inverse[j * n + j] = diagonal[j]
  for (let user = 0; user < people; user++) {
    for (let a = starts[user]; a < starts[user + 1]; a++) {
      for (let b = starts[user]; b < starts[user + 1]; b++) inverse[items[a] * n + items[b]]++
    }
  }
  await invertPositiveDefinite(inverse, n, product, { onStep })
  const weights = new Float32Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) weights[i * n + j] = i === j ? 0 : -inverse[i * n + j] / inverse[j * n + j]
  }
  return weights
}

async function weightsByPeople(
  linked: Rows,
  people: number,
  n: number,
  diagonal: Float64Array,
  product: Product,
  onStep?: (share: number) => void,
): Promise<Float32Array<ArrayBuffer>> {
  const { starts, people: holders } = byItem(linked, n)
  const inverse = new Float64Array(people * people) // I + X D^-1 X^T, then its inverse M
  for (let u = 0; u < people; u++) inverse[u * people + u] = 1
  for (let j = 0; j < n; j++) {
    const share = 1 / diagonal[j]
    for (let a = starts[j]; a < starts[j + 1]; a++) {
      for (let b = starts[j]; b < starts[j + 1]; b++) inverse[holders[a] * people + holders[b]] += share
    }
  }
  await invertPositiveDefinite(inverse, people, product, { onStep })
  const reached = new Float64Array(people * n) // M X, filled a column at a time
  const column = new Float64Array(people)
  const pivots = new Float64Array(n) // P[j, j] = (1 - (X^T M X)[j, j] / D[j]) / D[j]
  for (let j = 0; j < n; j++) {
    column.fill(0)
    for (let a = starts[j]; a < starts[j + 1]; a++) {
      const from = holders[a] * people // M is symmetric: its row is its column
      for (let u = 0; u < people; u++) column[u] += inverse[from + u]
    }
    let quadratic = 0
    for (let a = starts[j]; a < starts[j + 1]; a++) quadratic += column[holders[a]]
    pivots[j] = (1 - quadratic / diagonal[j]) / diagonal[j]
    for (let u = 0; u < people; u++) reached[u * n + j] = column[u]
  }
  const weights = new Float32Array(n * n)
  const line = new Float64Array(n) // (X^T M X)[i, :]
  for (let i = 0; i < n; i++) {
    line.fill(0)
    for (let a = starts[i]; a < starts[i + 1]; a++) {
      const from = holders[a] * n
      for (let j = 0; j < n; j++) line[j] += reached[from + j]
    }
    for (let j = 0; j < n; j++) {
      // P[i, j] = -line[j] / (D[i] D[j]) off the diagonal, and B[i, j] = -P[i, j] / P[j, j].
      weights[i * n + j] = i === j ? 0 : line[j] / (diagonal[i] * diagonal[j] * pivots[j])
    }
  }
  return weights
}
