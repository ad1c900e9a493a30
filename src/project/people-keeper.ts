import { createHash, randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { removeTemporary } from '../artifact/index.js'
import { isTextrecError, throwIfAborted } from '../errors.js'
import { matrix, row } from '../math/matrix.js'
import { AROUND, type Changes, type Look, SPARE } from '../recommend/memory.js'
import {
  type NamedRecord,
  PeopleFile,
  type PeopleOrigin,
  peopleFolder,
  publishPeople,
} from '../recommend/people-files.js'
import { writeRecord } from '../recommend/person-record.js'
import { type TasteSource, tasteParts } from '../recommend/taste.js'
import type { History, Store } from '../store/index.js'
import type { UserKey } from '../types.js'
import type { LongRun } from './defaults.js'
import type { LiveState } from './live-index.js'

/** From so many items on a look at an exact index takes longer (0.3 ms) than reading what it said. */
export const KEEP_FROM = 8192
/** The people with the latest events: some 4 kB each. */
const MOST_PEOPLE = 32_768
/** Of the nearest items, beside those that a person has: enough for 32 answers without rules. */
const DEPTH = 64
/** Somebody who has more is looked up when asked about. */
const MOST_SEEN = 1024
/** Looked up in one product, and others get their turn. */
const AT_ONCE = 32
/** The records are made anew when so many items, or this share of events, have changed since. */
const MOST_CHANGED = 256
const STALE_SHARE = 0.05
/** Among the catalogue's values: another one with every publication, so that every open process hears of it. */
const PUBLISHED = 'people'

/** What a question stands on. */
export interface Ground {
  readonly source: TasteSource
  readonly changes: Changes
  readonly state: LiveState
}

/** A person's vector, and what the index said about it. */
export interface Known {
  readonly vector: Float32Array
  readonly look: Look
}

/**
 * The vectors of known people and what lies around them, kept on disk where a look at the index takes long: made by
 * index() and train(), read by whoever is asked about a person for the first time. A record holds for the history,
 * the space and the settings that it was made with; changes of items since are put right as in memory (see Memory).
 */
export class PeopleKeeper {
  private file: PeopleFile | undefined
  private counter = -1
  private publication: string | undefined
  private named: { readonly source: TasteSource; readonly name: string } | undefined

  constructor(private readonly store: Store) {}

  /** Hears of what has been published since the last question. */
  async refresh(): Promise<void> {
    const counter = this.store.changeCounter()
    if (counter === this.counter) return
    this.counter = counter
    const publication = this.store.meta<string>(PUBLISHED)
    if (publication === this.publication) return
    this.publication = publication
    this.file =
      publication === undefined ? undefined : await soundFile(() => PeopleFile.open(this.store.directory))
  }

  /** Undefined where nothing that holds is kept of this person. */
  of(user: UserKey, history: History, { changes, source, state }: Ground): Known | undefined {
    const { file } = this
    if (file === undefined || file.origin.name !== this.nameOf(source, state)) return undefined
    const { sequence } = file.origin
    const changed = changes.since(sequence)
    if (changed === undefined) return undefined
    const seen = new Set(history.items)
    if (changed.some((key) => seen.has(key))) return undefined
    const record = file.of(user, history)
    if (record === undefined) return undefined
    const { around, bound, keys, scores, vector, wanted } = record
    return { vector, look: { nearest: { keys, scores }, around, bound, wanted, sequence } }
  }

  /** Makes the records, unless those that are there still serve. @throws ABORTED, DISK_FULL */
  async update(ground: Ground, long: LongRun): Promise<void> {
    const { source, state } = ground
    const { index } = source
    if (index.kind !== 'exact' || index.size < KEEP_FROM) return this.remove()
    const origin: PeopleOrigin = {
      publication: randomUUID(),
      name: this.nameOf(source, state),
      sequence: ground.changes.sequence,
      events: this.store.counts().interactions,
    }
    const kept = await this.stillServing(ground, origin)
    if (kept !== undefined) return this.announce(kept)
    const parent = dirname(peopleFolder(this.store.directory))
    if (existsSync(parent)) await removeTemporary(parent)
    const users = this.store.recentUsers(MOST_PEOPLE).sort((a, b) => a - b)
    await publishPeople(this.store.directory, origin, records(this.store, source, users, long))
    this.announce(origin)
  }

  /** Lets every open process hear of it, unless it has: who published it may have been killed before. */
  private announce({ publication }: PeopleOrigin): void {
    if (this.store.meta<string>(PUBLISHED) !== publication) this.store.setMeta(PUBLISHED, publication)
  }

  /** Removes all that is kept of anybody. */
  async remove(): Promise<void> {
    const parent = dirname(peopleFolder(this.store.directory))
    if (!existsSync(parent)) return
    this.store.setMeta(PUBLISHED, undefined)
    await rm(parent, { recursive: true, force: true })
  }

  /** What was made of what is there, if it still serves. */
  private async stillServing(
    { changes }: Ground,
    { events, name }: PeopleOrigin,
  ): Promise<PeopleOrigin | undefined> {
    const found = (await soundFile(() => PeopleFile.verify(this.store.directory)))?.origin
    if (found === undefined || found.name !== name) return undefined
    const changed = changes.since(found.sequence)
    const moved = Math.abs(events - found.events)
    const serves = changed !== undefined && changed.length <= MOST_CHANGED && moved <= STALE_SHARE * events
    return serves ? found : undefined
  }

  /** Everything beside a history that decides a record. */
  private nameOf(source: TasteSource, { space }: LiveState): string {
    if (this.named?.source !== source) {
      const { crowd, settings } = source
      const parts = [space, settings.minRating, settings.decay, crowd.range, crowd.likedFrom]
      this.named = { source, name: createHash('sha256').update(JSON.stringify(parts)).digest('hex') }
    }
    return this.named.name
  }
}

/** Undefined where there is none or it is damaged: then the index is searched. */
async function soundFile(open: () => Promise<PeopleFile>): Promise<PeopleFile | undefined> {
  try {
    return await open()
  } catch (error) {
    if (isTextrecError(error) && error.code === 'INDEX_DAMAGED') return undefined
    throw error
  }
}

/** @param users ascending */
async function* records(
  store: Store,
  source: TasteSource,
  users: readonly UserKey[],
  { onProgress, signal }: LongRun,
): AsyncGenerator<NamedRecord> {
  for (let start = 0; start < users.length; start += AT_ONCE) {
    onProgress?.({ stage: 'people', done: start, total: users.length, unit: 'people' })
    await nextTurn()
    throwIfAborted(signal, 'Keeping people')
    yield* await recordsOf(store, source, users.slice(start, start + AT_ONCE))
  }
  onProgress?.({ stage: 'people', done: users.length, total: users.length, unit: 'people' })
}

/** People whom no text describes, and those who have very much, get none. */
async function recordsOf(
  store: Store,
  source: TasteSource,
  users: readonly UserKey[],
): Promise<readonly NamedRecord[]> {
  const people: { user: UserKey; history: History; wanted: number; vector: Float32Array }[] = []
  const histories = users.map((user) => store.historyOf(user))
  for (const [i, { vector }] of (await tasteParts(source, histories)).entries()) {
    const history = histories[i]
    const seen = new Set(history.items).size
    if (vector === undefined || seen > MOST_SEEN) continue
    people.push({ user: users[i], history, vector, wanted: DEPTH + seen })
  }
  if (people.length === 0) return []
  const { dim } = source.index
  const queries = matrix(people.length, dim)
  for (const [i, { vector }] of people.entries()) row(queries, i).set(vector)
  const deepest = people.reduce((most, { wanted }) => Math.max(most, wanted), 0)
  const surveys = await source.index.surveyMany(queries, deepest + SPARE, AROUND)
  return people.map(({ history, user, vector, wanted }, i) => {
    const { around, bound, nearest } = surveys[i]
    const [keys, scores] = [nearest.keys.slice(0, wanted + SPARE), nearest.scores.slice(0, wanted + SPARE)]
    const record = { vector, wanted, keys, scores, around: () => around.sort(), bound }
    return { user, bytes: writeRecord(record, history) }
  })
}
