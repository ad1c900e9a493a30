import { readFile } from 'node:fs/promises'
import type { Library } from '../shell.js'

/** What the demo knows of a book of the built-in sample, read from the sample's own file. */
export interface Book {
  readonly id: string
  readonly title: string
  readonly author: string
  readonly genres: readonly string[]
  readonly description: string
}

export interface Opinion {
  readonly user_id: string
  readonly item_id: string
  readonly rating: number
}

export interface Bookshelf {
  readonly books: readonly Book[]
  readonly opinions: readonly Opinion[]
}

export async function readBookshelf(library: Library): Promise<Bookshelf> {
  const { items, reviews } = library.sampleFiles()
  return { books: await readLines<Book>(items), opinions: await readLines<Opinion>(reviews) }
}

async function readLines<T>(path: string): Promise<T[]> {
  const text = await readFile(path, 'utf8')
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T)
}
