import { textMeanScorer } from '../evaluate/index.js'
import type { TestCase } from '../ranking.js'
import type { Matrix } from '../types.js'
import { bestTrial, type FusionTrial, judgeFusions } from './fusion-choice.js'

/** How much an event may count beside the next newer one; 1 makes a person the plain mean of what they took. */
const DECAYS = [1, 0.9, 0.8, 0.6, 0.4] as const

/**
 * How fast a history fades where text is served as it is, by NDCG@10 on validation. Of equals the slowest.
 * @param texts [items, text] without what validation holds out
 * @param onBatch called now and then; may throw to stop
 */
export async function chooseDecay(
  texts: Matrix,
  validation: readonly TestCase[],
  onBatch?: () => void,
): Promise<number> {
  const trials: FusionTrial[] = []
  for (const decay of DECAYS) {
    const scorer = await textMeanScorer('frozen', texts, decay)
    try {
      trials.push(...(await judgeFusions([scorer], undefined, validation, 'ndcg', { onBatch })))
    } finally {
      await scorer.close?.()
    }
  }
  return DECAYS[trials.indexOf(bestTrial(trials))]
}
