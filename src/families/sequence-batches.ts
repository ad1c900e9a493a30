import {
  bucketsOf,
  type Candidates,
  fullCandidates,
  type PackedEvents,
  POOL_SLACK,
  packEpoch,
  rowsOf,
  sampledCandidates,
} from '../adapter/index.js'
import { TextrecError } from '../errors.js'
import { matrix } from '../math/matrix.js'
import { type Random, shuffle } from '../math/random.js'
import type { Batch } from '../onnx/optimizer-session.js'
import type { FamilyData, Pairs } from './family.js'
import type { FamilyOptions } from './options.js'

/** One step: rows of packed events, about people of one part. */
interface Step {
  readonly packed: PackedEvents
  readonly part: number
  readonly from: number
  readonly to: number
}

/** Draws the batches of sequence models: histories several to a row, every event but the first a target once. */
export class SequenceSampler {
  /** Rows of `options.length` events in one step. */
  readonly rows: number
  /** What a step's softmax goes over. */
  readonly candidates: Candidates
  /** [warm] item numbers of those that somebody took, ascending: the rows of a table of IDs. */
  readonly warm: Int32Array
  /** [people] places of each person's pairs in the data, oldest first. */
  private readonly histories: readonly Int32Array[]
  private readonly parts: number

  /**
   * @param dropouts names of the batch's parts that say where a mask starts
   * @throws NOT_ENOUGH_DATA where nobody took two things
   */
  constructor(
    private readonly data: FamilyData,
    private readonly options: FamilyOptions,
    private readonly readsTimes: boolean,
  ) {
    const { length, batch, fullSoftmaxItems } = options
    this.histories = historiesOf(data)
    const events = this.histories.reduce((sum, history) => sum + Math.max(0, history.length - 1), 0)
    if (events === 0) {
      throw new TextrecError(
        'NOT_ENOUGH_DATA',
        'Nobody took two items: there is no order to learn from.',
        'Import more interactions.',
      )
    }
    this.rows = Math.max(1, Math.min(Math.round(batch / length), Math.ceil(events / length)))
    this.parts = data.vectorsWithout?.length ?? 1
    this.warm = Int32Array.from(new Set(data.taken)).sort()
    const texts = data.vectorsWithout ?? [data.vectors ?? matrix(data.items, 0)]
    const taken = this.histories.map((history) => history.map((at) => data.taken[at]))
    this.candidates =
      this.warm.length <= fullSoftmaxItems
        ? fullCandidates(texts, this.warm)
        : sampledCandidates(texts, this.warm, taken, 2 * this.rows * length)
  }

  /** Steps of one pass over the histories, about. */
  get steps(): number {
    return Math.ceil(this.data.users.length / (this.rows * this.options.length))
  }

  /** @param dropouts names of the batch's numbers that say where a mask of dropout starts */
  *batches(pairs: Pairs, source: Random, dropouts: readonly string[]): Generator<Batch> {
    const learning = pairs.users === this.data.users
    const { data } = this
    const asked = learning ? new Int32Array(0) : pairs.taken
    // Validation's pairs stand behind those of the data: one number tells a pair of either.
    const known = data.taken.length
    const taken = Int32Array.from([...data.taken, ...asked])
    const histories = learning ? this.histories : this.askedHistories(pairs)
    for (const { packed, part, from, to } of this.plan(histories, source)) {
      const rows = rowsOf(packed, from, to, this.rows)
      const items = (places: Int32Array) => places.map((at) => taken[at])
      const numbered = { ...rows, events: items(rows.events), targets: items(rows.targets) }
      yield {
        ...this.candidates.of(numbered, source, part),
        segments: rows.segments,
        positions: rows.positions,
        weights: learning
          ? rows.weights
          : rows.weights.map((weight, i) => (rows.targets[i] < known ? 0 : weight)),
        ...(this.readsTimes ? { intervals: this.intervals(rows) } : {}),
        ...this.hiddenIds(learning, source),
        ...Object.fromEntries(
          dropouts.map((name) => [name, BigInt64Array.of(BigInt(source.integer(POOL_SLACK)))]),
        ),
      }
    }
  }

  /** Each asked pair behind the end of its person's history; without those about items that nobody took. */
  private askedHistories({ users, taken }: Pairs): Int32Array[][] {
    const warm = new Set(this.warm)
    const byPerson: Int32Array[][] = this.histories.map(() => [])
    for (const [i, user] of users.entries()) {
      if (!warm.has(taken[i])) continue
      const end = this.histories[user].slice(-this.options.length)
      byPerson[user].push(Int32Array.of(...end, this.data.taken.length + i))
    }
    return byPerson
  }

  /** Steps of equal size within a part of the people, parts mixed. @param histories of each person: one, or several */
  private plan(histories: readonly (Int32Array | readonly Int32Array[])[], source: Random): Step[] {
    const steps = Array.from({ length: this.parts }, (_, part) => {
      const mine = histories.filter((_history, user) => user % this.parts === part)
      const packed = packEpoch(mine.flat() as Int32Array[], this.options.length, source)
      const count = Math.ceil(packed.rows / this.rows)
      const cut = (b: number) => Math.round((b * packed.rows) / count)
      return Array.from({ length: count }, (_step, b) => ({ packed, part, from: cut(b), to: cut(b + 1) }))
    }).flat()
    return this.parts === 1 ? steps : shuffle(steps, source)
  }

  private intervals({ events, segments }: PackedEvents): Int32Array {
    const { times, timeKind } = this.data
    return bucketsOf(
      Float64Array.from(events, (at) => times?.[at] ?? 0),
      segments,
      this.options.length,
      timeKind,
    )
  }

  private hiddenIds(learning: boolean, source: Random): Batch {
    const { inputs, idDropout } = this.options
    if (inputs !== 'both') return {}
    const share = learning ? idDropout : 0
    const { count } = this.candidates
    return { idMask: Float32Array.from({ length: count }, () => Number(source.next() >= share)) }
  }
}

/** [people] where each person's pairs stand, in their order. */
function historiesOf({ people, users }: FamilyData): Int32Array[] {
  const places = Array.from({ length: people }, (): number[] => [])
  for (const [at, user] of users.entries()) places[user].push(at)
  return places.map((some) => Int32Array.from(some))
}
