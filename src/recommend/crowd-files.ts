import { createHash, randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type JsonObject, publishFolder, readFolder, readPayload } from '../artifact/index.js'
import { fitScorer, readScorer, writeScorer } from '../collaborative/index.js'
import type { Store } from '../store/index.js'
import type { InteractionTable, OnProgress } from '../types.js'
import { Crowd, type RatingRange } from './crowd.js'
import { defaultParameters, type ServingSettings } from './serving.js'

/** Kind of the published folder that holds one. */
export const CROWD_KIND = 'crowd'
const KEYS = 'keys.i32'
const COUNTS = 'counts.i32'
/** Among the catalogue's values: another one with every publication, so that every open process hears of it. */
const PUBLISHED = 'crowd'

/** Among the catalogue's values: which publication was found to be as good as new, and when. */
const CURRENT = 'crowdCurrent'

interface Current {
  readonly publication: string | undefined
  /** The catalogue's last change then. */
  readonly change: number
}

/** Where a project keeps what is learnt from its interactions without training. */
export function crowdFolder(directory: string): string {
  return join(directory, 'crowd', 'current')
}

interface Fields {
  /** Drawn for it; absent in one of an earlier version. */
  readonly publication?: string
  /** Events in the catalogue when it was made. */
  readonly events: number
  /** The catalogue's last change that it has seen. */
  readonly change: number
  /** Of all interactions; absent in one of an earlier version. */
  readonly digest?: string
  readonly settings: string
  readonly range: RatingRange | null
  readonly likedFrom: number | null
  readonly empty: boolean
}

/** What a published crowd was made from: enough to tell whether it still serves. */
export interface CrowdOrigin {
  readonly publication: string | undefined
  readonly events: number
  readonly change: number
  readonly digest: string | undefined
  readonly settings: string
}

/** Whether nothing has been committed since the published crowd was made, or made again with the same result. */
export function isCurrent(store: Store, { change }: CrowdOrigin): boolean {
  const now = store.changeNumber()
  const current = store.meta<Current>(CURRENT)
  return change === now || (current?.change === now && current.publication === crowdPublication(store))
}

/** Changes whenever a crowd is published, by any process; undefined before the first. */
export function crowdPublication(store: Store): string | undefined {
  return store.meta<string>(PUBLISHED)
}

/** Everything of the settings that decides the contents, in one name. */
export function settingsName({ collaborative, minRating }: ServingSettings): string {
  return JSON.stringify([collaborative ?? null, minRating ?? null])
}

interface PublishOptions {
  /** The digest of interactions for which what is published need not be made again. */
  readonly unless?: string
  readonly signal?: AbortSignal
  readonly onProgress?: OnProgress
}

/**
 * Counts popularity and learns item-item scores from all liked events, then publishes them as one folder. It
 * holds item keys and numbers, nothing of any person. Blocks its thread while it reads: run it in a worker.
 */
export async function publishCrowd(
  store: Store,
  settings: ServingSettings,
  { unless, signal, onProgress }: PublishOptions = {},
): Promise<void> {
  onProgress?.({ stage: 'item-item scores', done: 0, total: 100, unit: 'steps' }) // as fitScorer goes on to tell
  const change = store.changeNumber() // first: what comes in between is not told of, though it may be seen
  const all = store.interactions()
  const itemKeys = Int32Array.from(store.itemKeys(all.itemIds), (key) => key as number)
  const digest = digestOf(all, itemKeys)
  if (digest === unless) {
    const current: Current = { publication: crowdPublication(store), change }
    store.setMeta(CURRENT, current)
    return
  }
  const range = ratingRange(all)
  const likedFrom = settings.minRating ?? middleOf(range)
  const liked = likedFrom === undefined ? all : store.interactions({ minRating: likedFrom })
  const publication = randomUUID()
  const fields: Fields = {
    publication,
    events: all.users.length,
    change,
    digest,
    settings: settingsName(settings),
    range: range ?? null,
    likedFrom: likedFrom ?? null,
    empty: liked.users.length === 0,
  }
  const counts = peoplePerItem(liked)
  const warm = Int32Array.from(counts.keys()).filter((item) => counts[item] > 0)
  const scorer = fields.empty
    ? undefined
    : await fitScorer(liked, settings.collaborative ?? defaultParameters(warm.length), { signal, onProgress })
  await publishFolder(crowdFolder(store.directory), CROWD_KIND, async (folder) => {
    await writeNumbers(
      join(folder, KEYS),
      warm.map((item) => itemKeys[item]),
    )
    await writeNumbers(
      join(folder, COUNTS),
      warm.map((item) => counts[item]),
    )
    // Keys are never used twice, so they name items as well as ids do, and say nothing.
    if (scorer !== undefined) await writeScorer(folder, scorer, Array.from(itemKeys, String))
    return fields as unknown as JsonObject
  })
  announceCrowd(store, { publication })
}

