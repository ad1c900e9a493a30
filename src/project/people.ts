import type { Crowd } from '../recommend/crowd.js'
import { type Changes, Memory } from '../recommend/memory.js'
import { withMoments } from '../recommend/moments.js'
import { type Sample, sampleOf } from '../recommend/scale.js'
import { type Taste, type TasteSource, tasteOf } from '../recommend/taste.js'
import type { History, Store } from '../store/index.js'
import type { UserKey } from '../types.js'
import type { Live } from './live-index.js'
import type { Ground, PeopleKeeper } from './people-keeper.js'

/** People whose tastes are kept; the one asked about longest ago goes first. About 25 kB each. */
const MOST_KEPT = 4096
/** The sample that scores are standardised by is drawn anew when the catalogue has grown or shrunk so much. */
const SAMPLE_SHARE = 0.1
/** In a catalogue up to this size the sample is all of it, and always as it is now. */
const SMALL = 1024

interface Kept {
  readonly history: History
  readonly source: TasteSource
  readonly taste: Taste
  /** When the history was last compared with the catalogue's. */
  counter: number
  /** The last change of item vectors that the taste has seen. */
  sequence: number
}

interface Drawn {
  readonly index: Live['index']
  readonly size: number
  readonly sequence: number
  readonly sample: Promise<Sample>
}

/**
 * The tastes of known people, in memory. They are made anew when their history, the vector of something in it
 * or the figures about everybody have changed, whichever process changed them.
 */
export class People {
  private readonly kept = new Map<UserKey, Kept>()
  private source: TasteSource | undefined
  private drawn: Drawn | undefined

  constructor(
    private readonly store: Store,
    private readonly keeper: PeopleKeeper,
  ) {}

  /** What tastes are made from at this moment; the same object as long as nothing that concerns all has changed. */
  async sourceOf({ changes, index, model }: Live, crowd: Crowd): Promise<TasteSource> {
    const { settings, space } = model
    const sample = await this.sampleOf(index, changes.sequence)
    const { source } = this
    const same =
      source?.index === index &&
      source.crowd === crowd &&
      source.space === space &&
      source.settings === settings &&
      source.sample === sample
    if (!same) this.source = { index, crowd, space, settings, sample }
    return this.source as TasteSource
  }

  /** From memory, else from what index() has kept of them, else made and looked up now. */
  async tasteOf(user: UserKey, ground: Ground): Promise<Taste> {
    const { changes, source } = ground
    const counter = this.store.changeCounter()
    const { sequence } = changes
    const known = this.kept.get(user)
    if (known?.source === source && stillHolds(known, changes)) {
      if (known.counter === counter || sameHistory(known.history, this.store.historyOf(user))) {
        known.counter = counter
        known.sequence = sequence
        this.keep(user, known)
        return known.taste
      }
    }
    const history = this.store.historyOf(user)
    await this.keeper.refresh()
    const kept = this.keeper.of(user, history, ground)
    const made = await tasteOf(source, history, undefined, kept?.vector)
    const taste = { ...made, memory: new Memory(changes, kept?.look) }
    this.keep(user, { history, source, taste, counter, sequence })
    return taste
  }

  private keep(user: UserKey, entry: Kept): void {
    this.kept.delete(user)
    this.kept.set(user, entry)
    if (this.kept.size > MOST_KEPT) this.kept.delete(this.kept.keys().next().value as UserKey)
  }

  /** Drops everything that is kept. */
  forget(): void {
    this.kept.clear()
    this.source = undefined
    this.drawn = undefined
  }

  private sampleOf(index: Live['index'], sequence: number): Promise<Sample> {
    const { drawn } = this
    if (drawn?.index === index) {
      const drift = Math.abs(index.size - drawn.size) / Math.max(1, drawn.size)
      if (index.size > SMALL ? drift <= SAMPLE_SHARE : drawn.sequence === sequence) return drawn.sample
    }
    const vectors = sampleOf(index, this.store.filterItems({}))
    const sample = index.size > SMALL ? withMoments(vectors) : Promise.resolve(vectors)
    // Held before anything is awaited: whoever asks meanwhile gets the same one.
    const now = { index, size: index.size, sequence, sample }
    this.drawn = now
    sample.catch(() => {
      if (this.drawn === now) this.drawn = undefined
    })
    return sample
  }
}

/** Whether nothing in somebody's history has got another vector since their taste was made. */
function stillHolds({ sequence, taste }: Kept, changes: Changes): boolean {
  if (sequence === changes.sequence) return true
  return changes.since(sequence)?.some((key) => taste.seen.has(key)) === false
}

function sameHistory(a: History, b: History): boolean {
  if (a.items.length !== b.items.length) return false
  for (let i = 0; i < a.items.length; i++) {
    if (a.items[i] !== b.items[i] || a.times[i] !== b.times[i]) return false
    if (!Object.is(a.values[i], b.values[i])) return false
  }
  return true
}
