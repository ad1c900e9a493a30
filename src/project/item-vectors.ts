import { createHash } from 'node:crypto'
import { type Encoder, embedTexts, lookupTexts } from '../encode/index.js'
import { throwIfAborted } from '../errors.js'
import { matrix, row } from '../math/matrix.js'
import { itemDocument, reviewDocument } from '../profile/documents.js'
import { chooseReviews, itemProfile, PROFILE_DEFAULTS, PROFILE_VERSION } from '../profile/item-profile.js'
import type { Space } from '../recommend/space.js'
import { type ItemSource, type ItemVectorRow, type Store, textHash } from '../store/index.js'
import type { ItemKey, Matrix } from '../types.js'
import type { LongRun } from './defaults.js'

/** Everything that decides an item's text vector, in one name: encoder, graph variant, profile. */
export function textSpace(encoder: Encoder): string {
  const profile = createHash('sha256')
    .update(JSON.stringify([PROFILE_VERSION, PROFILE_DEFAULTS]))
    .digest('hex')
    .slice(0, 8)
  return `${encoder.fingerprint}/profile-${profile}`
}

/** The texts that make one item's vector: its own (if any), and those of the reviews that count. */
export interface ItemTexts {
  readonly source: ItemSource
  readonly document: string
  /** Written reviews that are not among `reviews`. */
  readonly leftOut: number
  readonly reviews: readonly { readonly review: ItemSource['reviews'][number]; readonly text: string }[]
}

export function textsOf(source: ItemSource): ItemTexts {
  const written = source.reviews
    .map((review) => ({ ...review, document: reviewDocument(review) }))
    .filter(({ document }) => document !== '')
  const chosen = chooseReviews(written)
  return {
    source,
    document: itemDocument(source),
    leftOut: written.length - chosen.length,
    reviews: chosen.map(({ review }) => ({ review, text: review.document })),
  }
}

export const allTexts = ({ document, reviews }: ItemTexts): string[] => [
  ...(document === '' ? [] : [document]),
  ...reviews.map(({ text }) => text),
]

export interface VectorReport {
  readonly items: number
  /** Items about which no text is known: they have no vector. */
  readonly withoutText: number
  readonly texts: number
  /** Texts that had to be encoded; the others were known from before. */
  readonly encoded: number
  /** Texts longer than the encoder reads at once, encoded in overlapping windows. */
  readonly split: number
  /** Texts so long that evenly spread windows stand for the whole. */
  readonly sampled: number
  /** Reviews beyond the most telling ones of their item (PROFILE_DEFAULTS.reviewsPerItem), not encoded. */
  readonly reviewsLeftOut: number
  readonly tokens: number
}

const NOTHING = { withoutText: 0, texts: 0, encoded: 0, split: 0, sampled: 0, reviewsLeftOut: 0, tokens: 0 }

/** Items whose texts are gathered at a time: enough for batches of like length, few enough for memory. */
const ITEMS_AT_A_TIME = 4096

/**
 * Brings the text vectors of all items up to date in planned, resumable batches. What is finished stays
 * finished: after a kill at any moment, the next call goes on from there.
 */
export async function updateItemVectors(
  store: Store,
  encoder: Encoder,
  { signal, onProgress }: LongRun = {},
): Promise<VectorReport> {
  const space = textSpace(encoder)
  const stale = store.staleItems(space)
  const report = { ...NOTHING, items: stale.length }
  let known = 0
  for (let start = 0; start < stale.length; start += ITEMS_AT_A_TIME) {
    const chunk = stale.slice(start, start + ITEMS_AT_A_TIME)
    const part = await vectorsOfItems(store, encoder, chunk, {
      signal,
      onProgress: ({ done, total = 0, share = 0, ...progress }) =>
        onProgress?.({
          ...progress,
          done: known + done,
          // How many texts the later items have is not known yet: about as many as these.
          total: Math.round(((known + total) * stale.length) / (start + chunk.length)),
          share: (start + share * chunk.length) / stale.length,
        }),
    })
    known += part.texts
    for (const name of Object.keys(part) as (keyof typeof part)[]) report[name] += part[name]
  }
  return report
}

async function vectorsOfItems(
  store: Store,
  encoder: Encoder,
  keys: readonly ItemKey[],
  options: LongRun,
): Promise<Omit<VectorReport, 'items'>> {
  const items = store.itemSources(keys).map(textsOf)
  const texts = items.flatMap(allTexts)
  const embedded = await embedTexts(store, encoder, texts, options)
  const rows = profileRows(items, lookupTexts(store, encoder, texts))
  store.putItemVectors(textSpace(encoder), rows)
  return {
    withoutText: rows.filter(({ vector }) => vector === undefined).length,
    texts: texts.length,
    encoded: embedded.encoded,
    split: embedded.split,
    sampled: embedded.sampled,
    reviewsLeftOut: items.reduce((sum, { leftOut }) => sum + leftOut, 0),
    tokens: embedded.tokens,
  }
}

