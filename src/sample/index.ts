import { fileURLToPath } from 'node:url'
import { packageFile } from '../package.js'

/** Paths of the built-in sample, a bookshelf with reviews: JSON lines for `import({ items, reviews })`. */
export function sampleFiles(): { readonly items: string; readonly reviews: string } {
  return {
    items: fileURLToPath(packageFile('src/sample/books.jsonl')),
    reviews: fileURLToPath(packageFile('src/sample/reviews.jsonl')),
  }
}
