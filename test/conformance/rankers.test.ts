import { fitScorer, fusedScorer } from '#src/collaborative/index.js'
import { matrix, row } from '#src/math/matrix.js'
import { rankerOf } from '#src/ranking.js'
import type { RankerRecipe } from '../../src/ranking.js'
import { parityVectors } from './parity.js'
import { rankerConformance } from './ranker.js'

/** EASE and text in equal parts. */
function fusedRecipe(itemCount: number): RankerRecipe {
  return {
    name: 'fused',
    fit: async ({ training }) => {
      const collaborative = await fitScorer(training, { kind: 'ease', lambda: 1, recency: 1 })
      const vectors = parityVectors(itemCount)
      const text = {
        name: 'text',
        itemCount,
        scores: async (people: readonly { items: Int32Array }[]) => {
          const scores = matrix(people.length, itemCount)
          people.forEach(({ items }, p) => {
            for (const item of items) {
              for (let j = 0; j < itemCount; j++) {
                for (let d = 0; d < 3; d++) {
                  scores.data[p * itemCount + j] += row(vectors, item)[d] * row(vectors, j)[d]
                }
              }
            }
          })
          return scores
        },
      }
      return rankerOf(fusedScorer('fused', text, collaborative, 0.5))
    },
  }
}

rankerConformance({
  name: 'fused by hand',
  recipe: fusedRecipe,
  solvesCheckerboard: true,
  withoutInteractions: 'refused',
})