/** @param vectors one row per text, in the order of `allTexts` over `items`. */
export function profileRows(items: readonly ItemTexts[], vectors: Matrix): ItemVectorRow[] {
  let next = 0
  return items.map(({ source, document, reviews }) => {
    const description = document === '' ? undefined : row(vectors, next++)
    const evidence = reviews.map(({ review }) => ({ ...review, vector: row(vectors, next++) }))
    return { key: source.key, textVersion: source.textVersion, vector: itemProfile(description, evidence) }
  })
}

/** A space other than the encoder's own in which items are served: what an adapter makes of their texts. */
export interface ServedSpace {
  /** Fingerprint of encoder, profile and adapter. */
  readonly space: string
  readonly from: Space
}

/** Brings the vectors of a served space up to date; those of the text space must be. Resumable, like that. */
export async function updateServedVectors(
  store: Store,
  encoder: Encoder,
  served: ServedSpace,
  { signal, onProgress }: LongRun = {},
): Promise<void> {
  const stale = store.staleItems(served.space)
  for (let start = 0; start < stale.length; start += ITEMS_AT_A_TIME) {
    throwIfAborted(signal, 'Indexing')
    const items = store.itemSources(stale.slice(start, start + ITEMS_AT_A_TIME)).map(textsOf)
    const rows = profileRows(items, lookupTexts(store, encoder, items.flatMap(allTexts)))
    store.putItemVectors(served.space, await servedRows(items, rows, encoder.dim, served))
    const done = Math.min(stale.length, start + ITEMS_AT_A_TIME)
    onProgress?.({ stage: 'adapt', done, total: stale.length, unit: 'items' })
  }
}

/** The same items in a served space. An item without text may have a vector there, from its interactions. */
async function servedRows(
  items: readonly ItemTexts[],
  rows: readonly ItemVectorRow[],
  textDim: number,
  { from }: ServedSpace,
): Promise<ItemVectorRow[]> {
  const texts = matrix(rows.length, textDim)
  for (const [i, { vector }] of rows.entries()) if (vector !== undefined) row(texts, i).set(vector)
  const vectors = await from.fromText(
    texts,
    items.map(({ source }) => source.id),
  )
  return rows.map((text, i) => {
    const vector = row(vectors, i).slice()
    return { ...text, vector: vector.some((value) => value !== 0) ? vector : undefined }
  })
}

/**
 * Gives the named items their vectors at once, outside of any plan: for a handful of items just changed.
 * Texts that were encoded before are taken from the store. The vectors are written in one transaction.
 * @param isServed asked inside that transaction whether these spaces still serve
 * @returns how many items were brought up to date; undefined if the spaces serve no more, and nothing was written
 */
export async function encodeNow(
  store: Store,
  encoder: Encoder,
  ids: readonly string[],
  served: ServedSpace | undefined,
  isServed: () => boolean,
  { signal, onProgress }: LongRun = {},
): Promise<number | undefined> {
  const space = textSpace(encoder)
  const named = store.itemKeys(ids).filter((key) => key !== undefined)
  const stale = new Set(store.staleItemsAmong(space, named))
  if (served !== undefined) for (const key of store.staleItemsAmong(served.space, named)) stale.add(key)
  const keys = named.filter((key) => stale.has(key))
  if (keys.length === 0) return isServed() ? 0 : undefined
  const items = store.itemSources(keys).map(textsOf)
  const texts = items.flatMap(allTexts)
  const hashes = texts.map(textHash)
  const known = store.embeddings(encoder.fingerprint, hashes)
  const missing = [...new Set(texts.filter((_, i) => known[i] === undefined))]
  if (missing.length > 0) {
    const vectors = await encoder.encode(missing, { kind: 'passage', signal, onProgress })
    store.putEmbeddings(encoder.fingerprint, missing.map(textHash), vectors)
  }
  const rows = profileRows(items, lookupTexts(store, encoder, texts))
  const adapted = served === undefined ? undefined : await servedRows(items, rows, encoder.dim, served)
  return store.atomically(() => {
    if (!isServed()) return undefined
    store.putItemVectors(space, rows)
    if (served !== undefined && adapted !== undefined) store.putItemVectors(served.space, adapted)
    return keys.length
  })
}

/** The vector of an item that is not stored: encoded now, nothing written. Undefined if it has no text. */
export async function vectorOfNewItem(
  encoder: Encoder,
  item: Pick<ItemSource, 'title' | 'description' | 'attributes'>,
  reviews: readonly {
    readonly title?: string
    readonly text?: string
    readonly rating?: number
    readonly time?: number
    readonly helpful?: number
  }[],
  signal?: AbortSignal,
): Promise<Float32Array | undefined> {
  const document = itemDocument(item)
  const written = reviews
    .map((review) => ({ ...review, document: reviewDocument(review) }))
    .filter((review) => review.document !== '')
  const texts = [...(document === '' ? [] : [document]), ...written.map((review) => review.document)]
  if (texts.length === 0) return undefined
  const vectors = await encoder.encode(texts, { kind: 'passage', signal })
  const first = document === '' ? 0 : 1
  return itemProfile(
    first === 1 ? row(vectors, 0) : undefined,
    written.map((review, i) => ({ ...review, vector: row(vectors, first + i) })),
  )
}
