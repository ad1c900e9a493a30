import { clusterNames, kMeans, nearestCentres, WordCounts } from '../cluster/index.js'
import { TextrecError, throwIfAborted } from '../errors.js'
import { PLAIN_WORDS, type ToWords, toWords } from '../evaluate/index.js'
import { matrix } from '../math/matrix.js'
import { integer, type OptionTable, optional, resolveOptions, text } from '../options.js'
import { itemDocument, reviewDocument } from '../profile/documents.js'
import type { ItemSource, Store } from '../store/index.js'
import { acquireLock } from '../store/lock.js'
import type { ItemKey, Matrix } from '../types.js'
import { LONG, type LongOptions } from './defaults.js'
import { liveState, requireLiveState, textSpaceOf } from './live-index.js'

export interface ClusterOptions extends LongOptions {
  /** How many; the root of half the number of items, from 2 to 100, when absent (Mardia et al. 1979). */
  readonly k: number | undefined
  readonly seed: number
  /** The attribute under which filters and caps find an item's cluster. */
  readonly attribute: string
}

export const CLUSTERS: OptionTable<ClusterOptions> = {
  ...LONG,
  k: optional(integer(10, 1, 10_000)),
  seed: integer(1, 0, 2 ** 31),
  attribute: text('cluster'),
}

export interface Cluster {
  /** Its most telling words: the value to filter by. */
  readonly name: string
  /** More of them, the most telling first. */
  readonly words: readonly string[]
  readonly size: number
  /** Of its items, those nearest to its centre. */
  readonly examples: readonly { readonly itemId: string; readonly title?: string }[]
}

export interface ClusterReport {
  readonly attribute: string
  /** Largest first. */
  readonly clusters: readonly Cluster[]
  /** Items in clusters, and those about which there is no text. */
  readonly items: number
  readonly withoutText: number
  /** Mean cosine of an item with the centre of its cluster. */
  readonly cosine: number
}

/** What is kept in the catalogue about its clusters. */
interface KeptClusters {
  readonly attribute: string
  /** Of the vectors that they were made from. */
  readonly space: string
  readonly names: readonly string[]
  readonly dim: number
  /** [clusters, dim] as base64 of float32, little-endian. */
  readonly centres: string
}

const KEPT = 'clusters'
/** The store's change up to which items have been given their cluster: apart, because it grows with every upsert. */
const UP_TO = 'clustersUpTo'
const MOST_UNASKED = 100
const EXAMPLES = 3
/** Items whose texts are in memory at a time. */
const ITEMS_AT_A_TIME = 1024
/** A word of reviews is told of a cluster if so many people have used it: one alone must leave no trace in a name. */
const FEWEST_PEOPLE = 3

/**
 * Divides the catalogue into clusters of items with alike text vectors, names them, and stores each item's cluster as an
 * attribute. Replaces the clusters from before.
 * @throws NOTHING_INDEXED, NOT_ENOUGH_DATA, OPTION_INVALID for an attribute that records have or more clusters than
 *   items, PROJECT_LOCKED, ABORTED
 */
export async function makeClusters(store: Store, given: Partial<ClusterOptions>): Promise<ClusterReport> {
  const options = resolveOptions('clusters', CLUSTERS, given)
  const { attribute, seed, signal, onProgress } = options
  const space = textSpaceOf(requireLiveState(store))
  requireFree(store, attribute)
  const lock = acquireLock(store.directory, 'index')
  try {
    const { keys, vectors, sequence } = store.itemVectors(space)
    const k = clusterCount(options.k, keys.length)
    const { centres, of, cosine } = await kMeans(vectors, k, {
      seed,
      onRound: (round) => {
        throwIfAborted(signal, 'Clustering')
        onProgress?.({ stage: 'cluster', done: round, unit: 'rounds' })
      },
    })
    const telling = tellingWords(store, keys, of, centres.rows, options)
    const names = clusterNames(telling)
    const values = Array.from(keys, (key, i) => [key as ItemKey, names[of[i]]] as const)
    store.derived.together(() => {
      const before = store.meta<KeptClusters>(KEPT)
      if (before !== undefined && before.attribute !== attribute)
        store.derived.replaceAll(before.attribute, [])
      store.derived.replaceAll(attribute, values)
      keep(store, { attribute, space, names, centres })
      store.setMeta(UP_TO, sequence)
    })
    // What other processes have changed since the vectors were read.
    await refreshClusters(store)
    return {
      attribute,
      clusters: clustersOf(store, names, telling, keys, vectors, centres, of),
      items: keys.length,
      withoutText: store.counts().items - keys.length,
      cosine,
    }
  } finally {
    lock.release()
  }
}

/**
 * Gives the nearest cluster to every item whose vector is new or has changed since they were made, and takes it from
 * those that have none any more. Nothing where there are no clusters, or where they were made of another encoder's
 * vectors: those wait to be made anew.
 */
export async function refreshClusters(store: Store): Promise<void> {
  const kept = store.meta<KeptClusters>(KEPT)
  const live = liveState(store)
  if (kept === undefined || live === undefined || textSpaceOf(live) !== kept.space) return
  const { sequence, upserts, removed } = store.vectorChanges(kept.space, store.meta<number>(UP_TO) ?? 0)
  if (upserts.keys.length === 0 && removed.length === 0) return
  const nearest = await nearestCentres(upserts.vectors, centresOf(kept))
  store.derived.together(() => {
    // Made anew meanwhile, by another process: then these are of no use.
    if (store.meta<KeptClusters>(KEPT)?.centres !== kept.centres) return
    store.derived.put(kept.attribute, [
      ...Array.from(upserts.keys, (key, i) => [key as ItemKey, kept.names[nearest[i]]] as const),
      ...Array.from(removed, (key) => [key as ItemKey, undefined] as const),
    ])
    store.setMeta(UP_TO, sequence)
  })
}

