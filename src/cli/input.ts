import { createWriteStream } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Transform } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import type {
  ImportOptions,
  ImportReport,
  ImportSources,
  NewItem,
  OnProgress,
  Recommender,
} from '../index.js'
import type { Library } from './shell.js'

/** The bytes of a file, or of standard input where it is called -. */
export async function readInput(library: Library, file: string): Promise<Buffer> {
  if (file === '-') return buffer(process.stdin)
  try {
    return await readFile(file)
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? String(cause)
    throw new library.TextrecError('FILE_UNREADABLE', `${file} cannot be read (${why}).`, 'Check the path.', {
      cause,
    })
  }
}

/** One JSON object from a file or standard input. */
async function readJsonObject(library: Library, file: string): Promise<object> {
  const name = file === '-' ? 'Standard input' : file
  let value: unknown
  try {
    value = JSON.parse((await readInput(library, file)).toString('utf8').replace(/^\uFEFF/, ''))
  } catch (cause) {
    if (library.isTextrecError(cause)) throw cause
    throw new library.TextrecError(
      'RECORD_INVALID',
      `${name} is not JSON: ${(cause as Error).message}.`,
      'Write one JSON object, e.g. {"title": "...", "description": "..."}.',
      { cause },
    )
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw new library.TextrecError(
      'RECORD_INVALID',
      `${name} holds no JSON object.`,
      'Write one, e.g. {"title": "...", "description": "..."}.',
    )
  }
  return value
}

/** The item that a JSON file describes: the library checks it. */
export async function readNewItem(library: Library, file: string): Promise<NewItem> {
  return (await readJsonObject(library, file)) as NewItem
}

/** Passes bytes on and tells how many have come; nobody knows how many will. */
function counting(onProgress: OnProgress | undefined): Transform {
  let done = 0
  return new Transform({
    transform(chunk: Buffer, _encoding, next) {
      done += chunk.length
      onProgress?.({ stage: 'read standard input', done, unit: 'bytes' })
      next(null, chunk)
    },
  })
}

type FileSources = Pick<ImportSources, 'format' | 'map' | 'rejects'> & {
  readonly [K in 'items' | 'reviews' | 'interactions']: readonly string[]
}

/**
 * Imports files; the one called - is standard input, which is put in a temporary file first: a pipe cannot be
 * read twice, and an import that is cut off half-way is better repeated from a file.
 */
export async function importWithStandardInput(
  project: Recommender,
  sources: FileSources,
  options: ImportOptions,
): Promise<ImportReport> {
  const { items, reviews, interactions } = sources
  if (![...items, ...reviews, ...interactions].includes('-')) return project.import(sources, options)
  const folder = await mkdtemp(join(tmpdir(), 'textrec-'))
  try {
    const spooled = join(folder, 'stdin')
    await pipeline(process.stdin, counting(options.onProgress), createWriteStream(spooled), {
      signal: options.signal,
    })
    const named = (paths: readonly string[]) => paths.map((path) => (path === '-' ? spooled : path))
    const report = await project.import(
      { ...sources, items: named(items), reviews: named(reviews), interactions: named(interactions) },
      options,
    )
    return {
      ...report,
      files: report.files.map((file) => (file.path === spooled ? { ...file, path: '-' } : file)),
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
