import { setImmediate as nextTurn } from 'node:timers/promises'
import { throwIfAborted } from '../errors.js'
import { topK } from '../math/top-k.js'
import type { Store } from '../store/index.js'
import type { Audience, InteractionTable } from '../types.js'
import { innerProduct } from '../vector-index/rows.js'
import { find } from './crowd.js'
import type { Changes } from './memory.js'
import { type Taken, type TasteSource, tasteParts } from './taste.js'
import { PEOPLE_AT_ONCE, TextScales } from './text-scales.js'

/** People who are looked at before other work gets its turn. */
const TURN = 256

interface Scale {
  readonly mean: number
  readonly deviation: number
}

/** What it takes to score any item for a person as recommend() does. */
interface Member {
  readonly userId: string
  readonly taken: Taken
  readonly vector: Float32Array | undefined
  /** Of text scores over the catalogue. */
  readonly text: Scale
  /** What is liked, as positions in the crowd, oldest first. */
  readonly liked: Int32Array
  /** Of item-item scores; undefined where they say nothing. */
  readonly crowd: Scale | undefined
}

/**
 * Everybody of whom anything is known, in memory: some 2 kB each. Brought up to date before each question, where
 * people whose history and whose items' vectors have stayed are taken over as they are.
 */
export class Everyone {
  private members: readonly Member[] = []
  private source: TasteSource | undefined
  private counter = -1
  private sequence = -1

  constructor(private readonly store: Store) {}

  /** Drops everybody. */
  forget(): void {
    this.members = []
    this.source = undefined
  }

  /** @throws ABORTED */
  async upToDate(source: TasteSource, changes: Changes, signal?: AbortSignal): Promise<readonly Member[]> {
    const counter = this.store.changeCounter()
    const { sequence } = changes
    // Both: the catalogue may have been ahead of the index when they were last brought up to date.
    if (this.source === source && this.counter === counter && this.sequence === sequence) return this.members
    const changed = this.source === source ? changes.since(this.sequence) : undefined
    const moved = new Set(changed)
    const before = new Map(changed === undefined ? [] : this.members.map((one) => [one.userId, one]))
    const members = await gatherMembers(
      this.store.interactions(),
      this.store,
      source,
      signal,
      (id, taken) => {
        const member = before.get(id)
        const isSame =
          member !== undefined &&
          sameTaken(member.taken, taken) &&
          !(moved.size > 0 && taken.items.some((key) => moved.has(key)))
        return isSame ? member : undefined
      },
    )
    this.members = members
    this.source = source
    this.counter = counter
    this.sequence = sequence
    return members
  }
}

/** @param keep a member that need not be made anew */
async function gatherMembers(
  table: InteractionTable,
  store: Store,
  source: TasteSource,
  signal: AbortSignal | undefined,
  keep: (userId: string, taken: Taken) => Member | undefined,
): Promise<readonly Member[]> {
  const keys = Int32Array.from(store.itemKeys(table.itemIds), (key) => key as number)
  const members: (Member | undefined)[] = []
  const fresh: { readonly at: number; readonly userId: string; readonly taken: Taken }[] = []
  const items = table.items.map((item) => keys[item])
  let row = 0
  for (const [user, userId] of table.userIds.entries()) {
    const first = row
    while (row < table.users.length && table.users[row] === user) row++
    const taken = {
      items: items.slice(first, row),
      values: table.values.slice(first, row),
      times: table.times.slice(first, row),
    }
    const member = keep(userId, taken)
    const at = members.push(member) - 1
    if (member === undefined) fresh.push({ at, userId, taken })
  }
  const scales = fresh.length === 0 ? undefined : await TextScales.create(source.sample)
  try {
    for (let start = 0; start < fresh.length; start += PEOPLE_AT_ONCE) {
      const some = fresh.slice(start, start + PEOPLE_AT_ONCE)
      const made = await makeMembers(some, source, scales as TextScales, signal)
      for (const [i, { at }] of some.entries()) members[at] = made[i]
    }
  } finally {
    await scales?.close()
  }
  return members.filter((one) => one !== undefined)
}

