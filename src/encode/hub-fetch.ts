import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ReadableStream as NodeReadableStream } from 'node:stream/web'
import { errorCode, writeError } from '../artifact/files.js'
import { makeFolder, removeTemporary, syncPath, temporarySibling } from '../artifact/index.js'
import { aborted, TextrecError } from '../errors.js'
import type { OnProgress } from '../types.js'
import type { HubSettings } from './hub-settings.js'

export interface HubFetchOptions {
  readonly signal?: AbortSignal
  readonly onProgress?: OnProgress
}

/**
 * Fetches one file of a repository to `target`, which is either whole or not there, and forced to the disk.
 *
 * transformers.js keeps its own way of doing this to itself: what it exports loads whole pipelines, from ONNX
 * files and through memory, and its cache writes neither check the length of an answer nor wait for the disk. So
 * only its settings, its layout and its environment variables for tokens are used.
 * @returns false if the repository has no such file
 * @throws MODEL_UNREACHABLE, DISK_FULL, FILE_UNREADABLE, ABORTED
 */
export async function fetchFile(
  settings: HubSettings,
  id: string,
  file: string,
  target: string,
  { signal, onProgress }: HubFetchOptions,
): Promise<boolean> {
  const name = `${id}/${file}`
  if (!settings.mayFetch) {
    throw unreachable(settings, name, 'downloads are switched off (allowRemoteModels of transformers.js)')
  }
  const body = await request(settings, id, file, signal)
  if (body === undefined) return false
  const temporary = temporarySibling(target, 'new')
  try {
    makeFolder(dirname(target))
    await removeTemporary(dirname(target))
    const counter = countBytes(body.bytes, (done) =>
      onProgress?.({ stage: `download ${name}`, done, total: body.bytes, unit: 'bytes' }),
    )
    // Made at the last moment: a stream that breaks before anybody listens would bring the process down.
    const stream = Readable.fromWeb(body.stream as NodeReadableStream)
    await pipeline(stream, counter, createWriteStream(temporary), { signal })
    await syncPath(temporary)
    await rename(temporary, target)
    await syncPath(dirname(target))
    return true
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {}) // nothing was written where nothing can be removed
    if (signal?.aborted) throw aborted('Downloading')
    throw downloadError(settings, name, target, error)
  }
}

async function request(
  settings: HubSettings,
  id: string,
  file: string,
  signal: AbortSignal | undefined,
): Promise<{ readonly stream: ReadableStream; readonly bytes: number | undefined } | undefined> {
  const address = settings.address(id, file)
  const token = process.env.HF_TOKEN ?? process.env.HF_ACCESS_TOKEN
  const official = /^https:\/\/(huggingface\.co|hf\.co)\//.test(address)
  const headers: Record<string, string> = token && official ? { authorization: `Bearer ${token}` } : {}
  let response: Response
  try {
    response = await settings.fetch(address, { headers, signal })
  } catch (cause) {
    if (signal?.aborted) throw aborted('Downloading')
    throw unreachable(settings, `${id}/${file}`, 'the server does not answer', cause)
  }
  if (response.ok && response.body !== null) {
    const bytes = Number(response.headers.get('content-length')) || undefined
    return { stream: response.body, bytes }
  }
  await response.body?.cancel()
  if (response.status === 404) return undefined
  throw unreachable(settings, `${id}/${file}`, `the server answered ${response.status}`)
}

/** Passes bytes on, telling how many; fewer than were announced are an error. */
function countBytes(announced: number | undefined, tell: (done: number) => void): Transform {
  let done = 0
  return new Transform({
    transform(chunk: Buffer, _encoding, next) {
      done += chunk.length
      tell(done)
      next(null, chunk)
    },
    flush(next) {
      // A compressed answer is longer than it says; anything shorter was cut off.
      const short = announced !== undefined && done < announced
      next(short ? new Error(`the answer ended after ${done} of ${announced} bytes`) : null)
    },
  })
}

function downloadError(settings: HubSettings, name: string, target: string, error: unknown): unknown {
  const written = writeError(error, target)
  if (written !== error) return written
  if (['EACCES', 'EPERM', 'ENOTDIR'].includes(errorCode(error))) {
    return new TextrecError(
      'FILE_UNREADABLE',
      `${dirname(target)} cannot be written (${errorCode(error)}).`,
      'Name another folder for models: --cache-dir, cacheDirectory or $TEXTREC_CACHE.',
      { cause: error },
    )
  }
  return unreachable(settings, name, error instanceof Error ? error.message : String(error), error)
}

export function unreachable(settings: HubSettings, name: string, why: string, cause?: unknown): TextrecError {
  return new TextrecError(
    'MODEL_UNREACHABLE',
    `${name} could not be downloaded from ${settings.host}: ${why}.`,
    "Check the network and the name, or copy the model's files into a folder and pass that folder's path; 'all-MiniLM-L6-v2' needs no network.",
    { cause },
  )
}
