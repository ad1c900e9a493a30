import { row } from '../math/matrix.js'
import type { KeySet } from '../store/index.js'
import type { Matrix } from '../types.js'
import type { Neighbours, VectorIndex } from '../vector-index/index.js'
import { find } from './crowd.js'
import { scoreOf, type Taste } from './taste.js'

/** Items worth looking at for one person, with their scores before any rules. */
export interface Pool {
  readonly keys: readonly number[]
  /** [keys] */
  readonly scores: readonly number[]
  /** True if every item that may answer and about which anything is known is here. */
  readonly complete: boolean
  /** No item that is not here scores higher. */
  readonly bound: number
  /** The same of items without interactions, and of those that the interactions do not lift. */
  readonly textBound: number
  /** There are more items that the interactions speak for. */
  readonly hasMoreByCrowd: boolean
  /** What the index said about the person. */
  readonly nearest: Neighbours | undefined
}

/** How many candidates are wanted beside those that cannot answer. */
export interface Depth {
  readonly text: number
  readonly crowd: number
}

/** Where to look. */
export interface Range {
  /** What may answer; all may when absent. */
  readonly allowed: KeySet | undefined
  /** Sets of keys that a rule lifts: their best are wanted too, though the whole catalogue's best may hide them. */
  readonly lifted: readonly Int32Array[]
  /** Keys that cannot answer, whatever their score: so many more are fetched. */
  readonly hidden: number
}

/**
 * Candidates of one person: so many of the best by text, so many by interactions, and as many of each lifted set,
 * all with their full score.
 * @param known what the index says about the person at this depth, if it was asked already
 */
export async function gather(
  index: VectorIndex,
  taste: Taste,
  { allowed, lifted, hidden }: Range,
  depth: Depth,
  known?: Neighbours,
): Promise<Pool> {
  // What the index said of each, undefined for those that only the interactions named.
  const text = new Map<number, number | undefined>()
  const add = ({ keys, scores }: Neighbours) => {
    for (let i = 0; i < keys.length; i++) text.set(keys[i], scores[i])
  }
  const name = (key: number) => {
    if (!text.has(key)) text.set(key, undefined)
  }
  const [byText, byCrowd] = [depth.text + hidden, depth.crowd + hidden]
  const raised = lifted.map((set) => (allowed === undefined ? set : set.filter((key) => allowed.has(key))))
  let lowest = Number.NEGATIVE_INFINITY
  let exhausted = true
  let hasMoreByCrowd = false
  let nearest: Neighbours | undefined
  if (taste.vector !== undefined) {
    const found = known ?? (await search(index, taste, taste.vector, byText, allowed))
    nearest = found
    add(found)
    exhausted = found.keys.length < byText
    if (!exhausted) lowest = (found.scores[found.scores.length - 1] - taste.mean) / taste.deviation
    for (const some of raised) add(await index.search(taste.vector, byText, { allowed: some }))
  }
  if (taste.vector === undefined) for (const some of raised) some.subarray(0, byText).forEach(name)
  let highestLeft = Number.NEGATIVE_INFINITY
  if (taste.opinions !== undefined) {
    const { opinions } = taste
    const passes = (key: number) => allowed === undefined || allowed.has(key)
    const share = allowed === undefined ? 1 : Math.min(1, Math.max(1, allowed.size) / index.size)
    const best = opinions.best(byCrowd, passes, share)
    best.forEach(name)
    if (best.length === byCrowd) {
      exhausted = false
      hasMoreByCrowd = true
      highestLeft = opinions.of(best[best.length - 1])
    } else {
      highestLeft = Math.max(0, opinions.floor)
    }
    for (const some of raised) opinions.best(byCrowd, (key) => find(some, key) !== -1).forEach(name)
  }
  const keys = Array.from(text.keys())
  const scores = keys.map((key) => scoreOf(taste, key, text.get(key) ?? textScore(index, taste.vector, key)))
  const words = taste.textWeight > 0 ? Math.max(0, lowest) : 0
  const crowd = taste.crowdWeight > 0 ? taste.crowdWeight * Math.max(0, highestLeft) : 0
  // For items without interactions the text counts in full.
  const bound = exhausted ? Number.NEGATIVE_INFINITY : Math.max(words, taste.textWeight * words + crowd)
  const textBound = Math.min(bound, words)
  return { keys, scores, complete: exhausted, bound, textBound, hasMoreByCrowd, nearest }
}

function search(
  index: VectorIndex,
  { memory }: Taste,
  vector: Float32Array,
  count: number,
  allowed: KeySet | undefined,
): Promise<Neighbours> {
  return memory === undefined
    ? index.search(vector, count, { allowed })
    : memory.nearest(index, vector, count, allowed)
}

/** The same first look for many people at once. @returns what `gather` takes as `nearest`, per person */
export async function nearestForMany(
  index: VectorIndex,
  tastes: readonly Taste[],
  fetched: readonly number[],
  allowed: KeySet | undefined,
): Promise<(Neighbours | undefined)[]> {
  const asked = Array.from(tastes.keys()).filter((i) => tastes[i].vector !== undefined)
  if (asked.length === 0) return tastes.map(() => undefined)
  const queries: Matrix = {
    data: new Float32Array(asked.length * index.dim),
    rows: asked.length,
    dim: index.dim,
  }
  asked.forEach((i, at) => {
    row(queries, at).set(tastes[i].vector as Float32Array)
  })
  const deepest = asked.reduce((most, i) => Math.max(most, fetched[i]), 0)
  const found = await index.searchMany(queries, deepest, { allowed })
  const answers: (Neighbours | undefined)[] = tastes.map(() => undefined)
  asked.forEach((i, at) => {
    const { keys, scores } = found[at]
    answers[i] = { keys: keys.subarray(0, fetched[i]), scores: scores.subarray(0, fetched[i]) }
  })
  return answers
}

/** The inner product of person and item; undefined where one of them has no vector. */
export function textScore(
  index: VectorIndex,
  person: Float32Array | undefined,
  key: number,
): number | undefined {
  return person === undefined ? undefined : index.score(person, key)
}
