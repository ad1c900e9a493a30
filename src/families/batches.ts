import { type Random, shuffle } from '../math/random.js'
import type { FamilyData, Pairs } from './family.js'

/** A pass over a table of few pairs has at least so many steps. */
const LEAST_STEPS = 12
/** Who has everything has no item to rank below: after so many draws any item will do. */
const MOST_DRAWS = 20

/** One step's pairs. A type and not an interface, so that it can be fed as it is. */
export type PairBatch = {
  /** [batch] */
  readonly people: Int32Array
  /** [batch * (1 + negatives)] what they took, and behind it, round by round, items that they did not take. */
  readonly items: Int32Array
}

/** A step's pairs, and the part of the people that all of them are about; see FamilyData.vectorsWithout. */
export interface PairStep {
  readonly part: number
  readonly batch: PairBatch
}

/** Draws the batches of matrix-like families: each pair once in a pass, in an order drawn anew. */
export class PairSampler {
  /** Pairs in one step. */
  readonly batch: number
  /** How many parts of the people are never in one step. */
  private readonly parts: number
  private readonly has: Set<number>

  constructor(
    private readonly data: FamilyData,
    batch: number,
    private readonly negatives: number,
  ) {
    this.batch = Math.min(batch, data.users.length)
    this.parts = (data.vectorsWithout ?? data.words?.without)?.length ?? 1
    this.has = new Set(data.users.map((user, i) => this.key(user, data.taken[i])))
  }

  *batches(pairs: Pairs, source: Random): Generator<PairBatch> {
    for (const { batch } of this.steps(pairs, source)) yield batch
  }

  /** Every batch is full: the last one of a part begins the part's order again. */
  *steps(pairs: Pairs, source: Random): Generator<PairStep> {
    const least = pairs.users === this.data.users ? LEAST_STEPS : 1
    const steps = Array.from({ length: this.parts }, (_, part) => {
      const order = Int32Array.from(pairs.users.keys()).filter((at) => pairs.users[at] % this.parts === part)
      shuffle(order, source)
      const count = order.length === 0 ? 0 : Math.max(least, Math.ceil(order.length / this.batch))
      return Array.from({ length: count }, (_step, step) => ({ part, order, from: step * this.batch }))
    }).flat()
    if (this.parts > 1) shuffle(steps, source)
    for (const { part, order, from } of steps) yield { part, batch: this.drawn(pairs, order, from, source) }
  }

  private drawn(pairs: Pairs, order: Int32Array, from: number, source: Random): PairBatch {
    const { batch, negatives } = this
    const people = new Int32Array(batch)
    const items = new Int32Array(batch * (1 + negatives))
    for (let i = 0; i < batch; i++) {
      const at = order[(from + i) % order.length]
      people[i] = pairs.users[at]
      items[i] = pairs.taken[at]
      for (let n = 1; n <= negatives; n++) items[n * batch + i] = this.other(people[i], items[i], source)
    }
    return { people, items }
  }

  private other(user: number, taken: number, source: Random): number {
    const { items } = this.data
    let item = source.integer(items)
    for (let draw = 1; draw < MOST_DRAWS && (item === taken || this.has.has(this.key(user, item))); draw++) {
      item = source.integer(items)
    }
    return item
  }

  private key(user: number, item: number): number {
    return user * this.data.items + item
  }
}
