import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { damaged, type Manifest, readPayload } from '../artifact/index.js'
import { CHUNK, type QuantizedRows } from './quantize.js'

// The int8 form of an exact index, kept so that opening is reading: making it takes several times as long.
/** int8 [dim, padded] */
const LEVELS = 'levels.i8'
/** float32 [padded] */
const SCALES = 'scales.f32'
/** float64 [padded / CHUNK] the error of every chunk, then the longest int8 form. */
const ERRORS = 'errors.f64'

export async function writeQuantized(folder: string, quantized: QuantizedRows): Promise<void> {
  const { columns, errors, maxLength, scales } = quantized
  await writeFile(join(folder, LEVELS), columns)
  await writeFile(join(folder, SCALES), bytesOf(scales))
  await writeFile(join(folder, ERRORS), bytesOf(Float64Array.from([...errors, maxLength])))
}

/**
 * Undefined for an index that was published without: a small one, or one of an earlier version.
 * @throws INDEX_DAMAGED if the files are not what was published, or do not fit `rows` and `dim`
 */
export async function readQuantized(
  folder: string,
  manifest: Manifest,
  rows: number,
  dim: number,
): Promise<QuantizedRows | undefined> {
  if (!Object.hasOwn(manifest.files, LEVELS)) return undefined
  const read = async (name: string) => (await readPayload(folder, manifest, name, 'INDEX_DAMAGED')).buffer
  const padded = Math.ceil(rows / CHUNK) * CHUNK
  const columns = new Int8Array(await read(LEVELS))
  const scales = new Float32Array(await read(SCALES))
  const errors = new Float64Array(await read(ERRORS))
  const fits =
    columns.length === dim * padded && scales.length === padded && errors.length === padded / CHUNK + 1
  if (!fits) throw damaged('INDEX_DAMAGED', folder, 'its int8 form has another size')
  return { columns, scales, errors: errors.slice(0, -1), maxLength: errors[errors.length - 1], padded }
}

function bytesOf({ buffer, byteLength, byteOffset }: Float32Array | Float64Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}
