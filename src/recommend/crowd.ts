import type { CollaborativeScorer, ScoredItems } from '../collaborative/index.js'
import { topK } from '../math/top-k.js'
import { KeyTable } from '../vector-index/key-table.js'

/** Scores that differ less than this do not differ. */
const LEAST_VARIANCE = 1e-12

export interface RatingRange {
  readonly lowest: number
  readonly highest: number
}

/** What everybody's interactions say: item-item scores and popularity, over the items that somebody liked. */
export interface CrowdParts {
  /** [warm] item keys, ascending. */
  readonly keys: Int32Array
  /** [warm] how many people liked each. */
  readonly counts: Int32Array
  /** Over positions in `keys`; undefined without interactions. */
  readonly scorer: CollaborativeScorer | undefined
  /** Lowest and highest rating in the catalogue; undefined where nobody rates. */
  readonly range: RatingRange | undefined
  /** From this rating on an event counts as liked; undefined where nobody rates. */
  readonly likedFrom: number | undefined
}

/** See CrowdParts; with look-ups by item key. */
export class Crowd implements CrowdParts {
  readonly keys: Int32Array
  readonly counts: Int32Array
  readonly scorer: CollaborativeScorer | undefined
  readonly range: RatingRange | undefined
  readonly likedFrom: number | undefined
  private readonly places: KeyTable
  private logs: { readonly values: Float32Array; readonly mean: number; readonly unit: number } | undefined
  private popular: Opinions | undefined

  constructor(parts: CrowdParts) {
    this.keys = parts.keys
    this.counts = parts.counts
    this.scorer = parts.scorer
    this.range = parts.range
    this.likedFrom = parts.likedFrom
    this.places = new KeyTable(parts.keys.length)
    for (let at = 0; at < parts.keys.length; at++) this.places.set(parts.keys[at], at)
  }

  static readonly empty = new Crowd({
    keys: new Int32Array(0),
    counts: new Int32Array(0),
    scorer: undefined,
    range: undefined,
    likedFrom: undefined,
  })

  /** Position among the warm items, or -1. */
  position(key: number): number {
    return this.places.get(key)
  }

  /** A rating or weight, NaN for none, that speaks for the item. */
  isLiked(value: number): boolean {
    return Number.isNaN(value) || this.likedFrom === undefined || value >= this.likedFrom
  }

  /**
   * Popularity as an opinion about items: the standardised logarithm of how many people liked each; an item that nobody
   * took is less popular than any other. Made when somebody is asked about of whom nothing is known.
   */
  get popularity(): Opinions | undefined {
    if (this.keys.length === 0) return undefined
    if (this.popular === undefined) {
      const { mean, unit, values } = this.logScale
      const standardised = values.map((log) => (log - mean) / unit)
      const lowest = standardised.reduce((a, b) => Math.min(a, b))
      this.popular = new Opinions(this.keys, standardised, lowest, this, 0, 1, -mean / unit)
    }
    return this.popular
  }

  /** How much more popular than usual an item is, in standard deviations of log(1 + people). */
  popularityOf(key: number): number {
    const { mean, unit } = this.logScale
    const at = this.position(key)
    const log = at === -1 ? 0 : Math.log1p(this.counts[at])
    return (log - mean) / unit
  }

  /** `unit` is the deviation; 1 where all have been taken as often, and differ only from what nobody took. */
  private get logScale() {
    if (this.logs === undefined) {
      const values = Float32Array.from(this.counts, (count) => Math.log1p(count))
      const { deviation, mean } = meanAndDeviation(values)
      this.logs = { values, mean, unit: deviation > 0 ? deviation : 1 }
    }
    return this.logs
  }

  /**
   * What the interactions say to somebody who liked `liked`: item-item scores, standardised over the warm items
   * that are not in `seen`. Undefined if they say nothing.
   */
  opinionsFor(liked: Iterable<number>, seen: ReadonlySet<number>): Opinions | undefined {
    const found = this.scoresFor(this.positions(liked), seen)
    if (found === undefined) return undefined
    const { deviation, items, mean, scores } = found
    const keys = new Int32Array(items.length)
    const standardised = new Float32Array(items.length)
    for (let i = 0; i < items.length; i++) {
      keys[i] = this.keys[items[i]]
      standardised[i] = (scores[i] - mean) / deviation
    }
    return new Opinions(keys, standardised, -mean / deviation, this, mean, deviation)
  }

  /** The warm ones of some items, as positions, in the same order. */
  positions(keys: Iterable<number>): Int32Array {
    return Int32Array.from([...keys].map((key) => this.position(key)).filter((at) => at !== -1))
  }

