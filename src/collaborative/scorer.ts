import { matrix } from '../math/matrix.js'
import type { Scorer } from '../ranking.js'
import type { Matrix, Person } from '../types.js'
import type { NeighbourLists } from './neighbours.js'

/** How a scorer was made. */
export type CollaborativeParameters = (
  | { readonly kind: 'ease'; readonly lambda: number }
  | { readonly kind: 'neighbours'; readonly count: number; readonly shrinkage: number }
) & {
  /** How much an item of a history counts beside the next newer one: 1 makes the order irrelevant. */
  readonly recency: number
}

/** Older items than this weight allows are left out. */
const LEAST_WEIGHT = 1e-4

/**
 * Item-item scores from who took what. It knows warm items only: an item without interactions scores 0 and
 * `known` says so, which is not the same as an item that is known and scores 0.
 */
export abstract class CollaborativeScorer implements Scorer {
  abstract readonly parameters: CollaborativeParameters
  /** [itemCount] 1 where the item has interactions. */
  readonly known: Uint8Array
  /** [itemCount] position among the warm items, -1 elsewhere. */
  protected readonly warmOf: Int32Array

  /** @param warm [warm] dense item numbers of the warm items, ascending. */
  constructor(
    readonly warm: Int32Array,
    readonly itemCount: number,
  ) {
    this.known = new Uint8Array(itemCount)
    this.warmOf = new Int32Array(itemCount).fill(-1)
    for (let i = 0; i < warm.length; i++) {
      this.known[warm[i]] = 1
      this.warmOf[warm[i]] = i
    }
  }

  get name(): string {
    return this.parameters.kind === 'ease' ? 'ease' : 'item-knn'
  }

  /**
   * [itemCount] this person's score of every item; their own items are scored by their other items. A repeated
   * item counts once, where it is newest.
   * @param into written to and returned, where given.
   * @param recency 1 for a history that has no order, such as a list of likes.
   */
  scoresOf(
    person: Person,
    into: Float32Array = new Float32Array(this.itemCount),
    recency: number = this.parameters.recency,
  ): Float32Array {
    into.fill(0)
    let weight = 1
    for (const item of new Set(person.items.toReversed())) {
      const from = this.warmOf[item]
      if (from >= 0) this.addRow(from, weight, into)
      weight *= recency
      if (weight < LEAST_WEIGHT) break
    }
    return into
  }

  /** The same scorer (weights shared) with another recency. */
  abstract withRecency(recency: number): CollaborativeScorer

  async scores(people: readonly Person[]): Promise<Matrix> {
    const all = matrix(people.length, this.itemCount)
    people.forEach((person, i) => {
      this.scoresOf(person, all.data.subarray(i * this.itemCount, (i + 1) * this.itemCount))
    })
    return all
  }

  /** Adds `weight` times what having warm item `from` says about every item. */
  protected abstract addRow(from: number, weight: number, into: Float32Array): void
}

/** Dense weights between all pairs of warm items. */
export class EaseScorer extends CollaborativeScorer {
  /** @param weights [warm, warm] row-major: what having the row's item says about the column's. */
  constructor(
    warm: Int32Array,
    itemCount: number,
    readonly weights: Float32Array,
    readonly parameters: Extract<CollaborativeParameters, { kind: 'ease' }>,
  ) {
    super(warm, itemCount)
  }

  withRecency(recency: number): EaseScorer {
    return new EaseScorer(this.warm, this.itemCount, this.weights, { ...this.parameters, recency })
  }

  protected addRow(from: number, weight: number, into: Float32Array): void {
    const { warm, weights } = this
    const start = from * warm.length
    for (let j = 0; j < warm.length; j++) into[warm[j]] += weight * weights[start + j]
  }
}

/** The few nearest neighbours of each warm item. */
export class NeighbourScorer extends CollaborativeScorer {
  /** @param lists over warm item numbers. */
  constructor(
    warm: Int32Array,
    itemCount: number,
    readonly lists: NeighbourLists,
    readonly parameters: Extract<CollaborativeParameters, { kind: 'neighbours' }>,
  ) {
    super(warm, itemCount)
  }

  withRecency(recency: number): NeighbourScorer {
    return new NeighbourScorer(this.warm, this.itemCount, this.lists, { ...this.parameters, recency })
  }

  protected addRow(from: number, weight: number, into: Float32Array): void {
    const { starts, neighbours, similarities } = this.lists
    for (let at = starts[from]; at < starts[from + 1]; at++) {
      into[this.warm[neighbours[at]]] += weight * similarities[at]
    }
  }
}
