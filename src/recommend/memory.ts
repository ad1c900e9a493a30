import type { Neighbours, VectorIndex } from '../vector-index/index.js'

/** What has become of the item vectors, as numbered by the store. */
export interface Changes {
  /** The last change that the index holds. */
  readonly sequence: number
  /** Keys of the vectors that changed after `sequence`; undefined where that is too long ago to tell. */
  since(sequence: number): readonly number[] | undefined
}

/** Asked for beyond what is wanted, so that the list stays long enough when some of it goes. */
const SPARE = 16
/** Lists of one person, of different lengths. */
const MOST_HELD = 3

interface Remembered {
  readonly wanted: number
  readonly sequence: number
  readonly neighbours: Neighbours
  /** Every vector that is not listed scores below this; -Infinity where all of them are listed. */
  readonly floor: number
}

/**
 * What the index said about a person, so that asking for them again costs no search. As items change, the
 * list is put right: what changed is scored again, and takes the place that a search would give it.
 */
export class Memory {
  /** By how many were wanted, the last asked for last. */
  private readonly held = new Map<number, Remembered>()

  constructor(private readonly changes: Changes) {}

  /** The nearest vectors, `wanted` of them where there are as many. @param vector the person; always the same one */
  async nearest(index: VectorIndex, vector: Float32Array, wanted: number): Promise<Neighbours> {
    const held = this.held.get(wanted)
    const kept = held === undefined ? undefined : this.broughtUpToDate(index, vector, held)
    if (kept !== undefined) {
      this.keep(kept)
      return first(kept.neighbours, wanted)
    }
    const { sequence } = this.changes
    const neighbours = await index.search(vector, wanted + SPARE)
    const isAll = neighbours.keys.length < wanted + SPARE
    const floor = isAll ? Number.NEGATIVE_INFINITY : (neighbours.scores.at(-1) as number)
    // What changed while we waited may have been missed.
    if (this.changes.sequence === sequence) this.keep({ wanted, sequence, neighbours, floor })
    return first(neighbours, wanted)
  }

  private keep(one: Remembered): void {
    this.held.delete(one.wanted)
    this.held.set(one.wanted, one)
    if (this.held.size > MOST_HELD) this.held.delete(this.held.keys().next().value as number)
  }

  /** Undefined where only a search can tell. */
  private broughtUpToDate(
    index: VectorIndex,
    vector: Float32Array,
    held: Remembered,
  ): Remembered | undefined {
    const { sequence } = this.changes
    if (sequence === held.sequence) return held
    const changed = this.changes.since(held.sequence)
    if (changed === undefined) return undefined
    const again = new Set(changed)
    const entries: { key: number; score: number }[] = []
    held.neighbours.keys.forEach((key, i) => {
      if (!again.has(key)) entries.push({ key, score: held.neighbours.scores[i] })
    })
    for (const key of again) {
      const score = index.score(vector, key) ?? Number.NEGATIVE_INFINITY
      // Among equals at the floor the list may lack some: then it cannot say which come first.
      if (score === held.floor) return undefined
      if (score > held.floor) entries.push({ key, score })
    }
    const isAll = held.floor === Number.NEGATIVE_INFINITY
    if (isAll ? entries.length > 4 * held.wanted + SPARE : entries.length < held.wanted) return undefined
    entries.sort((a, b) => b.score - a.score || a.key - b.key)
    const neighbours = {
      keys: Int32Array.from(entries, ({ key }) => key),
      scores: Float32Array.from(entries, ({ score }) => score),
    }
    return { ...held, sequence, neighbours }
  }
}

function first({ keys, scores }: Neighbours, count: number): Neighbours {
  return { keys: keys.subarray(0, count), scores: scores.subarray(0, count) }
}
