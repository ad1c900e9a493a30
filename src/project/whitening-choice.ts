import { fitWhitening, whiten } from '../adapter/index.js'
import { textMeanScorer } from '../evaluate/index.js'
import { matrix, normalize, row } from '../math/matrix.js'
import type { TestCase } from '../ranking.js'
import type { InteractionTable, Matrix } from '../types.js'
import { bestTrial, type FusionTrial, judgeFusions } from './fusion-choice.js'
import { FROZEN_DECAY } from './serving-model.js'

/** Directions of whitened text that validation chooses from; the last one serves large catalogues unasked. */
const DIRECTIONS = [32, 64, 128, 256] as const
/** From so many warm items on there are texts enough for all directions, and more were better wherever tried. */
const ENOUGH_ITEMS = 16 * DIRECTIONS[3]

/**
 * How many directions of whitened text to keep. In a small catalogue the lesser ones are mostly noise, which
 * whitening blows up: with 288 items 32 directions ranked far better than 256. So whitened text alone is asked,
 * on validation.
 * @param texts [items, text] without what validation holds out
 * @param fitting what may be learnt from
 */
export async function chooseDirections(
  texts: Matrix,
  fitting: InteractionTable,
  validation: readonly TestCase[],
): Promise<number> {
  const most = DIRECTIONS[DIRECTIONS.length - 1]
  const warm = Int32Array.from(new Set(fitting.items)).sort()
  if (warm.length >= ENOUGH_ITEMS || warm.length < 2 || validation.length === 0) return most
  const all = whiten(fitWhitening(texts, warm, most), texts)
  const trials: FusionTrial[] = []
  const tried = DIRECTIONS.filter((count) => count <= all.dim)
  for (const count of tried) {
    const scorer = await textMeanScorer(`${count} directions`, firstDirections(all, count), FROZEN_DECAY)
    trials.push(...(await judgeFusions([scorer], undefined, validation, 'ndcg')))
    await scorer.close?.()
  }
  return trials.length === 0 ? most : tried[trials.indexOf(bestTrial(trials))]
}

/** Whitened rows with fewer directions: they are in order of variance, so the first ones are kept. */
function firstDirections(white: Matrix, count: number): Matrix {
  const kept = matrix(white.rows, count)
  for (let i = 0; i < white.rows; i++) {
    row(kept, i).set(row(white, i).subarray(0, count))
    normalize(row(kept, i))
  }
  return kept
}
