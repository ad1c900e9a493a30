import type { Neighbours } from './types.js'

/** Keeps the k best of what it is offered: higher scores first, equal ones by smaller key. O(log k) an offer. */
export class Best {
  /** The worst kept score once k are kept, -Infinity before: what cannot beat it need not be offered. */
  floor = Number.NEGATIVE_INFINITY
  private size = 0
  private readonly scores: Float64Array
  private readonly keys: Int32Array

  constructor(readonly k: number) {
    this.scores = new Float64Array(k)
    this.keys = new Int32Array(k)
    if (k === 0) this.floor = Number.POSITIVE_INFINITY
  }

  get count(): number {
    return this.size
  }

  offer(score: number, key: number): void {
    if (this.size < this.k) {
      this.scores[this.size] = score
      this.keys[this.size] = key
      this.rise(this.size++)
    } else if (this.k > 0 && this.isWorse(this.scores[0], this.keys[0], score, key)) {
      this.scores[0] = score
      this.keys[0] = key
      this.sink()
    }
    if (this.size === this.k && this.k > 0) this.floor = this.scores[0]
  }

  /** Best first. */
  take(): Neighbours {
    const order = new Int32Array(this.size)
    for (let i = 0; i < order.length; i++) order[i] = i
    order.sort((i, j) => (this.isWorseAt(i, j) ? 1 : -1))
    const keys = new Int32Array(order.length)
    const scores = new Float32Array(order.length)
    for (let i = 0; i < order.length; i++) {
      keys[i] = this.keys[order[i]]
      scores[i] = this.scores[order[i]]
    }
    return { keys, scores }
  }

  /** The kept keys, in no order. */
  keptKeys(): Int32Array {
    return this.keys.subarray(0, this.size)
  }

  private isWorse(score: number, key: number, thanScore: number, thanKey: number): boolean {
    return score < thanScore || (score === thanScore && key > thanKey)
  }

  private isWorseAt(i: number, j: number): boolean {
    return this.isWorse(this.scores[i], this.keys[i], this.scores[j], this.keys[j])
  }

  // A heap with the worst kept one on top.
  private rise(from: number): void {
    let at = from
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.isWorseAt(at, parent)) return
      this.swap(at, parent)
      at = parent
    }
  }

  private sink(): void {
    let at = 0
    for (;;) {
      let worst = at
      const left = 2 * at + 1
      if (left < this.size && this.isWorseAt(left, worst)) worst = left
      if (left + 1 < this.size && this.isWorseAt(left + 1, worst)) worst = left + 1
      if (worst === at) return
      this.swap(at, worst)
      at = worst
    }
  }

  private swap(i: number, j: number): void {
    const score = this.scores[i]
    const key = this.keys[i]
    this.scores[i] = this.scores[j]
    this.keys[i] = this.keys[j]
    this.scores[j] = score
    this.keys[j] = key
  }
}
