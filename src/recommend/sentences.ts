import type { Encoder } from '../encode/index.js'
import { matrix, row } from '../math/matrix.js'
import { itemDocument, reviewDocument } from '../profile/documents.js'
import { chooseReviews, itemProfile } from '../profile/item-profile.js'
import { type ItemSource, type Store, textHash } from '../store/index.js'
import type { Matrix, SentenceReason } from '../types.js'
import type { Space } from './space.js'

/** Reviews that are looked into sentence by sentence: those without which the score falls most. */
const REVIEWS_LOOKED_INTO = 4
/** Of a very long text only so many sentences are tried, from its beginning. */
const SENTENCES_PER_TEXT = 40

export interface SentenceSource {
  readonly store: Store
  readonly space: Space
  readonly encoder: () => Promise<Encoder>
}

/** One sentence and the text in which it stands. */
interface Place {
  readonly sentence: string
  /** The text without it. */
  readonly rest: string
  /** Which review of the item; undefined for the description. */
  readonly review: number | undefined
}

/**
 * The sentences of an item's description and reviews that bring it near a person, found by leaving out: each
 * sentence is taken out of its text, the text is encoded again, the item's vector is put together again, and the
 * score falls (or does not). So `drop` is what would really happen. Sentences that do not lower the score are
 * not named, and the same words once. Costs one encoding per sentence looked at.
 * @param score of an item vector for the person; of undefined for an item without any text
 */
export async function sentenceReasons(
  { encoder: openEncoder, space, store }: SentenceSource,
  key: number,
  score: (vector: Float32Array | undefined) => number,
  count: number,
  signal?: AbortSignal,
): Promise<SentenceReason[]> {
  const source = store.itemSources([key])[0]
  if (source === undefined) return []
  const encoder = await openEncoder()
  const texts = new Texts(store, encoder, signal)
  const item = await assemble(source, texts)
  const scoreWith = async (profiles: readonly (Float32Array | undefined)[]) => {
    const vectors = await toSpace(space, profiles, source.id)
    return vectors.map(score)
  }
  const [whole, ...withoutReview] = await scoreWith([
    item.profile(),
    ...item.reviews.map((_, i) => item.profile({ review: i })),
  ])
  const looked = Array.from(item.reviews.keys())
    .filter((i) => withoutReview[i] < whole)
    .sort((a, b) => withoutReview[a] - withoutReview[b] || a - b)
    .slice(0, REVIEWS_LOOKED_INTO)
  const places: Place[] = [
    ...sentencesOf(source.description ?? '').map((part) => ({ ...part, review: undefined })),
    ...looked.flatMap((review) =>
      sentencesOf(item.reviews[review].text ?? '').map((part) => ({ ...part, review })),
    ),
  ]
  const changed = places.map(({ rest, review }) =>
    review === undefined
      ? itemDocument({ ...source, description: rest })
      : reviewDocument({ title: item.reviews[review].title, text: rest }),
  )
  const vectors = await texts.vectors(changed)
  const scores = await scoreWith(
    places.map(({ review }, i) =>
      item.profile({ review, vector: vectors[i], description: review === undefined }),
    ),
  )
  return places
    .map(({ sentence, review }, i) => ({
      text: sentence,
      source: review === undefined ? ('description' as const) : ('review' as const),
      drop: whole - scores[i],
    }))
    .filter(({ drop }) => drop > 0)
    .sort((a, b) => b.drop - a.drop)
    .filter(({ text }, i, all) => all.findIndex((one) => one.text === text) === i)
    .slice(0, count)
}

/** The sentences of a text, each exactly as it stands there, with the text that is left without it. */
export function sentencesOf(text: string): { readonly sentence: string; readonly rest: string }[] {
  const segments = new Intl.Segmenter('en', { granularity: 'sentence' }).segment(text)
  return Array.from(segments)
    .filter(({ segment }) => /\p{L}{2}/u.test(segment))
    .slice(0, SENTENCES_PER_TEXT)
    .map(({ segment, index }) => ({
      sentence: segment.trim(),
      rest: text.slice(0, index) + text.slice(index + segment.length),
    }))
}

/** An item taken apart, so that its vector can be put together without some of it. */
async function assemble(source: ItemSource, texts: Texts) {
  const written = source.reviews
    .map((review) => ({ ...review, document: reviewDocument(review) }))
    .filter(({ document }) => document !== '')
  const reviews = chooseReviews(written).map(({ review }) => review)
  const [own, ...others] = await texts.vectors([
    itemDocument(source),
    ...reviews.map((review) => review.document),
  ])
  /** The vector with one text replaced (or left out, where `vector` is undefined). */
  const profile = (change?: {
    readonly review?: number
    readonly description?: boolean
    readonly vector?: Float32Array
  }): Float32Array | undefined => {
    const description = change?.description ? change.vector : own
    const evidence = reviews.flatMap((review, i) => {
      const vector = change?.review === i ? change.vector : others[i]
      return vector === undefined ? [] : [{ ...review, vector }]
    })
    return itemProfile(description, evidence)
  }
  return { reviews, profile }
}

async function toSpace(
  space: Space,
  profiles: readonly (Float32Array | undefined)[],
  itemId: string,
): Promise<(Float32Array | undefined)[]> {
  const known = profiles.filter((profile) => profile !== undefined)
  if (known.length === 0) return [...profiles]
  const texts: Matrix = matrix(known.length, known[0].length)
  known.forEach((profile, i) => {
    row(texts, i).set(profile)
  })
  const vectors = await space.fromText(
    texts,
    Array.from(known, () => itemId),
  )
  let next = 0
  return profiles.map((profile) => (profile === undefined ? undefined : row(vectors, next++)))
}

/** Vectors of texts: the stored one where there is one, else encoded now and not stored. */
class Texts {
  constructor(
    private readonly store: Store,
    private readonly encoder: Encoder,
    private readonly signal: AbortSignal | undefined,
  ) {}

  /** [texts] undefined for an empty text. */
  async vectors(texts: readonly string[]): Promise<(Float32Array | undefined)[]> {
    const stored = this.store.embeddings(this.encoder.fingerprint, texts.map(textHash))
    const missing = [...new Set(texts.filter((text, i) => text !== '' && stored[i] === undefined))]
    const encoded =
      missing.length === 0
        ? undefined
        : await this.encoder.encode(missing, { kind: 'passage', signal: this.signal })
    const place = new Map(missing.map((text, i) => [text, i]))
    return texts.map((text, i) => {
      if (text === '') return undefined
      return stored[i] ?? row(encoded as Matrix, place.get(text) as number)
    })
  }
}
