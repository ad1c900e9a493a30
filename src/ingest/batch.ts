import type { KindCounts } from '../store/index.js'
import type { Interaction, Item, Review, TimeKind } from '../types.js'
import { HeldInteractions } from './held.js'
import type { RecordTypes } from './records.js'
import type { RecordKind } from './rules.js'

/** What import needs of a store. */
export interface RecordSink {
  /** The project's folder: reject files go to <directory>/rejects/. */
  readonly directory: string
  timeKind(): TimeKind
  /** [ids] undefined for those that it does not know. */
  userKeys(ids: readonly string[]): readonly (number | undefined)[]
  /** One transaction. */
  write(records: {
    items?: readonly Item[]
    reviews?: readonly Review[]
    interactions?: readonly Interaction[]
  }): { readonly [K in RecordKind]: KindCounts }
}

/**
 * Records go to the store in transactions of at least so many; one chunk of the file is never split. Interactions
 * are small: the more of them are written at a time, the fewer pages are written twice.
 */
const BATCH_RECORDS: { readonly [K in RecordKind]: number } = {
  items: 4000,
  reviews: 4000,
  interactions: 10_000,
}
/** Long texts are written earlier: after so many bytes of the file. */
const BATCH_BYTES = 4 * 2 ** 20

/** Gathers the records of one file and writes them in batches. */
export class Batch<K extends RecordKind> {
  added = 0
  replaced = 0
  unchanged = 0
  private records: RecordTypes[K][] = []
  private bytes = 0
  private readonly held: HeldInteractions

  constructor(
    private readonly sink: RecordSink,
    private readonly kind: K,
  ) {
    this.held = new HeldInteractions((ids) => sink.userKeys(ids))
  }

  add(record: RecordTypes[K]): void {
    this.records.push(record)
  }

  /** Says that a chunk of so many bytes has been read; writes what that fills, one transaction a step. */
  *chunkDone(bytes: number): Generator<void, void, undefined> {
    this.bytes += bytes
    if (this.records.length < BATCH_RECORDS[this.kind] && this.bytes < BATCH_BYTES) return
    if (this.kind === 'interactions' && this.held.hold(this.records as readonly Interaction[], this.bytes)) {
      this.records = []
      this.bytes = 0
      if (this.held.isFull) yield* this.writeHeld()
    } else {
      yield this.write(this.records)
    }
  }

  /** Writes all that is left, one transaction a step. */
  *end(): Generator<void, void, undefined> {
    if (!this.held.isEmpty) {
      this.held.hold(this.records as readonly Interaction[], this.bytes)
      yield* this.writeHeld()
    } else if (this.records.length > 0) {
      yield this.write(this.records)
    }
  }

  private *writeHeld(): Generator<void, void, undefined> {
    for (const rows of this.held.taken(BATCH_RECORDS.interactions)) yield this.write(rows as RecordTypes[K][])
  }

  private write(records: readonly RecordTypes[K][]): void {
    this.records = []
    this.bytes = 0
    const counts = this.sink.write({ [this.kind]: records })[this.kind]
    this.added += counts.added
    this.replaced += counts.replaced
    this.unchanged += counts.unchanged
  }
}
