import { afterAll, beforeAll } from 'vitest'
import { type Adapter, adapterRanker, adapterScorer, trainAdapter } from '#src/adapter/index.js'
import { fitScorer, fusedScorer } from '#src/collaborative/index.js'
import { matrix, row } from '#src/math/matrix.js'
import { rankerOf } from '#src/ranking.js'
import { ITEMS, SMALL, toyShop } from '../../dist/scripts/toys/toy-shop.js'
import type { Matrix } from '../../src/types.js'
import { parityVectors } from './parity.js'
import { rankerConformance } from './ranker.js'
import { servedRecipe } from './served.js'

rankerConformance({
  name: 'recommend() on frozen text',
  recipe: servedRecipe({ name: 'frozen', share: 0, texts: parityVectors }),
  solvesCheckerboard: true,
  withoutInteractions: 'ranked',
})
rankerConformance({
  name: 'recommend() with item-item scores',
  recipe: servedRecipe({ name: 'fused', share: 0.3, texts: parityVectors }),
  solvesCheckerboard: true,
  withoutInteractions: 'ranked',
})

// Really trained adapters, small. Their toy shop knows other habits than the checkerboard, which they cannot solve.
let adapter: Adapter
let long: Adapter
const close: (() => Promise<void>)[] = []
beforeAll(async () => {
  const train = async (encoder: 'sasrec' | 'sasrec-long') => {
    const { adapter, hidden, judged } = await trainAdapter(toyShop(), { ...SMALL, encoder, epochs: 2 })
    close.push(...[adapter, judged, hidden.adapter].map((one) => () => one.close()))
    return adapter
  }
  adapter = await train('sasrec')
  long = await train('sasrec-long')
})
afterAll(async () => {
  for (const one of close) await one()
})

function toyTexts(itemCount: number): Matrix {
  const { texts } = toyShop()
  const some = matrix(itemCount, texts.dim)
  for (let i = 0; i < itemCount; i++) row(some, i).set(row(texts, i % ITEMS))
  return some
}

const ids = (itemCount: number) => Array.from({ length: itemCount }, (_, i) => `i${i}`)
/** What is not an object until training is done. */
const withAdapter = (share: number) => (itemCount: number) =>
  servedRecipe({ name: 'adapter', share, adapter, texts: toyTexts })(itemCount)

rankerConformance({
  name: 'recommend() with a trained adapter',
  recipe: withAdapter(0),
  solvesCheckerboard: false,
  withoutInteractions: 'ranked',
})
rankerConformance({
  name: 'recommend() with a trained adapter and item-item scores',
  recipe: withAdapter(0.3),
  solvesCheckerboard: false,
  withoutInteractions: 'ranked',
})
rankerConformance({
  name: 'the trained adapter in an evaluation',
  recipe: (itemCount) => ({
    name: 'adapter',
    fit: () => adapterRanker(adapter, toyTexts(itemCount), ids(itemCount)),
  }),
  solvesCheckerboard: false,
  withoutInteractions: 'ranked',
})
rankerConformance({
  name: 'a trained adapter that feels intervals, in an evaluation',
  recipe: (itemCount) => ({
    name: 'adapter-long',
    fit: () => adapterRanker(long, toyTexts(itemCount), ids(itemCount)),
  }),
  solvesCheckerboard: false,
  withoutInteractions: 'ranked',
})
rankerConformance({
  name: 'the trained adapter and EASE in an evaluation',
  recipe: (itemCount) => ({
    name: 'fused adapter',
    fit: async ({ training }) => {
      const ease = await fitScorer(training, { kind: 'ease', lambda: 1, recency: 1 })
      return rankerOf(
        fusedScorer('fused', await adapterScorer(adapter, toyTexts(itemCount), ids(itemCount)), ease, 0.5),
      )
    },
  }),
  solvesCheckerboard: false,
  withoutInteractions: 'refused',
})