  /** What opinions are standardised by, without the opinions. Undefined if the interactions say nothing. */
  scaleFor(
    liked: Int32Array,
    seen: ReadonlySet<number>,
  ): { readonly mean: number; readonly deviation: number } | undefined {
    return this.scoresFor(liked, seen)
  }

  /** @param liked positions */
  private scoresFor(liked: Int32Array, seen: ReadonlySet<number>) {
    if (this.scorer === undefined || liked.length === 0) return undefined
    const scored = this.scorer.scoredItems({ items: liked })
    const { deviation, mean } = this.scaleOf(scored, seen)
    return deviation === 0 ? undefined : { deviation, mean, ...scored }
  }

  /** Mean and deviation over the warm items that are not in `seen`. Most scores are 0 and need no look. */
  private scaleOf({ items, scores }: ScoredItems, seen: ReadonlySet<number>) {
    const gone = this.positions(seen).sort()
    const count = this.keys.length - gone.length
    let sum = 0
    let counted = 0
    forEachOf(items, gone, (i) => {
      sum += scores[i]
      counted++
    })
    const mean = count === 0 ? 0 : sum / count
    let squares = (count - counted) * mean ** 2
    forEachOf(items, gone, (i) => {
      squares += (scores[i] - mean) ** 2
    })
    const variance = count === 0 ? 0 : squares / count
    return { mean, deviation: variance > LEAST_VARIANCE ? Math.sqrt(variance) : 0 }
  }
}

/** Visits the places in `all` of what is not in `gone`; both ascending. */
function forEachOf(all: Int32Array, gone: Int32Array, visit: (at: number) => void): void {
  let next = 0
  for (let i = 0; i < all.length; i++) {
    while (next < gone.length && gone[next] < all[i]) next++
    if (next === gone.length || gone[next] !== all[i]) visit(i)
  }
}

/** Standardised scores of some items; items that the interactions know and that are not listed have `floor`. */
export class Opinions {
  /** Places of the best of them, best first: as many as were asked for so far. */
  private order: Int32Array = new Int32Array(0)

  /**
   * @param keys [listed] item keys, ascending
   * @param scores [listed] standardised: mean 0, deviation 1 over the warm items
   * @param mean, deviation of the scores before they were standardised
   * @param unknown of an item without interactions; 0, the mean, where nothing is known for or against it
   */
  constructor(
    readonly keys: Int32Array,
    private readonly scores: Float32Array,
    readonly floor: number,
    private readonly crowd: Pick<Crowd, 'position'>,
    readonly mean = 0,
    readonly deviation = 1,
    readonly unknown = 0,
  ) {}

  /** False for an item without interactions. */
  knows(key: number): boolean {
    return this.crowd.position(key) !== -1
  }

  of(key: number): number {
    const at = find(this.keys, key)
    if (at !== -1) return this.scores[at]
    return this.crowd.position(key) === -1 ? this.unknown : this.floor
  }

  /**
   * Keys of the best listed items that pass, best first, equal ones by the smaller key.
   * @param share of all items that is expected to pass, above 0: says how deep to look first
   */
  best(count: number, passes: (key: number) => boolean, share = 1): number[] {
    for (let depth = Math.ceil(count / share); ; depth *= 4) {
      const order = this.ranked(depth)
      const found: number[] = []
      for (let i = 0; i < order.length && found.length < count; i++) {
        if (passes(this.keys[order[i]])) found.push(this.keys[order[i]])
      }
      if (found.length === count || order.length === this.keys.length) return found
    }
  }

  private ranked(depth: number): Int32Array {
    if (this.order.length < Math.min(depth, this.keys.length)) this.order = topK(this.scores, depth)
    return this.order
  }
}

/** Place of a number in ascending ones, or -1. */
export function find(ascending: Int32Array, wanted: number): number {
  let low = 0
  let high = ascending.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (ascending[middle] < wanted) low = middle + 1
    else high = middle
  }
  return low < ascending.length && ascending[low] === wanted ? low : -1
}

/** Over the values that are not NaN; deviation 0 where they do not differ. */
export function meanAndDeviation(values: Float32Array): {
  readonly mean: number
  readonly deviation: number
} {
  let sum = 0
  let count = 0
  for (const value of values) {
    if (Number.isNaN(value)) continue
    sum += value
    count++
  }
  const mean = count === 0 ? 0 : sum / count
  let squares = 0
  for (const value of values) if (!Number.isNaN(value)) squares += (value - mean) ** 2
  const variance = count === 0 ? 0 : squares / count
  return { mean, deviation: variance > LEAST_VARIANCE ? Math.sqrt(variance) : 0 }
}
