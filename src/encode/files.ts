import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { TextrecError } from '../errors.js'
import { jsonProblem } from './json-keys.js'

/** Node reads no larger file in one piece, and no encoder that a laptop can run is larger. */
const MAX_FILE_BYTES = 2 ** 31 - 1
const MAX_JSON_BYTES = 64 * 2 ** 20

/** The bytes of a model file. @throws MODEL_INVALID if it is missing, unreadable, no plain file or too large. */
export async function readModelFile(path: string, maxBytes = MAX_FILE_BYTES): Promise<Uint8Array> {
  const invalid = (fact: string, cause?: unknown) =>
    new TextrecError('MODEL_INVALID', `${path} ${fact}.`, 'Point to a folder with a complete model.', {
      cause,
    })
  let size: number
  try {
    const status = await stat(path)
    if (!status.isFile()) throw invalid('is not a plain file')
    size = status.size
  } catch (cause) {
    if (cause instanceof TextrecError) throw cause
    throw invalid('cannot be read', cause)
  }
  if (size > maxBytes) throw invalid(`has ${size} bytes, more than the limit of ${maxBytes}`)
  try {
    return await readFile(path)
  } catch (cause) {
    throw invalid('cannot be read', cause)
  }
}

/** A JSON file of a model, with no key twice and no absurd nesting. @throws MODEL_INVALID */
export async function readModelJson(path: string): Promise<unknown> {
  const bytes = await readModelFile(path, MAX_JSON_BYTES)
  return parseModelJson(bytes, path)
}

/** @throws MODEL_INVALID */
export function parseModelJson(bytes: Uint8Array, path: string): unknown {
  const text = new TextDecoder().decode(bytes)
  const problem = jsonProblem(text, 32)
  try {
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
