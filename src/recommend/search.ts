import type { Encoder } from '../encode/index.js'
import { row } from '../math/matrix.js'
import type { Store } from '../store/index.js'
import type { Answer } from '../types.js'
import type { VectorIndex } from '../vector-index/index.js'
import { type Scored, toAnswer } from './answers.js'
import { reciprocalRankFusion } from './fusion.js'
import type { Space } from './space.js'

export interface SearchQuestion {
  readonly k: number
  readonly mode: 'hybrid' | 'vector' | 'text'
  readonly allowed?: Int32Array
  readonly signal?: AbortSignal
}

/** How deep each list is read before two are fused: a hit at rank 100 of both adds less than one at rank 1 of one. */
const DEPTH = 100

/** What an answer is searched in. The encoder is asked for only when meaning counts. */
export interface Searchable {
  readonly store: Store
  readonly index: VectorIndex
  readonly space: Space
  readonly encoder: () => Promise<Encoder>
}

/**
 * Items for a free text: by meaning (vectors), by words (BM25 over title, description and reviews), or both
 * fused by reciprocal rank. An empty text matches nothing.
 */
export async function searchCatalogue(
  where: Searchable,
  query: string,
  question: SearchQuestion,
): Promise<Answer> {
  const { k, mode } = question
  if (query.trim() === '') return { basis: where.space.basis, items: [] }
  const depth = mode === 'hybrid' ? Math.max(DEPTH, k) : k
  const byMeaning = mode === 'text' ? undefined : await searchVectors(where, query, depth, question)
  const byWords = mode === 'vector' ? undefined : where.store.searchText(query, depth, question.allowed)
  const lists = [byMeaning, byWords].filter((list) => list !== undefined)
  const found =
    lists.length === 1
      ? lists[0]
      : reciprocalRankFusion(
          lists.map((list) => ({ list, weight: 1 })),
          k,
        )
  return toAnswer(where.store, where.space.basis, found)
}

async function searchVectors(
  where: Searchable,
  query: string,
  k: number,
  question: SearchQuestion,
): Promise<Scored> {
  const encoder = await where.encoder()
  const texts = await encoder.encode([query], { kind: 'query', signal: question.signal })
  const vectors = await where.space.fromText(texts, [undefined])
  return where.index.search(row(vectors, 0), k, { allowed: question.allowed })
}
