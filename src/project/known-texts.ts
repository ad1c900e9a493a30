import { type Encoder, embedTexts } from '../encode/index.js'
import { throwIfAborted } from '../errors.js'
import { type Evidence, type HeldOut, requireNoLeak } from '../evaluate/index.js'
import { matrix, row } from '../math/matrix.js'
import { itemDocument, reviewDocument } from '../profile/documents.js'
import { type ItemSource, type Store, textHash } from '../store/index.js'
import type { InteractionTable, ItemKey, Matrix, OnProgress } from '../types.js'
import { allTexts, type ItemTexts, profileRows, textsOf } from './item-vectors.js'

/** Items whose reviews are in memory at a time. */
const ITEMS_AT_A_TIME = 1024

export interface KnownTextsSource {
  readonly store: Store
  /** Fingerprint under which the text vectors are cached. */
  readonly fingerprint: string
  readonly dim: number
  /** Opened only if a text has no cached vector yet. */
  readonly encoder: () => Promise<Encoder>
  readonly signal?: AbortSignal
  readonly onProgress?: OnProgress
}

/**
 * The texts of a catalogue as somebody may know them who does not know what a split holds out: reviews by the
 * people under test on what they are asked for, and reviews written after the moment of a split, are left out
 * before anything is weighed, so that the age of a review too is its age at the split.
 */
export class KnownTexts {
  private readonly users: ReadonlyMap<string, number>

  /** @param table numbers people and items; the whole table of the split. */
  constructor(
    private readonly source: KnownTextsSource,
    private readonly table: InteractionTable,
  ) {
    this.users = new Map(table.userIds.map((id, user) => [id, user]))
  }

  /** Whether people wrote any of the texts. */
  get hasReviews(): boolean {
    return this.source.store.counts().reviews > 0
  }

  /**
   * [items, dim] one unit row per item of the table, zeros where no text is known.
   * @param keep which reviews go in: what the split allows. The guard looks at what went in, whatever this says.
   * @throws LEAK_FOUND
   */
  async vectors(heldOut: HeldOut, keep = (review: Evidence) => heldOut.allows(review)): Promise<Matrix> {
    const { dim, signal, onProgress } = this.source
    const result = matrix(this.table.itemIds.length, dim)
    for (const { items, places } of this.chunks(keep)) {
      const texts = items.map(textsOf)
      requireNoLeak(heldOut, this.evidence(texts, places), 'An item vector', this.table)
      const rows = profileRows(texts, await this.embedded(texts.flatMap(allTexts)))
      for (const [i, { vector }] of rows.entries())
        if (vector !== undefined) row(result, places[i]).set(vector)
      throwIfAborted(signal, 'The evaluation')
      onProgress?.({
        stage: 'texts known at the split',
        done: places[places.length - 1] + 1,
        total: result.rows,
        unit: 'items',
      })
    }
    return result
  }

  /** [items] all words that are known about each item, for rankers that read words; and what to ask by: titles. */
  documents(heldOut: HeldOut): { readonly documents: string[]; readonly queries: string[] } {
    const documents = new Array<string>(this.table.itemIds.length).fill('')
    const queries = [...documents]
    for (const { items, places } of this.chunks((review) => heldOut.allows(review))) {
      for (const [i, item] of items.entries()) {
        const parts = [itemDocument(item), ...item.reviews.map(reviewDocument)].filter((part) => part !== '')
        documents[places[i]] = parts.join('\n')
        queries[places[i]] = item.title ?? parts[0] ?? ''
      }
    }
    return { documents, queries }
  }

  private *chunks(keep: (review: Evidence) => boolean) {
    const { store } = this.source
    const keys = store.itemKeys(this.table.itemIds)
    const placeOf = new Map<ItemKey, number>()
    for (const [place, key] of keys.entries()) if (key !== undefined) placeOf.set(key, place)
    const all = [...placeOf.keys()]
    for (let start = 0; start < all.length; start += ITEMS_AT_A_TIME) {
      const found = store.itemSources(all.slice(start, start + ITEMS_AT_A_TIME))
      const places = found.map(({ key }) => placeOf.get(key) as number)
      const items = found.map((item, i): ItemSource => {
        const reviews = item.reviews.filter((review) => keep(this.evidenceOf(review, places[i])))
        return { ...item, reviews }
      })
      if (items.length > 0) yield { items, places }
    }
  }

  private *evidence(items: readonly ItemTexts[], places: readonly number[]): Generator<Evidence> {
    for (const [i, { reviews }] of items.entries()) {
      for (const { review } of reviews) yield this.evidenceOf(review, places[i])
    }
  }

  private evidenceOf(review: ItemSource['reviews'][number], item: number): Evidence {
    return { user: this.users.get(review.userId) ?? -1, item, time: review.time }
  }

  /** Text vectors from the cache. What is missing there, such as reviews that were too many until now, is encoded. */
  private async embedded(texts: readonly string[]): Promise<Matrix> {
    const { store, fingerprint, dim, signal, onProgress } = this.source
    const hashes = texts.map(textHash)
    let vectors = store.embeddings(fingerprint, hashes)
    const missing = texts.filter((_, i) => vectors[i] === undefined)
    if (missing.length > 0) {
      await embedTexts(store, await this.source.encoder(), missing, { signal, onProgress })
      vectors = store.embeddings(fingerprint, hashes)
    }
    const result = matrix(texts.length, dim)
    for (const [i, vector] of vectors.entries()) if (vector !== undefined) row(result, i).set(vector)
    return result
  }
}
