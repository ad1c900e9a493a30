import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type JsonObject,
  type JsonValue,
  type Manifest,
  readManifest,
  readPayload,
} from '../artifact/index.js'
import { type ErrorCode, TextrecError } from '../errors.js'

/** Float32 arrays by name, in one file: 'tensors.f32', little-endian, one after the other as the manifest lists. */
export type Tensors = { readonly [name: string]: Float32Array }

const FILE = 'tensors.f32'

/** Writes the file into a folder being published; put what it returns among the manifest's fields. */
export async function writeTensors(folder: string, tensors: Tensors): Promise<JsonObject> {
  const names = Object.keys(tensors)
  const total = names.reduce((sum, name) => sum + tensors[name].length, 0)
  const all = new Float32Array(total)
  let at = 0
  for (const name of names) {
    all.set(tensors[name], at)
    at += tensors[name].length
  }
  await writeFile(join(folder, FILE), new Uint8Array(all.buffer))
  return { tensors: names.map((name) => [name, tensors[name].length]) }
}

/** Reads a published folder with its tensors. @throws `damagedCode` if it is not what was published. */
export async function readTensors(
  target: string,
  kind: string,
  damagedCode: ErrorCode,
): Promise<{ readonly manifest: Manifest; readonly tensors: Tensors }> {
  const manifest = await readManifest(target, kind, damagedCode)
  const bytes = await readPayload(target, manifest, FILE, damagedCode)
  const listed = manifest.fields.tensors
  if (!Array.isArray(listed) || !listed.every(isEntry) || bytes.byteLength % 4 !== 0) throw notOurs(target)
  const all = new Float32Array(bytes.buffer)
  const tensors: { [name: string]: Float32Array } = {}
  let at = 0
  for (const [name, length] of listed as [string, number][]) {
    tensors[name] = all.slice(at, at + length)
    at += length
  }
  if (at !== all.length) throw notOurs(target)
  return { manifest, tensors }

  function notOurs(where: string): TextrecError {
    return new TextrecError(damagedCode, `${where} does not list its tensors.`, 'Train again.')
  }
}

function isEntry(value: JsonValue): boolean {
  return (
    Array.isArray(value) &&
    value.length === 2 &&
    typeof value[0] === 'string' &&
    Number.isSafeInteger(value[1])
  )
}

/** The tensors whose names begin with `prefix`, under the rest of their names. */
export function withPrefix(tensors: Tensors, prefix: string): { [name: string]: Float32Array } {
  return Object.fromEntries(
    Object.entries(tensors)
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, data]) => [name.slice(prefix.length), data]),
  )
}

/** The same tensors under longer names. */
export function addPrefix(tensors: Tensors, prefix: string): { [name: string]: Float32Array } {
  return Object.fromEntries(Object.entries(tensors).map(([name, data]) => [prefix + name, data]))
}