/** Lets every open process hear of what is published, unless it has: who published it may have been killed before. */
export function announceCrowd(store: Store, { publication }: Pick<CrowdOrigin, 'publication'>): void {
  if (crowdPublication(store) !== publication) store.setMeta(PUBLISHED, publication)
}

/** @throws INDEX_DAMAGED if the folder is missing or not what was published. */
export async function openCrowd(
  directory: string,
): Promise<{ readonly crowd: Crowd; readonly origin: CrowdOrigin }> {
  const folder = crowdFolder(directory)
  const manifest = await readFolder(folder, CROWD_KIND, 'INDEX_DAMAGED')
  const fields = manifest.fields as unknown as Fields
  const { change, digest, empty, events, likedFrom, publication, range, settings } = fields
  const numbers = async (name: string) =>
    new Int32Array((await readPayload(folder, manifest, name, 'INDEX_DAMAGED')).buffer)
  const keys = await numbers(KEYS)
  const counts = await numbers(COUNTS)
  const scorer = empty ? undefined : await readScorer(folder, Array.from(keys, String))
  const crowd = new Crowd({
    keys,
    counts,
    scorer,
    range: range ?? undefined,
    likedFrom: likedFrom ?? undefined,
  })
  return { crowd, origin: { change, digest, events, publication, settings } }
}

/** From which rating on an event speaks for its item, where nobody says: the middle of the catalogue's own scale. */
export function likedFromOf(table: InteractionTable): number | undefined {
  return middleOf(ratingRange(table))
}

function middleOf(range: RatingRange | undefined): number | undefined {
  return range && (range.lowest + range.highest) / 2
}

function ratingRange({ values }: InteractionTable): RatingRange | undefined {
  let lowest = Number.POSITIVE_INFINITY
  let highest = Number.NEGATIVE_INFINITY
  for (const value of values) {
    if (value < lowest) lowest = value
    if (value > highest) highest = value
  }
  return lowest <= highest ? { lowest, highest } : undefined
}

/** Everything of the interactions that decides a crowd: who took what, in which order, and how they rated it. */
function digestOf({ items, users, values }: InteractionTable, itemKeys: Int32Array): string {
  const hash = createHash('sha256')
  for (const column of [users, items.map((item) => itemKeys[item]), values]) {
    hash.update(new Uint8Array(column.buffer, column.byteOffset, column.byteLength))
  }
  return hash.digest('hex')
}

/** [items] people who have each item at least once. Rows are sorted by person. */
function peoplePerItem({ itemIds, items, users }: InteractionTable): Int32Array {
  const counts = new Int32Array(itemIds.length)
  const last = new Int32Array(itemIds.length).fill(-1)
  for (let row = 0; row < items.length; row++) {
    if (last[items[row]] === users[row]) continue
    last[items[row]] = users[row]
    counts[items[row]]++
  }
  return counts
}

/** Numbers as they are in memory. */
export function writeNumbers(path: string, numbers: Int32Array | Float64Array): Promise<void> {
  return writeFile(path, new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength))
}
