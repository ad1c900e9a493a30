import { matrix } from '../../math/matrix.js'
import { random } from '../../math/random.js'
import { type RankerRecipe, rankerOf } from '../../ranking.js'
import type { Person } from '../../types.js'
import { itemCounts } from '../table.js'

/** Items in an order drawn anew for each person: what no knowledge at all is worth. */
export function randomRecipe(): RankerRecipe {
  return {
    name: 'random',
    fit: async ({ training, seed }) => {
      const itemCount = training.itemIds.length
      return rankerOf({
        name: 'random',
        itemCount,
        scores: async (people) => {
          const scores = matrix(people.length, itemCount)
          people.forEach((person, i) => {
            const source = random(seedOf(person, seed))
            for (let item = 0; item < itemCount; item++) scores.data[i * itemCount + item] = source.next()
          })
          return scores
        },
      })
    },
  }
}

/** The same person gets the same order, in whatever company they are asked for. */
function seedOf(person: Person, seed: number): number {
  let hash = seed >>> 0
  for (const value of [person.user ?? -1, ...person.items]) hash = Math.imul(hash ^ value, 0x01000193) >>> 0
  return hash
}

/** What most people took, the same for everyone: how many distinct people of training have the item. */
export function popularRecipe(): RankerRecipe {
  return {
    name: 'popular',
    seedless: true,
    fit: async ({ training }) => {
      const counts = Float32Array.from(itemCounts(training))
      return rankerOf({
        name: 'popular',
        itemCount: counts.length,
        scores: async (people) => {
          const scores = matrix(people.length, counts.length)
          for (let i = 0; i < people.length; i++) scores.data.set(counts, i * counts.length)
          return scores
        },
      })
    },
  }
}
