import { mean, pairedDifference } from '../math/statistics.js'
import { bestTrial, type FusionTrial } from './fusion-choice.js'

/** Half of the people choose and the other half judge, and the other way round. */
const HALVES = 2

/**
 * The best of `trials` where it is better than `safe` beyond doubt, or else `safe`. The largest of many noisy figures is
 * too large, so nobody judges what they chose: each half of the people picks the trial that is best for them, the
 * other half says how much better than `safe` it is for them, and the paired 95 % interval over all of them has to lie
 * above zero.
 * @param trials of the same people in the same order, `safe` among them
 * @param seed for the bootstrap
 */
export function cautiousChoice(trials: readonly FusionTrial[], safe: FusionTrial, seed: number): FusionTrial {
  const people = safe.perPerson.length
  if (people < HALVES) return safe
  const unseen = new Float64Array(people)
  for (let half = 0; half < HALVES; half++) {
    const valueFor = ({ perPerson }: FusionTrial) => mean(perPerson.filter((_, i) => i % HALVES !== half))
    const chosen = bestTrial(trials.map((trial) => ({ ...trial, value: valueFor(trial) })))
    for (let i = half; i < people; i += HALVES) unseen[i] = chosen.perPerson[i]
  }
  return pairedDifference(unseen, safe.perPerson, { seed }).low > 0 ? bestTrial(trials) : safe
}
