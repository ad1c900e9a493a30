import type { LineFlaw } from '../lines.js'
import { MAX_QUOTE_RECOVERIES, MAX_RECORD_LENGTH, MAX_RECORD_LINES, Refusal } from '../rules.js'
import { flawRefusal, type Layout, type Reader, type RecordSinks } from './format.js'

export interface Dialect {
  readonly delimiter: string
  /** False where the format knows no quotes: they are ordinary characters then. */
  readonly quoting: boolean
}

/**
 * Fields of a record under construction (RFC 4180): takes lines until the record is complete, which it is
 * not while a quoted field is open at the end of a line.
 */
class RowParser {
  private fields: string[] = []
  private field = ''
  private open = false

  constructor(private readonly delimiter: string) {}

  reset(): void {
    this.fields = []
    this.field = ''
    this.open = false
  }

  /** The finished row, or undefined while more lines are needed. @throws Refusal for a misplaced quote */
  take(line: string): string[] | undefined {
    const { delimiter } = this
    let at = 0
    for (;;) {
      if (this.open) {
        const quote = line.indexOf('"', at)
        if (quote < 0) {
          this.field += `${line.slice(at)}\n`
          return undefined
        }
        this.field += line.slice(at, quote)
        if (line[quote + 1] === '"') {
          this.field += '"'
          at = quote + 2
          continue
        }
        this.open = false
        at = quote + 1
        if (at < line.length && !line.startsWith(delimiter, at)) {
          throw new Refusal('record', 'a delimiter after the closing quote of a field', line)
        }
        this.fields.push(this.field)
        this.field = ''
      } else if (line[at] === '"') {
        this.open = true
        at += 1
        continue
      } else {
        const end = line.indexOf(delimiter, at)
        this.fields.push(end < 0 ? line.slice(at) : line.slice(at, end))
        at = end < 0 ? line.length : end
      }
      if (at === line.length) {
        const row = this.fields
        this.reset()
        return row
      }
      at += delimiter.length
    }
  }
}

/** The fields of one line on its own, or undefined if it is no complete record. For headers and for guessing. */
export function splitLine(line: string, dialect: Dialect): string[] | undefined {
  const text = line.endsWith('\r') ? line.slice(0, -1) : line
  if (!dialect.quoting) return text.split(dialect.delimiter)
  try {
    return new RowParser(dialect.delimiter).take(text)
  } catch {
    return undefined
  }
}

/** CSV, TSV and their relatives. `skip` records are passed over first (the header). */
export class DelimitedReader implements Reader {
  private readonly parser: RowParser
  /** The lines of the unfinished record, from line `start` on: what is needed to take an open quote back. */
  private held: { text: string; flaw?: LineFlaw }[] = []
  private heldLength = 0
  private start = 0
  private recoveries = 0

  constructor(
    private readonly dialect: Dialect,
    private readonly layout: Layout,
    private readonly sinks: RecordSinks,
    private skip: number,
  ) {
    this.parser = new RowParser(dialect.delimiter)
  }

  readonly line = (text: string, number: number, flaw?: LineFlaw): void => {
    const line = text.endsWith('\r') ? text.slice(0, -1) : text
    if (this.held.length === 0) {
      // A line that is not UTF-8 may still open a quote, and what that covers is refused with it.
      if (flaw === 'long' || !this.dialect.quoting || !line.includes('"')) {
        if (flaw !== undefined) this.refuse(number, flawRefusal(flaw, text))
        // Blank lines are no records.
        else if (line.trim() !== '') this.row(line.split(this.dialect.delimiter), number)
        return
      }
      this.start = number
    }
    this.continue(line, flaw)
  }

  end(): void {
    while (this.held.length > 0) this.recover()
  }

  private continue(line: string, flaw: LineFlaw | undefined): void {
    this.held.push({ text: line, flaw })
    this.heldLength += line.length + 1
    let row: string[] | undefined
    try {
      row = flaw === 'long' ? undefined : this.parser.take(line)
    } catch (cause) {
      if (!(cause instanceof Refusal)) throw cause
      this.finish()
      this.refuse(this.start, cause)
      return
    }
    if (row !== undefined) {
      const flawed = this.held.find((held) => held.flaw !== undefined)
      this.finish()
      if (flawed?.flaw === undefined) this.row(row, this.start)
      else this.refuse(this.start, flawRefusal(flawed.flaw, flawed.text))
    } else if (
      flaw === 'long' ||
      this.heldLength > MAX_RECORD_LENGTH ||
      this.held.length > MAX_RECORD_LINES
    ) {
      this.recover()
    }
  }

  private finish(): void {
    this.held = []
    this.heldLength = 0
    this.parser.reset()
  }

  /** The open quote was a mistake: its line is refused, the lines behind it are read again. */
  private recover(): void {
    const lines = this.held
    const first = this.start
    this.finish()
    const expected = 'a closing quote'
    this.recoveries++
    if (this.recoveries > MAX_QUOTE_RECOVERIES) {
      const last = first + lines.length - 1
      const received = `lines ${first} to ${last}, from ${lines[0].text.slice(0, 200)}`
      this.refuse(first, new Refusal('record', expected, received))
      return
    }
    this.refuse(first, new Refusal('record', expected, lines[0].text))
    for (let i = 1; i < lines.length; i++) this.line(lines[i].text, first + i, lines[i].flaw)
  }

  private row(row: readonly string[], line: number): void {
    if (this.skip > 0) {
      this.skip--
      return
    }
    const { names, types, values, width } = this.layout
    if (row.length !== width) {
      const fields = `${row.length} fields: ${row.join(this.dialect.delimiter).slice(0, 200)}`
      this.refuse(line, new Refusal('record', `${width} fields, as many as the header`, fields))
      return
    }
    this.sinks.record({ line, names, values: values === undefined ? row : values(row), types })
  }

  private refuse(line: number, refusal: Refusal): void {
    // A header that is passed over has been checked before.
    if (this.skip > 0) this.skip--
    else this.sinks.refuse(line, refusal)
  }
}
