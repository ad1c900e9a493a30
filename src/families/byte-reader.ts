/** Reads a stream of bytes piece by piece, with a bound on how much is ever held. */
export class ByteReader {
  private readonly chunks: AsyncIterator<Buffer>
  private held: Buffer = Buffer.alloc(0)
  private ended = false

  constructor(stream: AsyncIterable<Buffer>) {
    this.chunks = stream[Symbol.asyncIterator]()
  }

  /** Up to the next line break, without it; the rest at the end of the stream; then undefined. */
  async line(most: number): Promise<Buffer | undefined> {
    return (
      (await this.until(0x0a, most)) ?? (this.held.length === 0 ? undefined : this.give(this.held.length, 0))
    )
  }

  /** Up to the next such byte, without it; undefined, and nothing taken, if the stream ends before one comes. */
  async until(byte: number, most: number): Promise<Buffer | undefined> {
    let from = 0
    for (;;) {
      const end = this.held.indexOf(byte, from)
      if (end > most || (end < 0 && this.held.length > most)) throw new TooLong(most)
      if (end >= 0) return this.give(end, 1)
      from = this.held.length
      if (!(await this.more())) return undefined
    }
  }

  /** Exactly so many bytes; undefined if there are fewer. */
  async take(count: number): Promise<Buffer | undefined> {
    while (this.held.length < count) if (!(await this.more())) return undefined
    return this.give(count, 0)
  }

  /** Leaves out so many bytes. @returns whether there were as many */
  async skip(count: number): Promise<boolean> {
    let left = count
    while (left > this.held.length) {
      left -= this.held.length
      this.held = Buffer.alloc(0)
      if (!(await this.more())) return false
    }
    this.held = this.held.subarray(left)
    return true
  }

  /** What comes next, at least `count` bytes of it where there are as many. Nothing is taken. */
  async peek(count: number): Promise<Buffer> {
    while (this.held.length < count && (await this.more())) {}
    return this.held
  }

  private give(count: number, skip: number): Buffer {
    const given = this.held.subarray(0, count)
    this.held = this.held.subarray(count + skip)
    return given
  }

  private async more(): Promise<boolean> {
    if (this.ended) return false
    const { value, done } = await this.chunks.next()
    this.ended = done === true
    if (this.ended) return false
    this.held = this.held.length === 0 ? value : Buffer.concat([this.held, value])
    return true
  }
}

/** What is wrong with a file, in words that end a sentence. */
export class Damaged extends Error {}

/** A piece without an end where there should be one. */
export class TooLong extends Damaged {
  constructor(most: number) {
    super(`a piece of it is longer than ${most} bytes`)
  }
}
