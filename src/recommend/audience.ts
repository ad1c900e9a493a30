import { setImmediate as nextTurn } from 'node:timers/promises'
import { throwIfAborted } from '../errors.js'
import { topK } from '../math/top-k.js'
import type { Store } from '../store/index.js'
import type { Audience } from '../types.js'
import { innerProduct } from '../vector-index/rows.js'
import { find } from './crowd.js'
import { type TasteSource, tasteVector } from './taste.js'

/** People whose vectors are made, or scored, before other work gets its turn. */
const TURN = 256

/** Everybody who has a vector, with what they have. */
export interface Crowded {
  readonly userIds: readonly string[]
  /** [people * dim] unit rows. */
  readonly vectors: Float32Array
  /** Person p has items[starts[p]] .. items[starts[p + 1] - 1], as keys. */
  readonly starts: Int32Array
  readonly items: Int32Array
}

/** The vectors of all people with an event that says something, from the catalogue as it is now. */
export async function everyone(store: Store, source: TasteSource, signal?: AbortSignal): Promise<Crowded> {
  const table = store.interactions()
  const keys = Int32Array.from(store.itemKeys(table.itemIds), (key) => key as number)
  const { dim } = source.index
  const userIds: string[] = []
  const starts = [0]
  const items: Int32Array[] = []
  let vectors = new Float32Array(1024 * dim)
  let row = 0
  for (let user = 0; user < table.userIds.length; user++) {
    if (user % TURN === TURN - 1) {
      await nextTurn()
      throwIfAborted(signal, 'Looking for an audience')
    }
    const first = row
    while (row < table.users.length && table.users[row] === user) row++
    const taken = {
      items: table.items.slice(first, row).map((item) => keys[item]),
      values: table.values.slice(first, row),
    }
    const vector = await tasteVector(source, taken)
    if (vector === undefined) continue
    const at = userIds.push(table.userIds[user]) - 1
    if ((at + 1) * dim > vectors.length) {
      const wider = new Float32Array(2 * vectors.length)
      wider.set(vectors)
      vectors = wider
    }
    vectors.set(vector, at * dim)
    items.push(taken.items)
    starts.push(starts[at] + taken.items.length)
  }
  const all = new Int32Array(starts[userIds.length])
  items.forEach((some, i) => {
    all.set(some, starts[i])
  })
  return { userIds, vectors, starts: Int32Array.from(starts), items: all }
}

export interface AudienceQuestion {
  readonly k: number
  /** Leave out who has this item. */
  readonly without: number | undefined
  /** Only people who have one of these (ascending keys); everybody when absent. */
  readonly having: Int32Array | undefined
}

/** The people nearest to an item, every one of them scored; equal scores by the order in which they came. */
export async function nearestPeople(
  { items, starts, userIds, vectors }: Crowded,
  item: Float32Array,
  { having, k, without }: AudienceQuestion,
): Promise<Audience['people']> {
  const scores = new Float32Array(userIds.length).fill(Number.NaN)
  for (let person = 0; person < userIds.length; person++) {
    if (person % (TURN * 64) === TURN * 64 - 1) await nextTurn()
    const has = items.subarray(starts[person], starts[person + 1])
    if (without !== undefined && has.includes(without)) continue
    if (having !== undefined && !has.some((key) => find(having, key) !== -1)) continue
    scores[person] = innerProduct(item, vectors, person * item.length)
  }
  return Array.from(topK(scores, k), (person, i) => ({
    userId: userIds[person],
    score: scores[person],
    rank: i + 1,
  }))
}