/** What is said of clusters in a summary of the project; undefined where there are none. */
export function clusterStats(store: Store): ClusterStats | undefined {
  const kept = store.meta<KeptClusters>(KEPT)
  const live = liveState(store)
  if (kept === undefined) return undefined
  const { attribute, names, space } = kept
  return { attribute, count: names.length, stale: live === undefined || textSpaceOf(live) !== space }
}

export interface ClusterStats {
  readonly attribute: string
  readonly count: number
  /** They were made of another encoder's vectors, and new items get none: make them again. */
  readonly stale: boolean
}

function clusterCount(asked: number | undefined, items: number): number {
  if (items < 2) {
    throw new TextrecError(
      'NOT_ENOUGH_DATA',
      `There are ${items} items with text to put into clusters.`,
      'Import items or reviews with text, and index them.',
    )
  }
  if (asked === undefined) return Math.min(MOST_UNASKED, Math.max(2, Math.round(Math.sqrt(items / 2))))
  if (asked <= items) return asked
  throw new TextrecError(
    'OPTION_INVALID',
    `clusters: option 'k' is ${asked}, and ${items} items have text.`,
    'There cannot be more clusters than items.',
  )
}

function requireFree(store: Store, attribute: string): void {
  if (attribute !== 'id' && attribute !== 'title' && !store.derived.isRecorded(attribute)) return
  throw new TextrecError(
    'OPTION_INVALID',
    `clusters: items have an attribute '${attribute}' of their own.`,
    "Choose another name with option 'attribute'.",
  )
}

function keep(
  store: Store,
  { centres, ...rest }: Pick<KeptClusters, 'attribute' | 'space' | 'names'> & { centres: Matrix },
): void {
  const { buffer, byteOffset, byteLength } = centres.data
  const bytes = Buffer.from(buffer, byteOffset, byteLength).toString('base64')
  store.setMeta(KEPT, { ...rest, dim: centres.dim, centres: bytes } satisfies KeptClusters)
}

function centresOf({ centres, dim, names }: KeptClusters): Matrix {
  const bytes = Buffer.from(centres, 'base64')
  return matrix(names.length, dim, new Float32Array(new Uint8Array(bytes).buffer))
}

function tellingWords(
  store: Store,
  keys: Int32Array,
  of: Int32Array,
  clusters: number,
  { signal, onProgress }: LongOptions,
): string[][] {
  const counts = new WordCounts(clusters)
  // In few items no word is common enough to be told by its count: of English it is known which ones say nothing.
  const wordsOf = toWords({ ...PLAIN_WORDS, stopWords: true })
  const people = new Map<string, Set<string>>()
  const later: { readonly cluster: number; readonly words: ReadonlySet<string> }[] = []
  for (let from = 0; from < keys.length; from += ITEMS_AT_A_TIME) {
    throwIfAborted(signal, 'Clustering')
    onProgress?.({ stage: 'name', done: from, total: keys.length, unit: 'items' })
    const part = keys.subarray(from, from + ITEMS_AT_A_TIME)
    const placeOf = new Map(Array.from(part, (key, i) => [key, from + i]))
    for (const item of store.itemSources(part)) {
      const cluster = of[placeOf.get(item.key) as number]
      const own = wordsOf(itemDocument(item))
      if (own.length > 0) counts.add(cluster, own)
      else later.push({ cluster, words: reviewWords(item, wordsOf, people) })
    }
  }
  for (const { cluster, words: said } of later) {
    counts.add(
      cluster,
      [...said].filter((word) => (people.get(word)?.size ?? 0) >= FEWEST_PEOPLE),
    )
  }
  return counts.telling()
}

/** The words of an item's reviews; notes in `people` who has used which. */
function reviewWords(
  { reviews }: ItemSource,
  wordsOf: ToWords,
  people: Map<string, Set<string>>,
): ReadonlySet<string> {
  const all = new Set<string>()
  for (const review of reviews) {
    for (const word of wordsOf(reviewDocument(review))) {
      all.add(word)
      const users = people.get(word) ?? new Set<string>()
      if (users.size < FEWEST_PEOPLE) people.set(word, users.add(review.userId))
    }
  }
  return all
}

function clustersOf(
  store: Store,
  names: readonly string[],
  telling: readonly (readonly string[])[],
  keys: Int32Array,
  vectors: Matrix,
  centres: Matrix,
  of: Int32Array,
): Cluster[] {
  const members: number[][] = names.map(() => [])
  for (const [i, cluster] of of.entries()) members[cluster].push(i)
  const { dim } = vectors
  const nearness = (i: number) => {
    let sum = 0
    for (let d = 0; d < dim; d++) sum += vectors.data[i * dim + d] * centres.data[of[i] * dim + d]
    return sum
  }
  return names
    .map((name, cluster) => ({
      name,
      words: telling[cluster],
      size: members[cluster].length,
      examples: examplesOf(
        store,
        members[cluster]
          .map((i) => [i, nearness(i)] as const)
          .sort(([i, a], [j, b]) => b - a || i - j)
          .slice(0, EXAMPLES)
          .map(([i]) => keys[i]),
      ),
    }))
    .sort((a, b) => b.size - a.size || (a.name < b.name ? -1 : 1))
}

function examplesOf(store: Store, keys: readonly number[]): Cluster['examples'] {
  return store
    .items(keys)
    .filter((item) => item !== undefined)
    .map(({ id: itemId, title }) => ({ itemId, ...(title === undefined ? {} : { title }) }))
}
