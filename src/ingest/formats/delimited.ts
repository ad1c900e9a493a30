import type { LineFlaw } from '../lines.js'
import { MAX_QUOTE_RECOVERIES, MAX_RECORD_LENGTH, MAX_RECORD_LINES, Refusal } from '../rules.js'
import { flawRefusal, type Layout, type Reader, type RecordSinks } from './format.js'
import { countFields, type Dialect, type QuoteState, quoteState, splitRecords } from './split.js'

/** Records beyond so many characters have their fields counted before they are split. */
const LONG_RECORD = 2 ** 16

/**
 * CSV, TSV and their relatives. `skip` records are passed over first (the header).
 *
 * csv-parse splits records into fields and takes the quotes off. Left for here is what it cannot do line by line:
 * to find where each record ends, so that what is broken costs one record, named by its line, and an open quote can
 * be taken back. A record ends at the end of a line that leaves no quoted field open.
 */
export class DelimitedReader implements Reader {
  /** The lines of the unfinished record, from line `start` on: what is needed to take an open quote back. */
  private held: { text: string; flaw?: LineFlaw }[] = []
  private heldLength = 0
  private start = 0
  private recoveries = 0
  /** Records not handed on yet: their text, or why they are refused. Both, so that they keep their order. */
  private complete: { readonly line: number; readonly found: string | Refusal }[] = []

  constructor(
    private readonly dialect: Dialect,
    private readonly layout: Layout,
    private readonly sinks: RecordSinks,
    private skip: number,
  ) {}

  readonly line = (text: string, number: number, flaw?: LineFlaw): void => {
    const line = text.endsWith('\r') ? text.slice(0, -1) : text
    if (this.held.length === 0) {
      // A line that is not UTF-8 may still open a quote, and what that covers is refused with it.
      if (flaw === 'long' || !this.dialect.quoting || !line.includes('"')) {
        if (flaw !== undefined) this.put(number, flawRefusal(flaw, text))
        // Blank lines are no records.
        else if (line.trim() !== '') this.put(number, line)
        return
      }
      this.start = number
    }
    this.continue(line, flaw)
  }

  flush(): void {
    const complete = this.complete.map(({ line, found }) => ({ line, found: this.ofWidth(found) }))
    this.complete = []
    const texts = complete.flatMap(({ found }) => (typeof found === 'string' ? [found] : []))
    const rows = splitRecords(texts, this.dialect)[Symbol.iterator]()
    for (const { line, found } of complete) {
      if (typeof found !== 'string') this.refuse(line, found)
      else this.row(line, found, rows.next().value)
    }
  }

  end(): void {
    while (this.held.length > 0) this.recover()
    this.flush()
  }

  private continue(line: string, flaw: LineFlaw | undefined): void {
    const state: QuoteState =
      flaw === 'long' ? 'open' : quoteState(line, this.dialect.delimiter, this.held.length > 0)
    this.held.push({ text: line, flaw })
    this.heldLength += line.length + 1
    if (state === 'open') {
      const { length } = this.held
      const tooLong = this.heldLength > MAX_RECORD_LENGTH || length > MAX_RECORD_LINES
      if (flaw === 'long' || tooLong) this.recover()
      return
    }
    const lines = this.release()
    const flawed = lines.find((held) => held.flaw !== undefined)
    if (state === 'broken') {
      this.put(this.start, new Refusal('record', 'a delimiter after the closing quote of a field', line))
    } else if (flawed?.flaw !== undefined) {
      this.put(this.start, flawRefusal(flawed.flaw, flawed.text))
    } else {
      this.put(this.start, lines.map(({ text }) => text).join('\n'))
    }
  }

  /** A long record of too many or too few fields is refused before each of them becomes a text of its own. */
  private ofWidth(found: string | Refusal): string | Refusal {
    if (typeof found !== 'string' || found.length < LONG_RECORD) return found
    const fields = countFields(found, this.dialect)
    return fields === this.layout.width ? found : this.wrongWidth(fields, found.slice(0, 200))
  }

  private wrongWidth(fields: number, shown: string): Refusal {
    const expected = `${this.layout.width} fields, as many as the header`
    return new Refusal('record', expected, `${fields} fields: ${shown}`)
  }

  private release(): { text: string; flaw?: LineFlaw }[] {
    const lines = this.held
    this.held = []
    this.heldLength = 0
    return lines
  }

  /** The open quote was a mistake: its line is refused, the lines behind it are read again. */
  private recover(): void {
    const lines = this.release()
    const first = this.start
    const expected = 'a closing quote'
    this.recoveries++
    if (this.recoveries > MAX_QUOTE_RECOVERIES) {
      const last = first + lines.length - 1
      const received = `lines ${first} to ${last}, from ${lines[0].text.slice(0, 200)}`
      this.put(first, new Refusal('record', expected, received))
      return
    }
    this.put(first, new Refusal('record', expected, lines[0].text))
    for (let i = 1; i < lines.length; i++) this.line(lines[i].text, first + i, lines[i].flaw)
  }

  private put(line: number, found: string | Refusal): void {
    this.complete.push({ line, found })
  }

  private row(line: number, text: string, row: readonly string[] | undefined): void {
    const { names, types, values, width } = this.layout
    if (row === undefined) {
      this.refuse(line, new Refusal('record', 'one record of delimited fields', text))
    } else if (row.length !== width) {
      const shown = row.slice(0, 200).join(this.dialect.delimiter).slice(0, 200)
      this.refuse(line, this.wrongWidth(row.length, shown))
    } else if (this.skip > 0) {
      this.skip--
    } else {
      this.sinks.record({ line, names, values: values === undefined ? row : values(row), types })
    }
  }

  private refuse(line: number, refusal: Refusal): void {
    // A header that is passed over has been checked before.
    if (this.skip > 0) this.skip--
    else this.sinks.refuse(line, refusal)
  }
}
