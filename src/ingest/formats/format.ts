import type { ColumnType } from '../attributes.js'
import type { LineFlaw, OnLine } from '../lines.js'
import type { SourceRecord } from '../records.js'
import { MAX_LINE_BYTES, Refusal } from '../rules.js'

/** What `--format` takes. */
export const FORMATS = ['auto', 'csv', 'tsv', 'jsonl', 'amazon', 'movielens', 'recbole'] as const
export type Format = (typeof FORMATS)[number]
/** What a file turned out to be. */
export type FoundFormat = Exclude<Format, 'auto'> | 'empty'

/** Where readers put what they read: each record of the source goes to exactly one of the two. */
export interface RecordSinks {
  record(record: SourceRecord): void
  refuse(line: number, refusal: Refusal): void
}

/** Lines in, records out: complete ones are handed on at `flush` at the latest, in the order of their lines. */
export interface Reader {
  readonly line: OnLine
  /** Between chunks of the file. */
  flush(): void
  end(): void
}

/** The columns of a delimited file, and what its dialect makes of a row. */
export interface Layout {
  readonly names: readonly string[]
  readonly types: ColumnType | readonly ColumnType[]
  /** How many fields a row has in the file. */
  readonly width: number
  /** [as many as names], from the row as it was read. The row itself when absent. */
  readonly values?: (row: readonly string[]) => readonly unknown[]
}

/** The refusal of a line that could not even be read. */
export function flawRefusal(flaw: LineFlaw, text: string): Refusal {
  return flaw === 'utf8'
    ? new Refusal('line', 'UTF-8 text (iconv -t UTF-8 converts other encodings)', text)
    : new Refusal('line', `at most ${MAX_LINE_BYTES} bytes`, text)
}
