import type { KindCounts } from '../store/index.js'
import type { Interaction, Item, Review, TimeKind } from '../types.js'
import type { RecordTypes } from './records.js'
import type { RecordKind } from './rules.js'

/** What import needs of a store. */
export interface RecordSink {
  /** The project's folder: reject files go to <directory>/rejects/. */
  readonly directory: string
  timeKind(): TimeKind
  /** One transaction. */
  write(records: {
    items?: readonly Item[]
    reviews?: readonly Review[]
    interactions?: readonly Interaction[]
  }): { readonly [K in RecordKind]: KindCounts }
}

/**
 * Records go to the store in transactions of at least so many; one chunk of the file is never split. Interactions
 * are small and come in any order: the more of them are written at a time, the fewer pages are written twice.
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

  constructor(
    private readonly sink: RecordSink,
    private readonly kind: K,
  ) {}

  add(record: RecordTypes[K]): void {
    this.records.push(record)
  }

  /** Says that a chunk of so many bytes has been read; writes if that fills the batch. */
  chunkDone(bytes: number): void {
    this.bytes += bytes
    if (this.records.length >= BATCH_RECORDS[this.kind] || this.bytes >= BATCH_BYTES) this.write()
  }

  write(): void {
    this.bytes = 0
    if (this.records.length === 0) return
    const counts = this.sink.write({ [this.kind]: this.records })[this.kind]
    this.added += counts.added
    this.replaced += counts.replaced
    this.unchanged += counts.unchanged
    this.records = []
  }
}
