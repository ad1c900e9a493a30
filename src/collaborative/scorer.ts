import { matrix } from '../math/matrix.js'
import type { Scorer } from '../ranking.js'
import type { Matrix, Person } from '../types.js'
import type { NeighbourLists } from './neighbours.js'

/** How a scorer was made. */
export type CollaborativeParameters =
  | { readonly kind: 'ease'; readonly lambda: number }
  | { readonly kind: 'neighbours'; readonly count: number; readonly shrinkage: number }

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
   * item counts once and the order does not matter.
   * @param into written to and returned, where given.
   */
  scoresOf(person: Person, into: Float32Array = new Float32Array(this.itemCount)): Float32Array {
    into.fill(0)
    for (const item of new Set(person.items)) {
      const from = this.warmOf[item]
      if (from >= 0) this.addRow(from, into)
    }
    return into
  }

  async scores(people: readonly Person[]): Promise<Matrix> {
    const all = matrix(people.length, this.itemCount)
    people.forEach((person, i) => {
      this.scoresOf(person, all.data.subarray(i * this.itemCount, (i + 1) * this.itemCount))
    })
    return all
  }

  /** Adds what having warm item `from` says about every item. */
  protected abstract addRow(from: number, into: Float32Array): void
}

/** Dense weights between all pairs of warm items. */
export class EaseScorer extends CollaborativeScorer {
  readonly parameters: CollaborativeParameters

  /** @param weights [warm, warm] row-major: what having the row's item says about the column's. */
  constructor(
    warm: Int32Array,
    itemCount: number,
    readonly weights: Float32Array,
    lambda: number,
  ) {
    super(warm, itemCount)
    this.parameters = { kind: 'ease', lambda }
  }

  protected addRow(from: number, into: Float32Array): void {
    const { warm, weights } = this
    const start = from * warm.length
    for (let j = 0; j < warm.length; j++) into[warm[j]] += weights[start + j]
  }
}

/** The few nearest neighbours of each warm item. */
export class NeighbourScorer extends CollaborativeScorer {
  readonly parameters: CollaborativeParameters

  /** @param lists over warm item numbers. */
  constructor(
    warm: Int32Array,
    itemCount: number,
    readonly lists: NeighbourLists,
    parameters: { readonly count: number; readonly shrinkage: number },
  ) {
    super(warm, itemCount)
    this.parameters = { kind: 'neighbours', ...parameters }
  }

  protected addRow(from: number, into: Float32Array): void {
    const { starts, neighbours, similarities } = this.lists
    for (let at = starts[from]; at < starts[from + 1]; at++)
      into[this.warm[neighbours[at]]] += similarities[at]
  }
}
