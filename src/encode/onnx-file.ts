import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { realpath } from 'node:fs/promises'
import { dirname, isAbsolute, join, relative, sep } from 'node:path'
import { TextrecError } from '../errors.js'

/** Field numbers of onnx.proto3 that lead to tensors, per message. Everything else is skipped unread. */
const CHILDREN: { readonly [message: string]: { readonly [field: number]: string } } = {
  model: { 7: 'graph', 20: 'training', 25: 'function' },
  training: { 1: 'graph', 2: 'graph' },
  function: { 7: 'node', 11: 'attribute' },
  graph: { 1: 'node', 5: 'tensor', 15: 'sparse' },
  sparse: { 1: 'tensor', 2: 'tensor' },
  node: { 5: 'attribute' },
  attribute: { 5: 'tensor', 6: 'graph', 10: 'tensor', 11: 'graph', 22: 'sparse', 23: 'sparse' },
  tensor: { 13: 'entry' },
}
const MAX_DEPTH = 32
/** Exporters write one file beside the model; some write one per tensor. */
const MAX_LOCATIONS = 10_000
const MAX_LOCATION_BYTES = 4096
/** An encoder of 24 layers has some 50,000. Beyond this a file only wastes time: these take some 20 ms. */
const MAX_FIELDS = 500_000

/**
 * The files beside an ONNX file that hold its weights, as absolute paths. The file is walked through with its
 * weights skipped: whatever its size, some 64 KB of it are in memory.
 * @throws MODEL_INVALID if one lies outside the folder (by name or by link), because ONNX Runtime would read
 *   whatever the model names; or if the bytes are no protobuf message.
 */
export async function externalFiles(path: string): Promise<string[]> {
  const invalid = (fact: string, cause?: unknown) =>
    new TextrecError('MODEL_INVALID', `${path} ${fact}.`, 'Use a model from a source that you trust.', {
      cause,
    })
  const locations = new Set<string>()
  try {
    const file = new WireFile(path)
    try {
      collect(file, file.size, 'model', locations, 0)
    } finally {
      file.close()
    }
  } catch (cause) {
    throw invalid('is not an ONNX file', cause)
  }
  if (locations.size === 0) return []
  const folder = await realpath(dirname(path))
  const found: string[] = []
  for (const location of locations) {
    const shown = JSON.stringify(location.slice(0, 80))
    if (location.includes('\0') || isAbsolute(location)) throw invalid(`names external data ${shown}`)
    let real: string
    try {
      real = await realpath(join(folder, location))
    } catch (cause) {
      throw invalid(`names external data ${shown}, which is missing`, cause)
    }
    const inside = relative(folder, real)
    if (inside === '' || inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside)) {
      throw invalid(`names external data ${shown}, outside its folder`)
    }
    found.push(real)
  }
  return found
}

function collect(file: WireFile, end: number, message: string, locations: Set<string>, depth: number): void {
  if (depth > MAX_DEPTH) throw new Error('graphs nested too deeply')
  if (end > file.size) throw new Error('a message reaches beyond the file')
  let key: string | undefined
  let value: string | undefined
  while (file.position < end) {
    const tag = file.tag()
    const field = Math.floor(tag / 8)
    if (field === 0) throw new Error('a field without a number')
    const wire = tag % 8
    const child = CHILDREN[message]?.[field]
    if (child !== undefined && wire === LENGTH_DELIMITED) {
      const length = file.varint()
      collect(file, file.position + length, child, locations, depth + 1)
    } else if (message === 'entry' && wire === LENGTH_DELIMITED && (field === 1 || field === 2)) {
      const text = file.text(MAX_LOCATION_BYTES)
      if (field === 1) key = text
      else value = text
    } else {
      file.skip(wire)
    }
  }
  if (file.position !== end) throw new Error('a field reaches beyond its message')
  if (key === 'location' && value !== undefined) locations.add(value)
  if (locations.size > MAX_LOCATIONS) throw new Error(`more than ${MAX_LOCATIONS} files of weights`)
}

const VARINT = 0
const FIXED_64 = 1
const LENGTH_DELIMITED = 2
const FIXED_32 = 5

const WINDOW = 65_536

/** Reads protobuf's wire format (https://protobuf.dev/programming-guides/encoding) from a file, a window at a time. */
class WireFile {
  readonly size: number
  position = 0
  private fields = 0
  private readonly descriptor: number
  private readonly window = Buffer.alloc(WINDOW)
  private windowStart = 0
  private windowBytes = 0

  constructor(path: string) {
    this.descriptor = openSync(path, 'r')
    this.size = fstatSync(this.descriptor).size
  }

  close(): void {
    closeSync(this.descriptor)
  }

  /** What the next field is: its number times 8, and its wire type. */
  tag(): number {
    if (++this.fields > MAX_FIELDS) throw new Error(`more than ${MAX_FIELDS} fields`)
    return this.varint()
  }

  /** An unsigned number; beyond 2^53 roughly right, which is beyond the end of any file as well. */
  varint(): number {
    let value = 0
    for (let scale = 1, bytes = 0; bytes < 10; scale *= 128, bytes++) {
      const byte = this.byte()
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
    throw new Error('a number of more than ten bytes')
  }

  text(most: number): string {
    const length = this.varint()
    if (length > most) throw new Error(`a name of ${length} bytes`)
    const bytes = Buffer.alloc(length)
    for (let i = 0; i < length; i++) bytes[i] = this.byte()
    return bytes.toString('utf8')
  }

  /** @throws for wire types that ONNX files do not use */
  skip(wire: number): void {
    if (wire === VARINT) this.varint()
    else if (wire === FIXED_64) this.position += 8
    else if (wire === FIXED_32) this.position += 4
    else if (wire === LENGTH_DELIMITED) {
      const length = this.varint()
      this.position += length
    } else throw new Error(`wire type ${wire}`)
    if (this.position > this.size) throw new Error('a field reaches beyond the file')
  }

  private byte(): number {
    let at = this.position - this.windowStart
    if (at < 0 || at >= this.windowBytes) {
      this.windowBytes = readSync(this.descriptor, this.window, 0, WINDOW, this.position)
      if (this.windowBytes === 0) throw new Error('the file ends in the middle of a field')
      this.windowStart = this.position
      at = 0
    }
    this.position++
    return this.window[at]
  }
}