/** [people] undefined for somebody of whom nothing is known. */
async function makeMembers(
  people: readonly { readonly userId: string; readonly taken: Taken }[],
  source: TasteSource,
  scales: TextScales,
  signal: AbortSignal | undefined,
): Promise<(Member | undefined)[]> {
  const { crowd, index, settings } = source
  const vectors = new Float32Array(people.length * index.dim)
  const seen = people.map(({ taken }) => new Set(taken.items))
  const parts: Pick<Member, 'vector' | 'liked' | 'crowd'>[] = []
  for (let start = 0; start < people.length; start += TURN) {
    await nextTurn()
    throwIfAborted(signal, 'Looking for an audience')
    const some = people.slice(start, start + TURN).map(({ taken }) => taken)
    for (const [at, { liked, vector }] of (await tasteParts(source, some)).entries()) {
      const i = start + at
      if (vector !== undefined) vectors.set(vector, i * index.dim)
      const positions = crowd.positions(liked)
      const scale = settings.collaborativeShare > 0 ? crowd.scaleFor(positions, seen[i]) : undefined
      parts.push({
        vector,
        liked: positions,
        crowd: scale === undefined ? undefined : { mean: scale.mean, deviation: scale.deviation },
      })
    }
  }
  const texts = await scales.of(vectors, seen)
  return people.map((person, i) => {
    if (parts[i].vector === undefined && parts[i].crowd === undefined) return undefined
    return { ...person, ...parts[i], text: texts[i] }
  })
}

export interface AudienceQuestion {
  readonly k: number
  /** The vector of the item; undefined if no text speaks of it. */
  readonly vector: Float32Array | undefined
  /** Of an item of the catalogue. */
  readonly key: number | undefined
  /** Leave out who has the item. */
  readonly excludeOwners: boolean
  /** Only people who have one of these (ascending keys); everybody when absent. */
  readonly having: Int32Array | undefined
}

/**
 * The people to whom an item would be recommended with the highest score, all of them scored; equal scores in the
 * order of their first arrival. For an item without interactions the text says it all, as in recommend().
 */
export async function nearestPeople(
  members: readonly Member[],
  { crowd, settings }: Pick<TasteSource, 'crowd' | 'settings'>,
  { excludeOwners, having, k, key, vector }: AudienceQuestion,
): Promise<Audience['people']> {
  const position = key === undefined ? -1 : crowd.position(key)
  const column = position === -1 ? undefined : crowd.scorer?.column(position)
  const scores = new Float32Array(members.length).fill(Number.NaN)
  for (const [at, member] of members.entries()) {
    if (at % (TURN * 64) === TURN * 64 - 1) await nextTurn()
    const { items } = member.taken
    if (excludeOwners && key !== undefined && items.includes(key)) continue
    if (having !== undefined && !items.some((one) => find(having, one) !== -1)) continue
    const isText = member.vector !== undefined && vector !== undefined
    const near = isText ? innerProduct(member.vector, vector, 0) : member.text.mean
    const words = (near - member.text.mean) / member.text.deviation
    if (member.crowd === undefined || column === undefined || crowd.scorer === undefined) {
      scores[at] = words
      continue
    }
    const share = member.vector === undefined ? 1 : settings.collaborativeShare
    const others = crowd.scorer.scoreBy(column, { items: member.liked })
    scores[at] = (1 - share) * words + (share * (others - member.crowd.mean)) / member.crowd.deviation
  }
  return Array.from(topK(scores, k), (at, i) => ({
    userId: members[at].userId,
    score: scores[at],
    rank: i + 1,
  }))
}

function sameTaken(a: Taken, b: Taken): boolean {
  if (a.items.length !== b.items.length) return false
  for (let i = 0; i < a.items.length; i++) {
    if (a.items[i] !== b.items[i] || !Object.is(a.values[i], b.values[i])) return false
    if (a.times?.[i] !== b.times?.[i]) return false
  }
  return true
}
