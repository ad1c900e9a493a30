import { addScaled, length } from '../math/matrix.js'
import type { LikedReason, Reasons } from '../types.js'
import { innerProduct } from '../vector-index/rows.js'
import { centreOf } from './scale.js'
import { type SentenceSource, sentenceReasons } from './sentences.js'
import { signalsWithVectors, type Taste, type TasteSource, textWeightFor } from './taste.js'

/** So many likes and so many sentences are named. */
const MOST_LIKES = 5
const MOST_SENTENCES = 3
/** Where signals are left out one by one, only so many of the newest are. */
const MOST_LEFT_OUT = 50

export type ExplainSource = Pick<TasteSource, 'crowd' | 'index' | 'sample'> & SentenceSource

/** Why each item suits the person; see Reasons. Somebody without any signal has no reasons but popularity. */
export async function reasonsFor(
  source: ExplainSource,
  taste: Taste,
  keys: readonly number[],
  signal?: AbortSignal,
): Promise<Reasons[]> {
  const likes = await likedReasons(source, taste, keys)
  const scoreFor = (key: number) => (vector: Float32Array | undefined) => {
    if (vector === undefined || taste.vector === undefined) return 0
    return (
      (textWeightFor(taste, key) * (innerProduct(taste.vector, vector, 0) - taste.mean)) / taste.deviation
    )
  }
  const reasons: Reasons[] = []
  for (const [i, key] of keys.entries()) {
    const sentences =
      taste.vector === undefined
        ? []
        : await sentenceReasons(source, key, scoreFor(key), MOST_SENTENCES, signal)
    reasons.push({ likes: likes[i], sentences })
  }
  return reasons
}

/** Per item: what each signal (by its key) adds to the score. */
type Parts = readonly Map<number | undefined, number>[]

/** What each liked thing adds to an item's score: to the half that text gives, and to that of the interactions. */
async function likedReasons(
  source: ExplainSource,
  taste: Taste,
  keys: readonly number[],
): Promise<LikedReason[][]> {
  const parts: Parts = keys.map(() => new Map())
  if (source.space.basis === 'frozen text') addTextParts(source, taste, keys, parts)
  else await addTextDrops(source, taste, keys, parts)
  addCrowdParts(source, taste, keys, parts)
  return parts.map((all) => largestShares(all, taste, source.store))
}

function add(parts: Parts, item: number, from: number | undefined, part: number): void {
  parts[item].set(from, (parts[item].get(from) ?? 0) + part)
}

/**
 * Exact: the person's vector is a weighted sum, so its inner product with the item is a sum over signals, each
 * measured against the average item. Added up, that is the standardised text score.
 */
function addTextParts(
  { index, sample }: ExplainSource,
  taste: Taste,
  keys: readonly number[],
  parts: Parts,
): void {
  if (taste.vector === undefined) return
  const sum = new Float32Array(index.dim)
  const signals = signalsWithVectors(index, taste.signals)
  for (const { vector, weight } of signals) addScaled(sum, vector, weight)
  const scale = 1 / taste.deviation / length(sum)
  const centre = centreOf(sample, taste.seen)
  for (const [i, key] of keys.entries()) {
    const vector = index.vector(key)
    if (vector === undefined) continue
    for (const one of signals) {
      const near = innerProduct(one.vector, vector, 0) - innerProduct(one.vector, centre, 0)
      add(parts, i, one.key, textWeightFor(taste, key) * one.weight * near * scale)
    }
  }
}

/** An adapter's person is no sum: each of the newest signals is left out in turn, and the score falls or does not. */
async function addTextDrops(
  { index, space }: ExplainSource,
  taste: Taste,
  keys: readonly number[],
  parts: Parts,
): Promise<void> {
  if (taste.vector === undefined) return
  const vectors = keys.map((key) => index.vector(key))
  const scales = keys.map((key) => textWeightFor(taste, key) / taste.deviation)
  const signals = signalsWithVectors(index, taste.signals)
  for (let at = Math.max(0, signals.length - MOST_LEFT_OUT); at < signals.length; at++) {
    const without = await space.person(signals.filter((_, i) => i !== at))
    for (const [i, vector] of vectors.entries()) {
      if (vector === undefined) continue
      const rest = without === undefined ? 0 : innerProduct(without, vector, 0)
      add(parts, i, signals[at].key, scales[i] * (innerProduct(taste.vector, vector, 0) - rest))
    }
  }
}

/** Exact: item-item scores are sums over what was liked, measured against the average item that is known. */
function addCrowdParts({ crowd }: ExplainSource, taste: Taste, keys: readonly number[], parts: Parts): void {
  const { opinions } = taste
  if (taste.basis === 'popular' || opinions === undefined || crowd.scorer === undefined) return
  const unseen = Array.from(crowd.keys.keys()).filter((at) => !taste.seen.has(crowd.keys[at]))
  let weight = taste.crowdWeight / opinions.deviation
  for (const liked of [...taste.liked].reverse()) {
    const from = crowd.position(liked)
    if (from === -1) continue
    const scores = crowd.scorer.scoresOf({ items: Int32Array.of(from) })
    const mean = unseen.reduce((sum, at) => sum + scores[at], 0) / Math.max(1, unseen.length)
    for (const [i, key] of keys.entries()) {
      const at = crowd.position(key)
      if (at !== -1) add(parts, i, liked, weight * (scores[at] - mean))
    }
    weight *= crowd.scorer.parameters.recency
  }
}

function largestShares(
  parts: ReadonlyMap<number | undefined, number>,
  taste: Taste,
  store: ExplainSource['store'],
): LikedReason[] {
  const positive = [...parts].filter(([, part]) => part > 0)
  const total = positive.reduce((sum, [, part]) => sum + part, 0)
  const named = positive
    .filter(([key]) => key === undefined || taste.liked.has(key))
    .sort((a, b) => b[1] - a[1] || (a[0] ?? 0) - (b[0] ?? 0))
    .slice(0, MOST_LIKES)
  const items = store.items(named.map(([key]) => key ?? 0))
  return named.map(([, part], i) => {
    const item = items[i]
    const title = item?.title === undefined ? {} : { title: item.title }
    return { ...(item === undefined ? {} : { itemId: item.id, ...title }), share: part / total }
  })
}
