import { createReadStream, type ReadStream } from 'node:fs'
import { access, constants, stat } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { TextrecError } from '../errors.js'

/** Bytes read at a time: some thousand short lines, few enough that parsing them does not hold up the event loop. */
export const CHUNK_BYTES = 128 * 1024
/** How much of a file `--format auto` looks at; more only where the first line is longer. */
const HEAD_BYTES = 64 * 1024
const MAX_HEAD_BYTES = 2 ** 20

/** Formats that are often met and never text: told by their first bytes, refused with what unpacks them. */
const FOREIGN: readonly {
  readonly magic: readonly number[]
  readonly name: string
  readonly remedy: string
}[] = [
  { magic: [0xff, 0xfe], name: 'UTF-16 text', remedy: 'Convert it: iconv -f UTF-16 -t UTF-8.' },
  { magic: [0xfe, 0xff], name: 'UTF-16 text', remedy: 'Convert it: iconv -f UTF-16 -t UTF-8.' },
  { magic: [0x50, 0x4b, 0x03, 0x04], name: 'a zip archive', remedy: 'Unpack it and import the file inside.' },
  { magic: [0x28, 0xb5, 0x2f, 0xfd], name: 'zstd-compressed', remedy: 'Unpack it: zstd -d.' },
  { magic: [0xfd, 0x37, 0x7a, 0x58], name: 'xz-compressed', remedy: 'Unpack it: xz -d.' },
  { magic: [0x42, 0x5a, 0x68], name: 'bzip2-compressed', remedy: 'Unpack it: bzip2 -d.' },
  { magic: [0x50, 0x41, 0x52, 0x31], name: 'a Parquet file', remedy: 'Export it as CSV or JSON lines.' },
  { magic: [0x53, 0x51, 0x4c, 0x69, 0x74, 0x65], name: 'an SQLite file', remedy: 'Export it as CSV.' },
]

/** Sees to it that there is a file or a pipe that may be read, without opening it. @throws TextrecError FILE_UNREADABLE */
export async function requireReadable(path: string): Promise<void> {
  try {
    if ((await stat(path)).isDirectory()) throw Object.assign(new Error('a folder'), { code: 'EISDIR' })
    await access(path, constants.R_OK)
  } catch (cause) {
    throw unreadable(path, cause)
  }
}

/** A file, plain or gzip, as unpacked bytes. */
export class Source {
  private constructor(
    readonly path: string,
    /** Size on disk; undefined for what is no regular file (a pipe). */
    readonly totalBytes: number | undefined,
    private readonly file: ReadStream,
    private readonly unpacked: AsyncIterator<Buffer>,
    /** The first bytes, without a byte order mark. */
    readonly head: Buffer,
    /** True where `head` is all there is. */
    readonly headIsAll: boolean,
  ) {}

  /** @throws TextrecError FILE_UNREADABLE, or FORMAT_UNKNOWN for what is no UTF-8 text. */
  static async open(path: string): Promise<Source> {
    const size = await stat(path).catch((cause) => Promise.reject(unreadable(path, cause)))
    const file = createReadStream(path, { highWaterMark: CHUNK_BYTES })
    const packed = file[Symbol.asyncIterator]() as AsyncIterator<Buffer>
    try {
      const first = await take(packed, (length) => length >= 8)
      const gzip = first.bytes[0] === 0x1f && first.bytes[1] === 0x8b
      const whole = prepend(first.bytes, packed)
      const unpacked = gzip ? gunzip(whole) : whole
      const { bytes, ended } = await take(
        unpacked,
        (length, part) => length >= MAX_HEAD_BYTES || (length >= HEAD_BYTES && part.includes(10)),
      )
      refuseForeign(path, bytes)
      const mark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0
      const total = size.isFile() ? size.size : undefined
      return new Source(path, total, file, unpacked, bytes.subarray(mark), ended)
    } catch (cause) {
      file.destroy()
      throw cause instanceof TextrecError ? cause : unreadable(path, cause)
    }
  }

  /** Bytes read from the disk so far, of `totalBytes`. */
  get bytesRead(): number {
    return this.file.bytesRead
  }

  /** The head again, then the rest. @throws TextrecError FILE_UNREADABLE */
  async *chunks(): AsyncGenerator<Buffer> {
    for (let at = 0; at < this.head.length; at += CHUNK_BYTES) yield this.head.subarray(at, at + CHUNK_BYTES)
    try {
      for (;;) {
        const { value, done } = await this.unpacked.next()
        if (done === true) return
        yield value
      }
    } catch (cause) {
      throw unreadable(this.path, cause)
    }
  }

  close(): void {
    this.file.destroy()
  }
}

/** Reads until `enough` says so of the length so far and the last part, or to the end. */
async function take(
  chunks: AsyncIterator<Buffer>,
  enough: (length: number, part: Buffer) => boolean,
): Promise<{ bytes: Buffer; ended: boolean }> {
  const parts: Buffer[] = []
  let length = 0
  for (;;) {
    const { value, done } = await chunks.next()
    if (done === true) return { bytes: Buffer.concat(parts), ended: true }
    parts.push(value)
    length += value.length
    if (enough(length, value)) return { bytes: Buffer.concat(parts), ended: false }
  }
}

async function* prepend(first: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  if (first.length > 0) yield first
  for (;;) {
    const { value, done } = await rest.next()
    if (done === true) return
    yield value
  }
}

function gunzip(packed: AsyncIterable<Buffer>): AsyncIterator<Buffer> {
  const unzip = createGunzip({ chunkSize: CHUNK_BYTES })
  // A failure destroys `unzip`, and whoever reads from it gets the error: here there is nothing left to do.
  pipeline(Readable.from(packed, { objectMode: false }), unzip).catch(() => undefined)
  return unzip[Symbol.asyncIterator]() as AsyncIterator<Buffer>
}

function refuseForeign(path: string, bytes: Buffer): void {
  for (const { magic, name, remedy } of FOREIGN) {
    if (magic.every((byte, i) => bytes[i] === byte)) {
      throw new TextrecError('FORMAT_UNKNOWN', `${path} is ${name}, not UTF-8 text.`, remedy)
    }
  }
  if (!bytes.includes(10) && bytes.includes(13)) {
    throw new TextrecError(
      'FORMAT_UNKNOWN',
      `${path} ends its lines with a lone carriage return.`,
      `Convert it: tr '\\r' '\\n'.`,
    )
  }
}

function unreadable(path: string, cause: unknown): TextrecError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error'
  if (code === 'Z_BUF_ERROR') {
    return new TextrecError(
      'FILE_UNREADABLE',
      `${path} is a gzip file that ends too early.`,
      'Fetch it again; the records before the break are imported, and a rerun changes nothing about them.',
      { cause },
    )
  }
  const fact = code.startsWith('Z_') ? `${path} is a damaged gzip file` : `${path} cannot be read`
  return new TextrecError('FILE_UNREADABLE', `${fact} (${code}).`, 'Check the path and the file.', { cause })
}
