import { TextrecError } from '../errors.js'
import { bfloatToFloat, halfToFloat } from './half.js'
import { jsonProblem } from './json-keys.js'

/** Bytes per element of every type that the format knows; only the float types can be read as weights. */
const ELEMENT_BYTES = new Map([
  ['F64', 8],
  ['F32', 4],
  ['F16', 2],
  ['BF16', 2],
  ['I64', 8],
  ['I32', 4],
  ['I16', 2],
  ['I8', 1],
  ['U64', 8],
  ['U32', 4],
  ['U16', 2],
  ['U8', 1],
  ['BOOL', 1],
  ['F8_E4M3', 1],
  ['F8_E5M2', 1],
])
/** Encoders have some 400 tensors of 120 bytes each in their headers; these limits keep a hostile one from costing memory or time. */
const MAX_HEADER_BYTES = 2 ** 20
const MAX_TENSORS = 8192
const MAX_RANK = 8

interface Entry {
  readonly dtype: string
  readonly shape: readonly number[]
  readonly begin: number
  readonly end: number
}

/**
 * A safetensors file in memory (https://github.com/huggingface/safetensors#format). Everything that the header
 * claims is checked against the bytes before anything is allocated, because model files come from strangers.
 */
export class Safetensors {
  private constructor(
    private readonly entries: ReadonlyMap<string, Entry>,
    private readonly data: Uint8Array,
    private readonly source: string,
  ) {}

  /**
   * @param source what to call the file in errors.
   * @throws MODEL_INVALID for a header that is too large, malformed, names a tensor twice, or claims bytes that
   *   are missing, shared between tensors, of the wrong number, or left over.
   */
  static parse(bytes: Uint8Array, source: string): Safetensors {
    const header = readHeader(bytes, bytes.length, source)
    // A plain Uint8Array, because Buffer's slice() does not copy.
    const data = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length).subarray(8 + header.bytes)
    return new Safetensors(readEntries(header.json, data.length, source), data, source)
  }

  names(): string[] {
    return [...this.entries.keys()]
  }

  has(name: string): boolean {
    return this.entries.has(name)
  }

  /** @throws MODEL_INVALID if there is no such tensor. */
  shape(name: string): readonly number[] {
    return this.entry(name).shape
  }

  /**
   * The tensor as float32, copied, row-major.
   * @throws MODEL_INVALID if it is missing, has another shape, is not of a float type, or holds NaN or infinity.
   */
  read(name: string, shape: readonly number[]): Float32Array {
    const entry = this.entry(name)
    if (entry.shape.length !== shape.length || entry.shape.some((dim, i) => dim !== shape[i])) {
      throw invalid(
        this.source,
        `tensor '${name}' has shape [${entry.shape.join(', ')}] where config.json asks for [${shape.join(', ')}]`,
      )
    }
    const copy = this.data.slice(entry.begin, entry.end).buffer // aligned, unlike a view into the file
    const values = toFloat(entry.dtype, copy)
    if (values === undefined) {
      throw invalid(this.source, `tensor '${name}' is of type ${entry.dtype}, not F16, BF16, F32 or F64`)
    }
    for (let i = 0; i < values.length; i++) {
      // Subtracting a finite number from itself gives 0; NaN and infinity give NaN.
      if (values[i] - values[i] !== 0) throw invalid(this.source, `tensor '${name}' holds NaN or infinity`)
    }
    return values
  }

  private entry(name: string): Entry {
    const entry = this.entries.get(name)
    if (entry === undefined) throw invalid(this.source, `it has no tensor '${name}'`)
    return entry
  }
}

/**
 * Reads the header of a safetensors file and checks all that it claims against the size of the file, before the
 * rest is read.
 * @param read gives so many bytes from a place in the file, or fewer at its end
 * @throws MODEL_INVALID as `Safetensors.parse`
 */
export async function requireSoundHeader(
  read: (bytes: number, from: number) => Promise<Uint8Array>,
  fileBytes: number,
  source: string,
): Promise<void> {
  const header = readHeader(await read(8 + MAX_HEADER_BYTES, 0), fileBytes, source)
  readEntries(header.json, fileBytes - 8 - header.bytes, source)
}

function readEntries(
  json: { readonly [name: string]: unknown },
  dataBytes: number,
  source: string,
): Map<string, Entry> {
  const names = Object.keys(json).filter((name) => name !== '__metadata__')
  if (names.length > MAX_TENSORS) throw invalid(source, `it names ${names.length} tensors`)
  const entries = new Map<string, Entry>()
  for (const name of names) entries.set(name, readEntry(name, json[name], dataBytes, source))
  requireExactCover([...entries.values()], dataBytes, source)
  return entries
}

