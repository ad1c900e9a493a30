import { addScaled, length, matrix, row } from '../math/matrix.js'
import { random } from '../math/random.js'
import type { Matrix } from '../types.js'
import type { FamilyData } from './family.js'

/**
 * Tables that start from vectors made beforehand: each item as the first `factors` numbers of its own, at the length
 * that a random row would have, or at random where it has none; each person as the mean of their items.
 * @param deviation of a random row's numbers
 */
export function startFromVectors(
  { people, items, users, taken, vectors }: FamilyData,
  factors: number,
  deviation: number,
  seed: number,
): { readonly people: Matrix; readonly items: Matrix } {
  const source = random(seed)
  const given = vectors ?? matrix(items, 0)
  const kept = Math.min(given.dim, factors)
  const itemTable = matrix(items, factors)
  for (let i = 0; i < items; i++) {
    const [from, to] = [row(given, i).subarray(0, kept), row(itemTable, i)]
    const known = length(from)
    if (known === 0) for (let d = 0; d < factors; d++) to[d] = source.normal() * deviation
    else addScaled(to.subarray(0, kept), from, (deviation * Math.sqrt(factors)) / known)
  }
  const counts = new Int32Array(people)
  for (const user of users) counts[user]++
  const peopleTable = matrix(people, factors)
  for (const [i, user] of users.entries()) {
    addScaled(row(peopleTable, user), row(itemTable, taken[i]), 1 / counts[user])
  }
  return { people: peopleTable, items: itemTable }
}
