import type { KeySet } from '../store/index.js'
import type { Neighbours, Survey, VectorIndex } from '../vector-index/index.js'

/** What has become of the item vectors, as numbered by the store. */
export interface Changes {
  /** The last change that the index holds. */
  readonly sequence: number
  /** Keys of the vectors that changed after `sequence`; undefined where that is too long ago to tell. */
  since(sequence: number): readonly number[] | undefined
}

/** Asked for beyond what is wanted, so that the list stays long enough when some of it goes. */
export const SPARE = 16
/** Lists of one person, of different lengths. */
const MOST_HELD = 3
/** Keys around a person that are kept: 8 kB, and enough for a filter that one item in twenty passes. */
export const AROUND = 2048
/** A filter is tried on them where so many times what is wanted may be expected to pass. */
const PASSING_AT_LEAST = 1.5

/** Scoring more changed items one by one takes as long as a look at all of them. */
const MOST_CHANGED = 1024

/** What one look at an exact index said about a person: the nearest, `wanted` and SPARE of them if there are so many. */
export interface Look extends Omit<Survey, 'around'> {
  /** See Survey: read when a filter asks for it. */
  readonly around: () => Int32Array
  readonly wanted: number
  /** The last change of item vectors that it may have seen; nothing later is sure to be in it. */
  readonly sequence: number
}

interface Remembered {
  readonly wanted: number
  readonly sequence: number
  readonly neighbours: Neighbours
  /** Every vector that is not listed scores below this; -Infinity where all of them are listed. */
  readonly floor: number
}

interface Surveyed extends Pick<Look, 'around' | 'bound'> {
  readonly sequence: number
}

/**
 * What the index said about a person, so that asking for them again costs no search. As items change, the
 * list is put right: what changed is scored again, and takes the place that a search would give it. Filters are
 * answered from the keys around the person: every other item scores below a known bound, so what lies above it
 * and passes is what a search would find; where that is too little, the index is searched. Over an exact index all
 * of this is exact, to the last bit; over a graph the list is what it found, and filters are always searched for.
 */
export class Memory {
  /** By how many were wanted, the last asked for last. */
  private readonly held = new Map<number, Remembered>()
  private surveyed: Surveyed | undefined

  /** @param first an earlier look, whose `sequence` the changes reach back to */
  constructor(
    private readonly changes: Changes,
    first?: Look,
  ) {
    if (first !== undefined) this.remember(first)
  }

  /**
   * The nearest vectors, `wanted` of them where there are as many: what `index.search` says.
   * @param vector the person; always the same one
   * @param allowed all keys when absent
   */
  async nearest(
    index: VectorIndex,
    vector: Float32Array,
    wanted: number,
    allowed?: KeySet,
  ): Promise<Neighbours> {
    if (allowed !== undefined) return this.passing(index, vector, wanted, allowed)
    const held = this.heldFor(wanted, index)
    const kept = held === undefined ? undefined : this.broughtUpToDate(index, vector, held)
    if (kept !== undefined) {
      this.keep(kept)
      return first(kept.neighbours, wanted)
    }
    const { sequence } = this.changes
    const survey = await index.survey(vector, wanted + SPARE, AROUND)
    // What changed while we waited may have been missed.
    if (this.changes.sequence === sequence) {
      this.remember({ ...survey, around: () => survey.around, wanted, sequence })
    }
    return first(survey.nearest, wanted)
  }

  /** A list for as many; of an exact index, the beginning of a longer one is the same. */
  private heldFor(wanted: number, { kind }: VectorIndex): Remembered | undefined {
    const exactly = this.held.get(wanted)
    if (exactly !== undefined || kind !== 'exact') return exactly
    return [...this.held.values()].find((one) => one.wanted > wanted)
  }

  private remember({ around, bound, nearest, sequence, wanted }: Look): void {
    this.surveyed = { around, bound, sequence }
    const isAll = nearest.keys.length < wanted + SPARE
    const floor = isAll ? Number.NEGATIVE_INFINITY : (nearest.scores.at(-1) as number)
    this.keep({ wanted, sequence, neighbours: nearest, floor })
  }

  private async passing(
    index: VectorIndex,
    vector: Float32Array,
    wanted: number,
    allowed: KeySet,
  ): Promise<Neighbours> {
    if (allowed.size * AROUND > PASSING_AT_LEAST * wanted * index.size) {
      if (this.changedSinceSurvey() === undefined) await this.survey(index, vector)
      const known = this.amongSurveyed(index, vector, wanted, allowed)
      if (known !== undefined) return known
    }
    return index.search(vector, wanted, { allowed })
  }

  private async survey(index: VectorIndex, vector: Float32Array): Promise<void> {
    const { sequence } = this.changes
    const { around, bound } = await index.survey(vector, 1, AROUND)
    if (this.changes.sequence === sequence) this.surveyed = { around: () => around, bound, sequence }
  }

  /** Undefined where there is no survey, or one that is as good as none. */
  private changedSinceSurvey(): readonly number[] | undefined {
    const changed = this.surveyed && this.changes.since(this.surveyed.sequence)
    return changed === undefined || changed.length > MOST_CHANGED ? undefined : changed
  }

  /** Undefined where there are too few that pass and are certain. */
  private amongSurveyed(
    index: VectorIndex,
    vector: Float32Array,
    wanted: number,
    allowed: KeySet,
  ): Neighbours | undefined {
    const changed = this.changedSinceSurvey()
    if (this.surveyed === undefined || changed === undefined) return undefined
    const { around, bound } = this.surveyed
    const keys = around().filter((key) => allowed.has(key))
    const known =
      changed.length === 0 ? keys : new Set([...keys, ...changed.filter((key) => allowed.has(key))])
    const entries: { key: number; score: number }[] = []
    for (const key of known) {
      const score = index.score(vector, key)
      if (score !== undefined && score >= bound) entries.push({ key, score })
    }
    if (entries.length < wanted && bound !== Number.NEGATIVE_INFINITY) return undefined
    return first(neighboursOf(entries), wanted)
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
    return { ...held, sequence, neighbours: neighboursOf(entries) }
  }
}

/** Best first, equal scores by the smaller key. */
function neighboursOf(entries: { readonly key: number; readonly score: number }[]): Neighbours {
  entries.sort((a, b) => b.score - a.score || a.key - b.key)
  const keys = new Int32Array(entries.length)
  const scores = new Float32Array(entries.length)
  for (let i = 0; i < entries.length; i++) {
    keys[i] = entries[i].key
    scores[i] = entries[i].score
  }
  return { keys, scores }
}

function first({ keys, scores }: Neighbours, count: number): Neighbours {
  return { keys: keys.subarray(0, count), scores: scores.subarray(0, count) }
}