/**
 * How long a safetensors file has to be by what its header says.
 * @param read gives so many bytes from a place in the file, or fewer at its end
 * @throws MODEL_INVALID for a header that is malformed, too large or cut off
 */
export async function safetensorsBytes(
  read: (bytes: number, from: number) => Promise<Uint8Array>,
  source: string,
): Promise<number> {
  const head = await read(8 + MAX_HEADER_BYTES, 0)
  const header = readHeader(head, head.length, source)
  const ends = Object.entries(header.json).map(([name, value]) => {
    if (name === '__metadata__') return 0
    const offsets = isObject(value) ? value.data_offsets : undefined
    if (!isSizes(offsets) || offsets.length !== 2) throw invalid(source, `a tensor has no place in it`)
    return offsets[1]
  })
  return 8 + header.bytes + Math.max(0, ...ends)
}

function toFloat(dtype: string, buffer: ArrayBuffer): Float32Array | undefined {
  if (dtype === 'F32') return new Float32Array(buffer)
  if (dtype === 'F16') return halfToFloat(new Uint16Array(buffer))
  if (dtype === 'BF16') return bfloatToFloat(new Uint16Array(buffer))
  if (dtype === 'F64') return Float32Array.from(new Float64Array(buffer))
  return undefined
}

/** @param bytes the beginning of the file, at least as much as a header may have */
function readHeader(
  bytes: Uint8Array,
  fileBytes: number,
  source: string,
): { json: Record<string, unknown>; bytes: number } {
  if (bytes.length < 8) throw invalid(source, `it has ${bytes.length} bytes`)
  // A BigInt: the length is 64 bits wide and a hostile one must not wrap into a small number.
  const claimed = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true)
  if (claimed > BigInt(Math.min(MAX_HEADER_BYTES, bytes.length - 8))) {
    throw invalid(source, `its header claims ${claimed} bytes of ${fileBytes - 8}`)
  }
  const length = Number(claimed)
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(8, 8 + length))
  } catch {
    throw invalid(source, 'its header is not UTF-8')
  }
  const problem = jsonProblem(text, 4)
  if (problem !== undefined) throw invalid(source, `its header has ${problem}`)
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw invalid(source, 'its header is not JSON', cause)
  }
  if (!isObject(json)) throw invalid(source, 'its header is not a JSON object')
  return { json, bytes: length }
}

function readEntry(name: string, value: unknown, dataBytes: number, source: string): Entry {
  const shown = JSON.stringify(name.slice(0, 80))
  if (!isObject(value)) throw invalid(source, `tensor ${shown} is not described by an object`)
  const { dtype, shape, data_offsets: offsets } = value
  const elementBytes = typeof dtype === 'string' ? ELEMENT_BYTES.get(dtype) : undefined
  if (typeof dtype !== 'string' || elementBytes === undefined) {
    throw invalid(source, `tensor ${shown} has an unknown type`)
  }
  if (!isSizes(shape) || shape.length > MAX_RANK) throw invalid(source, `tensor ${shown} has a bad shape`)
  if (!isSizes(offsets) || offsets.length !== 2 || offsets[0] > offsets[1] || offsets[1] > dataBytes) {
    throw invalid(source, `tensor ${shown} lies outside the file`)
  }
  const [begin, end] = offsets
  // Beyond 2^53 the product is only roughly right, but then it is far from any real number of bytes as well.
  const claimed = shape.reduce((product, dim) => product * dim, elementBytes)
  if (claimed !== end - begin) {
    throw invalid(source, `tensor ${shown} needs ${claimed} bytes and has ${end - begin}`)
  }
  return { dtype, shape, begin, end }
}

/** Tensors must fill the data section without gap or overlap, as the format demands. */
function requireExactCover(entries: Entry[], dataBytes: number, source: string): void {
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end)
  let at = 0
  for (const { begin, end } of entries) {
    if (begin < at) throw invalid(source, 'two of its tensors overlap')
    if (begin > at) throw invalid(source, `bytes ${at} to ${begin} of its data belong to no tensor`)
    at = end
  }
  if (at !== dataBytes) throw invalid(source, `${dataBytes - at} bytes at its end belong to no tensor`)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0)
}

function invalid(source: string, fact: string, cause?: unknown): TextrecError {
  return new TextrecError(
    'MODEL_INVALID',
    `${source} is not a sound safetensors file: ${fact}.`,
    'Download the model again, from a source that you trust.',
    { cause },
  )
}
