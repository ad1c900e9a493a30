import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll } from 'vitest'
import { isTextrecError } from '#src/errors.js'
import type { Matrix } from '#src/types.js'

const folders: string[] = []
afterAll(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

/** An empty folder that is gone after the file's tests. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'textrec-encode-'))
  folders.push(folder)
  return folder
}

/** The code of the TextrecError that `work` ends with; undefined if it ends well. */
export async function codeOf(work: () => unknown): Promise<string | undefined> {
  try {
    await work()
    return undefined
  } catch (error) {
    if (!isTextrecError(error)) throw error
    return error.code
  }
}

export function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0
  let aa = 0
  let bb = 0
  for (let i = 0; i < a.length; i++) {
    sum += a[i] * b[i]
    aa += a[i] * a[i]
    bb += b[i] * b[i]
  }
  return sum / Math.sqrt(aa * bb)
}

export function rowsOf(m: Matrix): Float32Array[] {
  return Array.from({ length: m.rows }, (_, i) => m.data.subarray(i * m.dim, (i + 1) * m.dim))
}

const lines = (path: URL) => readFileSync(path, 'utf8').trim().split('\n')

/** 200 texts of some 5 to 90 words: real reviews where the shared data is, else those of the built-in sample. */
export function realTexts(): { readonly texts: string[]; readonly from: string } {
  const shared = new URL('../../../shared/data/amazon-all-beauty/All_Beauty_5.json.gz', import.meta.url)
  const sample = new URL('../../src/sample/', import.meta.url)
  const books = lines(new URL('books.jsonl', sample)).map((line) => JSON.parse(line))
  const own = [
    ...books.map((book) => `${book.title}. ${book.description}`),
    ...lines(new URL('reviews.jsonl', sample)).map((line) => JSON.parse(line).text as string),
  ]
  if (!existsSync(shared)) return { texts: own.slice(0, 200), from: 'the built-in sample' }
  const reviews = gunzipSync(readFileSync(shared)).toString().trim().split('\n')
  const real = reviews
    .map((line) => JSON.parse(line).reviewText as string | undefined)
    .filter((text): text is string => text !== undefined && text.length > 20 && text.length < 500)
  return {
    texts: [...[...new Set(real)].slice(0, 120), ...own.slice(0, 80)],
    from: 'shared reviews and the sample',
  }
}
