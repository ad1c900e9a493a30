import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { hashFile } from '../artifact/index.js'
import { TextrecError } from '../errors.js'
import { jsonProblem, nestsDeeper } from './json-keys.js'

/** Node reads no larger file in one piece, and no encoder that a laptop can run is larger. */
const MAX_FILE_BYTES = 2 ** 31 - 1
/** The tokenizers of multilingual models have 17 MB; everything else is smaller by far. */
const MAX_JSON_BYTES = 32 * 2 ** 20
/** The deepest nesting that a model's JSON has is 7. */
const MAX_JSON_DEPTH = 32

/** The bytes of a model file. @throws MODEL_INVALID if it is missing, unreadable, no plain file or too large. */
export async function readModelFile(path: string): Promise<Uint8Array> {
  await modelFileBytes(path)
  try {
    return await readFile(path)
  } catch (cause) {
    throw unreadable(path, 'cannot be read', cause)
  }
}

/** SHA-256 in hex of a model file, which is never whole in memory. @throws as `readModelFile` */
export async function hashModelFile(path: string): Promise<string> {
  await modelFileBytes(path)
  try {
    return (await hashFile(path)).sha256
  } catch (cause) {
    throw unreadable(path, 'cannot be read', cause)
  }
}

/** The size of a model file. @throws MODEL_INVALID if it is missing, no plain file or too large for its kind */
export async function modelFileBytes(path: string): Promise<number> {
  const limit = path.endsWith('.json') ? MAX_JSON_BYTES : MAX_FILE_BYTES
  const status = await stat(path).catch((cause) => {
    throw unreadable(path, 'cannot be read', cause)
  })
  if (!status.isFile()) throw unreadable(path, 'is not a plain file')
  if (status.size > limit) {
    throw unreadable(path, `has ${status.size} bytes, more than the limit of ${limit}`)
  }
  return status.size
}

function unreadable(path: string, fact: string, cause?: unknown): TextrecError {
  return new TextrecError('MODEL_INVALID', `${path} ${fact}.`, 'Point to a folder with a complete model.', {
    cause,
  })
}

/** A JSON file of a model, with no key twice and no absurd nesting. @throws MODEL_INVALID */
export async function readModelJson(path: string): Promise<unknown> {
  return parseModelJson(await readModelFile(path), path)
}

/** @throws MODEL_INVALID */
export function parseModelJson(bytes: Uint8Array, path: string): unknown {
  try {
    // Of the bytes first: a hostile file is to cost no text of its size.
    if (nestsDeeper(bytes, MAX_JSON_DEPTH)) throw new Error(`it nests deeper than ${MAX_JSON_DEPTH}`)
    const text = new TextDecoder().decode(bytes)
    const problem = jsonProblem(text, MAX_JSON_DEPTH)
    if (problem !== undefined) throw new Error(`it has ${problem}`)
    return JSON.parse(text)
  } catch (cause) {
    throw new TextrecError('MODEL_INVALID', `${path} is not sound JSON.`, 'Download the model again.', {
      cause,
    })
  }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** SHA-256 in hex, of bytes or of a plain value's JSON. */
export function hashOf(value: Uint8Array | object): string {
  return createHash('sha256')
    .update(value instanceof Uint8Array ? value : JSON.stringify(value))
    .digest('hex')
}
