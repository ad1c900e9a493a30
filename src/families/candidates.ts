import type { Random } from '../math/random.js'
import type { PairSampler } from './batches.js'
import type { FamilyData, Pairs } from './family.js'

/** Taken off the logit of a place that holds no candidate. */
const NOBODY = 1e9

/** One step of a softmax over the items that the step itself names. A type, so that it can be fed as it is. */
export type CandidateBatch = {
  /** [batch] */
  readonly people: Int32Array
  /** [batch] the different items of the step, then zeros */
  readonly candidates: Int32Array
  /** [batch] places in `candidates` */
  readonly targets: Int32Array
  /** [batch] ln of how likely it is that a step names the candidate (Yi et al. 2019, RecSys) */
  readonly offsets: Float32Array
}

/** Batches for catalogues too large for a softmax over all: each item is one candidate, however often it occurs. */
export class CandidateSampler {
  private readonly frequencies: Float64Array

  constructor(
    { items, taken }: FamilyData,
    private readonly pairs: PairSampler,
  ) {
    this.frequencies = new Float64Array(items)
    for (const item of taken) this.frequencies[item] += 1 / taken.length
  }

  *batches(pairs: Pairs, source: Random): Generator<CandidateBatch> {
    for (const { batch } of this.steps(pairs, source)) yield batch
  }

  *steps(pairs: Pairs, source: Random): Generator<{ readonly part: number; readonly batch: CandidateBatch }> {
    const { batch } = this.pairs
    for (const {
      part,
      batch: { people, items },
    } of this.pairs.steps(pairs, source)) {
      const places = new Map<number, number>()
      for (const item of items) if (!places.has(item)) places.set(item, places.size)
      const candidates = new Int32Array(batch)
      const offsets = new Float32Array(batch).fill(NOBODY)
      for (const [item, place] of places) {
        candidates[place] = item
        // An item that only validation knows is offered because it is asked for: nothing is taken off.
        const offered = 1 - (1 - this.frequencies[item]) ** batch
        offsets[place] = offered > 0 ? Math.log(offered) : 0
      }
      const targets = items.map((item) => places.get(item)!)
      yield { part, batch: { people, candidates, targets, offsets } }
    }
  }
}
