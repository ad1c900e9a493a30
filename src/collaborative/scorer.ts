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

/** The items that a person's history says something about, and what. */
export interface ScoredItems {
  /** [scored] dense item numbers, ascending. */
  readonly items: Int32Array
  /** [scored] not zero. */
  readonly scores: Float32Array
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
  /** [itemCount] where one person's scores are added up. */
  protected sums: Float32Array | undefined

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
    for (const [item, weight] of weighted(person.items, recency)) {
      const from = this.warmOf[item]
      if (from >= 0) this.addRow(from, weight, into)
    }
    return into
  }

  /** The scores of `scoresOf` that are not zero, where those are few without a look at all the others. */
  scoredItems(person: Person, recency: number = this.parameters.recency): ScoredItems {
    this.sums ??= new Float32Array(this.itemCount)
    return nonZero(this.scoresOf(person, this.sums, recency))
  }

  /** [itemCount] what having each item says about this one: the same numbers as in all `scoresOf`, the other way. */
  column(item: number): Float32Array {
    const into = new Float32Array(this.itemCount)
    const to = this.warmOf[item]
    if (to >= 0) this.fillColumn(to, into)
    return into
  }

  /** One of a person's scores: that of the item whose `column` this is. */
  scoreBy(column: Float32Array, person: Person, recency: number = this.parameters.recency): number {
    let score = 0
    for (const [item, weight] of weighted(person.items, recency)) score += weight * column[item]
    return score
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

  /** Writes what every item says about warm item `to`. */
  protected abstract fillColumn(to: number, into: Float32Array): void
}

/** The items of a history that count, newest first, each once. */
function* weighted(items: Int32Array, recency: number): Generator<readonly [item: number, weight: number]> {
  let weight = 1
  for (const item of new Set(items.toReversed())) {
    yield [item, weight]
    weight *= recency
    if (weight < LEAST_WEIGHT) return
  }
}

/** @param ascending items to look at, some of them more than once; all of them by default. */
function nonZero(scores: Float32Array, ascending?: Int32Array): ScoredItems {
  const length = ascending?.length ?? scores.length
  const items = new Int32Array(length)
  let size = 0
  for (let i = 0; i < length; i++) {
    const item = ascending === undefined ? i : ascending[i]
    if (scores[item] !== 0 && (size === 0 || items[size - 1] !== item)) items[size++] = item
  }
  const found = new Float32Array(size)
  for (let i = 0; i < size; i++) found[i] = scores[items[i]]
  return { items: items.slice(0, size), scores: found }
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

  protected fillColumn(to: number, into: Float32Array): void {
    const { warm, weights } = this
    for (let i = 0; i < warm.length; i++) into[warm[i]] = weights[i * warm.length + to]
  }
}

/** The few nearest neighbours of each warm item. */
export class NeighbourScorer extends CollaborativeScorer {
  /** Items that one history speaks of, while its scores are added up. */
  private touched = new Int32Array(0)

  /** @param lists over warm item numbers. */
  constructor(
    warm: Int32Array,
    itemCount: number,
    readonly lists: NeighbourLists,
    readonly parameters: Extract<CollaborativeParameters, { kind: 'neighbours' }>,
  ) {
    super(warm, itemCount)
  }

  override scoredItems(person: Person, recency: number = this.parameters.recency): ScoredItems {
    this.sums ??= new Float32Array(this.itemCount)
    const { sums, warm, warmOf } = this
    const { starts, neighbours, similarities } = this.lists
    const most = person.items.reduce((sum, item) => sum + this.listLength(warmOf[item]), 0)
    if (this.touched.length < most) this.touched = new Int32Array(most)
    const { touched } = this
    let size = 0
    for (const [item, weight] of weighted(person.items, recency)) {
      const from = warmOf[item]
      if (from < 0) continue
      for (let at = starts[from]; at < starts[from + 1]; at++) {
        const to = warm[neighbours[at]]
        const before = sums[to]
        sums[to] += weight * similarities[at]
        if (before === 0 && sums[to] !== 0) touched[size++] = to
      }
    }
    // An item comes twice where its sum was zero on the way.
    const found = nonZero(sums, touched.slice(0, size).sort())
    for (let i = 0; i < size; i++) sums[touched[i]] = 0
    return found
  }

  withRecency(recency: number): NeighbourScorer {
    return new NeighbourScorer(this.warm, this.itemCount, this.lists, { ...this.parameters, recency })
  }

  private listLength(from: number): number {
    return from < 0 ? 0 : this.lists.starts[from + 1] - this.lists.starts[from]
  }

  protected addRow(from: number, weight: number, into: Float32Array): void {
    const { starts, neighbours, similarities } = this.lists
    for (let at = starts[from]; at < starts[from + 1]; at++) {
      into[this.warm[neighbours[at]]] += weight * similarities[at]
    }
  }

  protected fillColumn(to: number, into: Float32Array): void {
    const { starts, neighbours, similarities } = this.lists
    for (let from = 0; from < this.warm.length; from++) {
      for (let at = starts[from]; at < starts[from + 1]; at++) {
        if (neighbours[at] === to) into[this.warm[from]] = similarities[at]
      }
    }
  }
}
