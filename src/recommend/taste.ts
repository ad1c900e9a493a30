import type { Basis } from '../types.js'
import type { VectorIndex } from '../vector-index/index.js'
import type { Crowd, Opinions } from './crowd.js'
import type { Memory } from './memory.js'
import { historyWeights, type Signal, TASTE } from './person.js'
import { type Sample, textScale } from './scale.js'
import type { ServingSettings } from './serving.js'
import type { Space } from './space.js'

/** A signal and where it comes from. Vectors of items are the index's: see `signalsWithVectors`. */
export interface NamedSignal extends Omit<Signal, 'vector'> {
  /** The item; undefined for what the person said in words. */
  readonly key: number | undefined
  /** [dim] of what was said in words. */
  readonly vector?: Float32Array
}

/** A person, ready to be ranked for. */
export interface Taste {
  readonly basis: Basis
  /** Item keys that they have, or have spoken about. */
  readonly seen: ReadonlySet<number>
  /** Item keys that they like. */
  readonly liked: ReadonlySet<number>
  readonly signals: readonly NamedSignal[]
  /** [dim] unit length; undefined where no text speaks. */
  readonly vector: Float32Array | undefined
  /** Of the text scores over the catalogue: a text score is standardised by these. */
  readonly mean: number
  readonly deviation: number
  readonly opinions: Opinions | undefined
  /** Weights of the two standardised scores; an item that one of them does not know has its mean there: 0. */
  readonly textWeight: number
  readonly crowdWeight: number
  /** What the index said about this person, where they are kept in memory. */
  readonly memory?: Memory
}

/** What tastes are made from. */
export interface TasteSource {
  readonly index: VectorIndex
  readonly space: Space
  readonly crowd: Crowd
  readonly sample: Sample
  readonly settings: ServingSettings
}

/** What somebody took, oldest first: keys, ratings or NaN, and when. */
export interface Taken {
  readonly items: Int32Array
  readonly values: Float32Array
  /** Read by an adapter that feels intervals. */
  readonly times?: Float64Array
}

/** What somebody says of themselves, beside or instead of a history. */
export interface Said {
  readonly likes: readonly number[]
  readonly dislikes: readonly number[]
  /** [dim] of the space; undefined when nothing was said in words. */
  readonly text: Float32Array | undefined
}

const NOTHING_SAID: Said = { likes: [], dislikes: [], text: undefined }

/**
 * The taste of a person. Of the history only what was liked counts (see ServingSettings.minRating), newer and
 * better rated events more. Somebody without any signal gets what is popular.
 * @param known [dim] the vector that these signals make, where it is at hand
 */
export async function tasteOf(
  source: TasteSource,
  taken: Taken,
  said: Said = NOTHING_SAID,
  known?: Float32Array,
): Promise<Taste> {
  const { crowd, sample, settings, space } = source
  const seen = new Set([...taken.items, ...said.likes, ...said.dislikes])
  const { liked, signals } = signalsOf(source, taken, said)
  const vector = known ?? (await space.person(signalsWithVectors(source.index, signals)))
  const share = settings.collaborativeShare
  const opinions = share > 0 ? crowd.opinionsFor(liked, seen) : undefined
  const common = { seen, liked, signals, vector }
  if (vector === undefined && opinions === undefined) {
    const popular = { opinions: crowd.popularity, textWeight: 0, crowdWeight: 1 }
    return { ...common, ...popular, basis: 'popular', vector: undefined, mean: 0, deviation: 1 }
  }
  const scale = vector === undefined ? { mean: 0, deviation: 1 } : textScale(sample, vector, seen)
  if (opinions === undefined) {
    return { ...common, ...scale, basis: space.basis, opinions, textWeight: 1, crowdWeight: 0 }
  }
  const textWeight = vector === undefined ? 0 : 1 - share
  return { ...common, ...scale, basis: 'fused', opinions, textWeight, crowdWeight: 1 - textWeight }
}

/** [people] what is liked in a history, and the vector: the parts of a taste from which the rest follows. */
export async function tasteParts(
  source: TasteSource,
  people: readonly Taken[],
): Promise<Pick<Taste, 'liked' | 'vector'>[]> {
  const parts = people.map((taken) => signalsOf(source, taken, NOTHING_SAID))
  const vectors = await source.space.people(
    parts.map(({ signals }) => signalsWithVectors(source.index, signals)),
  )
  return parts.map(({ liked }, i) => ({ liked, vector: vectors[i] }))
}

/** The same signals, each with its vector as it is now; without those of items that have none any more. */
export function signalsWithVectors(
  index: VectorIndex,
  signals: readonly NamedSignal[],
): (NamedSignal & Signal)[] {
  return signals.flatMap((signal) => {
    const vector = signal.key === undefined ? signal.vector : index.vector(signal.key)
    return vector === undefined ? [] : [{ ...signal, vector }]
  })
}

function signalsOf(
  { crowd, index, settings }: TasteSource,
  taken: Taken,
  said: Said,
): Pick<Taste, 'liked' | 'signals'> {
  const latest = latestValues(taken)
  const liked = new Set<number>()
  const signals: NamedSignal[] = []
  const add = (key: number, weight: number, event = false, time?: number) => {
    if (weight !== 0 && index.has(key)) signals.push({ key, weight, event, time })
  }
  const weights = historyWeights(latest.values, crowd.range, settings.decay)
  latest.items.forEach((key, i) => {
    if (!crowd.isLiked(latest.values[i])) return
    liked.add(key)
    add(key, weights[i], true, latest.times?.[i])
  })
  for (const key of said.likes) {
    liked.add(key)
    add(key, 1, false)
  }
  for (const key of said.dislikes) {
    liked.delete(key)
    add(key, -TASTE.dislike, false)
  }
  if (said.text !== undefined) signals.push({ key: undefined, vector: said.text, weight: TASTE.text })
  return { liked, signals }
}

/** Each item once, at its last event; the rest keep their order. */
function latestValues({ items, values, times }: Taken): Taken {
  const last = new Map<number, number>()
  items.forEach((key, i) => {
    last.set(key, i)
  })
  const kept = Array.from(items.keys()).filter((i) => last.get(items[i]) === i)
  return {
    items: Int32Array.from(kept, (i) => items[i]),
    values: Float32Array.from(kept, (i) => values[i]),
    times: times && Float64Array.from(kept, (i) => times[i]),
  }
}

/**
 * How much text counts for one item: an item without interactions has no opinion of others, so the text says it
 * all. (Taking the missing opinion for an average one would bury new items; see fuseScores.)
 */
export function textWeightFor(taste: Taste, key: number): number {
  const isUnknown = taste.textWeight > 0 && taste.opinions?.knows(key) === false
  return isUnknown ? 1 : taste.textWeight
}

/** One item's score: both standardised scores, mixed. @param text the inner product with the person, if there is one */
export function scoreOf(taste: Taste, key: number, text: number | undefined): number {
  const words = text === undefined ? 0 : (text - taste.mean) / taste.deviation
  const crowd = taste.opinions === undefined ? 0 : taste.opinions.of(key)
  return textWeightFor(taste, key) * words + taste.crowdWeight * crowd
}
