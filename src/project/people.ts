import type { Crowd } from '../recommend/crowd.js'
import { type Sample, sampleOf } from '../recommend/scale.js'
import { type Taste, type TasteSource, tasteOf } from '../recommend/taste.js'
import type { History, Store } from '../store/index.js'
import type { UserKey } from '../types.js'
import type { Live } from './live-index.js'

/** People whose tastes are kept; the one asked about longest ago goes first. */
const MOST_KEPT = 4096
/** The sample that scores are standardised by is drawn anew when the catalogue has grown or shrunk so much. */
const SAMPLE_SHARE = 0.1

interface Kept {
  readonly history: History
  readonly source: TasteSource
  readonly taste: Taste
  /** When the history was last compared with the catalogue's. */
  counter: number
}

/**
 * The tastes of known people, in memory. They are made anew when their history, an item vector or the figures
 * about everybody have changed, whichever process changed them.
 */
export class People {
  private readonly kept = new Map<UserKey, Kept>()
  private source: TasteSource | undefined
  private sequence = -1
  private sampled:
    | { readonly index: Live['index']; readonly size: number; readonly sample: Sample }
    | undefined

  constructor(private readonly store: Store) {}

  /** What tastes are made from at this moment; the same object as long as nothing of it has changed. */
  sourceOf({ index, model, sequence }: Live, crowd: Crowd): TasteSource {
    const { settings, space } = model
    const { source } = this
    const same =
      source?.index === index &&
      source.crowd === crowd &&
      source.space === space &&
      source.settings === settings &&
      this.sequence === sequence
    if (same) return source
    this.sequence = sequence
    this.source = { index, crowd, space, settings, sample: this.sampleOf(index) }
    return this.source
  }

  async tasteOf(user: UserKey, source: TasteSource): Promise<Taste> {
    const counter = this.store.changeCounter()
    const known = this.kept.get(user)
    if (known?.source === source && known.counter === counter) {
      this.keep(user, known)
      return known.taste
    }
    const history = this.store.historyOf(user)
    if (known?.source === source && sameHistory(known.history, history)) {
      known.counter = counter
      this.keep(user, known)
      return known.taste
    }
    const taste = await tasteOf(source, history)
    this.keep(user, { history, source, taste, counter })
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
    this.sampled = undefined
  }

  private sampleOf(index: Live['index']): Sample {
    const { sampled } = this
    const drift = sampled === undefined ? 0 : Math.abs(index.size - sampled.size) / Math.max(1, sampled.size)
    if (sampled?.index === index && drift <= SAMPLE_SHARE && index.size > SMALL) return sampled.sample
    const sample = sampleOf(index, this.store.filterItems({}))
    this.sampled = { index, size: index.size, sample }
    return sample
  }
}

/** In a catalogue up to this size the sample is all of it, and always as it is now. */
const SMALL = 1024

function sameHistory(a: History, b: History): boolean {
  if (a.items.length !== b.items.length) return false
  for (let i = 0; i < a.items.length; i++) {
    if (a.items[i] !== b.items[i] || a.times[i] !== b.times[i]) return false
    if (!Object.is(a.values[i], b.values[i])) return false
  }
  return true
}
