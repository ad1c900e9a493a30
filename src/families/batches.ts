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

/** Draws the batches of matrix-like families: each pair once in a pass, in an order drawn anew. */
export class PairSampler {
  /** Pairs in one step. */
  readonly batch: number
  private readonly has: Set<number>

  constructor(
    private readonly data: FamilyData,
    batch: number,
    private readonly negatives: number,
  ) {
    this.batch = Math.min(batch, data.users.length)
    this.has = new Set(data.users.map((user, i) => this.key(user, data.taken[i])))
  }

  /** Every batch is full: the last one begins the order again. */
  *batches(pairs: Pairs, source: Random): Generator<PairBatch> {
    const { batch, negatives } = this
    const count = pairs.users.length
    const order = shuffle(
      Int32Array.from({ length: count }, (_, i) => i),
      source,
    )
    const least = pairs.users === this.data.users ? LEAST_STEPS : 1
    const steps = Math.max(least, Math.ceil(count / batch))
    for (let step = 0; step < steps; step++) {
      const people = new Int32Array(batch)
      const items = new Int32Array(batch * (1 + negatives))
      for (let i = 0; i < batch; i++) {
        const at = order[(step * batch + i) % count]
        people[i] = pairs.users[at]
        items[i] = pairs.taken[at]
        for (let n = 1; n <= negatives; n++) items[n * batch + i] = this.other(people[i], items[i], source)
      }
      yield { people, items }
    }
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
