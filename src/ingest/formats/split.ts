import { parse } from 'csv-parse/sync'

export interface Dialect {
  /** One character where there is quoting. */
  readonly delimiter: string
  /** False where the format knows no quotes: they are ordinary characters then. */
  readonly quoting: boolean
}

/** Beyond so many characters a record is split on its own: csv-parse copies each that is not as wide as its first. */
const MAX_JOINED = 2 ** 20

/**
 * The fields of records, each as csv-parse splits it; undefined for a text that is not exactly one record.
 * One call for many records: a call costs as much as splitting some dozens of them.
 */
export function splitRecords(records: readonly string[], dialect: Dialect): (string[] | undefined)[] {
  if (records.every(({ length }) => length <= MAX_JOINED)) {
    const rows = split(records, dialect)
    if (rows.length === records.length) return rows
  }
  // One that is not sound takes its neighbours along: each on its own then.
  return records.map((record) => {
    const alone = split([record], dialect)
    return alone.length === 1 ? alone[0] : undefined
  })
}

function split(records: readonly string[], { delimiter, quoting }: Dialect): string[][] {
  try {
    return parse(records.map((record) => `${record}\n`).join(''), {
      delimiter,
      quote: quoting ? '"' : null,
      // A quote that does not begin a field is an ordinary character.
      relax_quotes: true,
      // The reader says itself, with the line, what is refused for its number of fields.
      relax_column_count: true,
      record_delimiter: '\n',
    })
  } catch {
    return []
  }
}

/** How many fields a whole record has, without making them: one of 16 MB of delimiters would need a gigabyte. */
export function countFields(record: string, { delimiter, quoting }: Dialect): number {
  let fields = 1
  let at = 0
  for (;;) {
    if (quoting && record.startsWith('"', at)) {
      // To the quote that closes it: two in a row are one inside.
      do {
        at = behind(record, '"', at + 1)
        if (at === 0) return fields
      } while (record[at] === '"')
    }
    at = behind(record, delimiter, at)
    if (at === 0) return fields
    fields++
  }
}

/** What the quotes of a line leave behind: 'broken' is text between a closing quote and the next delimiter. */
export type QuoteState = 'closed' | 'open' | 'broken'

/** The state at the end of a line, where a quoted field was `open` or not at its beginning. */
export function quoteState(line: string, delimiter: string, open: boolean): QuoteState {
  const opening = `${delimiter}"`
  let at = 0
  if (!open) {
    at = line.startsWith('"') ? 1 : behind(line, opening, 0)
    if (at === 0) return 'closed'
  }
  for (;;) {
    at = behind(line, '"', at)
    if (at === 0) return 'open'
    if (line[at] === '"') {
      at++
      continue
    }
    if (at === line.length) return 'closed'
    if (!line.startsWith(delimiter, at)) return 'broken'
    at = behind(line, opening, at)
    if (at === 0) return 'closed'
  }
}

/** The place behind the next `part`, or 0 if there is none. */
function behind(line: string, part: string, from: number): number {
  const at = line.indexOf(part, from)
  return at < 0 ? 0 : at + part.length
}

/** The fields of one line on its own, or undefined if it is no complete record. For headers and for guessing. */
export function splitLine(line: string, dialect: Dialect): string[] | undefined {
  const text = line.endsWith('\r') ? line.slice(0, -1) : line
  if (dialect.quoting && quoteState(text, dialect.delimiter, false) !== 'closed') return undefined
  return splitRecords([text], dialect)[0]
}
