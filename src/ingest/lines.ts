import { isUtf8 } from 'node:buffer'
import { MAX_LINE_BYTES } from './rules.js'

/** What is wrong with a line before anybody has looked at what it says. */
export type LineFlaw = 'utf8' | 'long'

/**
 * Takes one line without its line feed. `text` of a flawed line is for showing only: of a long one the beginning,
 * of one that is not UTF-8 what is left when the bad bytes are replaced.
 */
export type OnLine = (text: string, number: number, flaw?: LineFlaw) => void

const SHOWN_BYTES = 200

/** Cuts a stream of bytes into lines, holding at most `maxBytes` of an unfinished one. */
export class LineSplitter {
  private number = 0
  private pending: Buffer[] = []
  private pendingBytes = 0
  /** The line being read is beyond the limit: only its beginning is kept. */
  private overlong = false

  constructor(
    private readonly onLine: OnLine,
    private readonly maxBytes = MAX_LINE_BYTES,
  ) {}

  push(chunk: Buffer): void {
    const first = chunk.indexOf(10)
    if (first < 0) {
      this.hold(chunk)
      return
    }
    let start = 0
    if (this.pendingBytes > 0) {
      this.hold(chunk.subarray(0, first))
      this.finishPending()
      start = first + 1
    }
    const end = chunk.lastIndexOf(10)
    if (end >= start) this.whole(chunk.subarray(start, end))
    if (end + 1 < chunk.length) this.hold(chunk.subarray(end + 1))
  }

  /** How much of an unfinished line is in memory: at most the limit and one chunk. */
  get heldBytes(): number {
    return this.pending.reduce((total, part) => total + part.length, 0)
  }

  /** The last line needs no line feed. */
  end(): void {
    if (this.pendingBytes > 0) this.finishPending()
  }

  private hold(part: Buffer): void {
    this.pendingBytes += part.length
    if (this.overlong) return
    this.pending.push(part)
    if (this.pendingBytes > this.maxBytes) {
      this.pending = [Buffer.from(Buffer.concat(this.pending).subarray(0, SHOWN_BYTES))]
      this.overlong = true
    }
  }

  private finishPending(): void {
    const line = this.pending.length === 1 ? this.pending[0] : Buffer.concat(this.pending)
    const { overlong } = this
    this.pending = []
    this.pendingBytes = 0
    this.overlong = false
    if (overlong) this.onLine(line.toString('utf8'), ++this.number, 'long')
    else this.one(line)
  }

  /** Complete lines within one chunk: decoded in one go if they are UTF-8, which nearly all are. */
  private whole(block: Buffer): void {
    if (block.length <= this.maxBytes && isUtf8(block)) {
      for (const text of block.toString('utf8').split('\n')) this.onLine(text, ++this.number)
      return
    }
    let start = 0
    for (;;) {
      const end = block.indexOf(10, start)
      this.one(end < 0 ? block.subarray(start) : block.subarray(start, end))
      if (end < 0) return
      start = end + 1
    }
  }

  private one(line: Buffer): void {
    if (line.length > this.maxBytes) {
      this.onLine(line.subarray(0, SHOWN_BYTES).toString('utf8'), ++this.number, 'long')
    } else {
      this.onLine(line.toString('utf8'), ++this.number, isUtf8(line) ? undefined : 'utf8')
    }
  }
}
