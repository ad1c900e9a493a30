import { collaborativeRecipe, fitScorer, fusedScorer } from '#src/collaborative/index.js'
import { bm25Recipe, bm25Search } from '#src/evaluate/baselines/bm25.js'
import { bprRecipe } from '#src/evaluate/baselines/bpr.js'
import { popularRecipe, randomRecipe } from '#src/evaluate/baselines/simple.js'
import { textMeanRecipe, textNeighboursRecipe } from '#src/evaluate/baselines/text.js'
import { matrix, row } from '#src/math/matrix.js'
import { rankerOf } from '#src/ranking.js'
import type { RankerRecipe } from '../../src/ranking.js'
import { parityVectors } from './parity.js'
import { rankerConformance } from './ranker.js'

const parityTexts = (itemCount: number) =>
  Array.from({ length: itemCount }, (_, i) => `${i % 2 === 0 ? 'even' : 'odd'} number${i}`)

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
  name: 'random',
  recipe: randomRecipe,
  solvesCheckerboard: false,
  withoutInteractions: 'ranked',
})
rankerConformance({
  name: 'popular',
  recipe: popularRecipe,
  solvesCheckerboard: false,
  withoutInteractions: 'ranked',
})
rankerConformance({
  name: 'ease',
  recipe: () => collaborativeRecipe('ease', { threads: 1 }),
  solvesCheckerboard: true,
  withoutInteractions: 'refused',
})
rankerConformance({
  name: 'item-knn',
  recipe: () => collaborativeRecipe('neighbours'),
  solvesCheckerboard: true,
  withoutInteractions: 'refused',
})
rankerConformance({
  name: 'text mean',
  recipe: (itemCount) => textMeanRecipe('text mean', () => parityVectors(itemCount)),
  solvesCheckerboard: true,
  withoutInteractions: 'ranked',
})
rankerConformance({
  name: 'text neighbours',
  recipe: (itemCount) => textNeighboursRecipe('text neighbours', () => parityVectors(itemCount)),
  solvesCheckerboard: true,
  withoutInteractions: 'ranked',
})
rankerConformance({
  name: 'bm25',
  recipe: (itemCount) => {
    const texts = parityTexts(itemCount)
    return bm25Recipe(bm25Search(texts), (item) => texts[item])
  },
  solvesCheckerboard: true,
  withoutInteractions: 'ranked',
})
rankerConformance({
  name: 'bpr',
  recipe: () => bprRecipe({ threads: 1 }),
  solvesCheckerboard: true,
  withoutInteractions: 'refused',
})
rankerConformance({
  name: 'fused',
  recipe: fusedRecipe,
  solvesCheckerboard: true,
  withoutInteractions: 'refused',
})
