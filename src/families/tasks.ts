import { type Random, shuffle } from '../math/random.js'
import type { FamilyData, Pairs } from './family.js'
import type { FamilyOptions } from './options.js'

/** Things asked for in one task. */
export const QUERIES = 4
/** A pass over few people has at least so many steps. */
const LEAST_STEPS = 12

/** One step's tasks: what each person is known to like, and what else they took. Places are those of the candidates. */
export type TaskBatch = {
  /** [people, likes] */
  readonly likes: Int32Array
  /** [people, likes] shares of a person's likes, together 1 */
  readonly shares: Float32Array
  /** [people * QUERIES] */
  readonly queries: Int32Array
  /** [people * QUERIES] 0 where a person has fewer */
  readonly weights: Float32Array
  /** [candidates] item numbers, where they are a sample */
  readonly candidates?: Int32Array
}

interface Task {
  readonly likes: Int32Array
  readonly queries: Int32Array
}

/**
 * Draws tasks for meta-learning: a few of a person's things, one to `support` of them, are what is known, and up to QUERIES of
 * the others are asked for. Each person with two things or more is one task in a pass.
 */
export class TaskSampler {
  /** People in one step. */
  readonly people: number
  /** Most likes of one task. */
  readonly likes: number
  /**
   * Items that a step's softmax goes over: all, or a sample drawn evenly, what the step names being part of it. Every
   * item is as likely to be drawn, so the sample needs no correction.
   */
  readonly candidates: number
  private readonly histories: readonly Int32Array[]
  private readonly parts: number

  constructor(
    private readonly data: FamilyData,
    { batch, support, fullSoftmaxItems }: FamilyOptions,
  ) {
    const histories = Array.from({ length: data.people }, (): number[] => [])
    for (const [at, user] of data.users.entries()) histories[user].push(data.taken[at])
    this.histories = histories.map((history) => Int32Array.from(history))
    this.people = Math.max(1, Math.min(batch, this.histories.filter((history) => history.length > 1).length))
    this.likes = support
    const named = this.people * (support + QUERIES)
    this.candidates =
      data.items <= fullSoftmaxItems ? data.items : Math.min(data.items, Math.max(named, fullSoftmaxItems))
    this.parts = data.vectorsWithout?.length ?? 1
  }

  /** A step is about people of one part. Every batch is full: the last one begins the order again. */
  *steps(pairs: Pairs, source: Random): Generator<{ readonly part: number; readonly batch: TaskBatch }> {
    const learning = pairs.users === this.data.users
    const wanted = learning ? undefined : askedOf(pairs)
    const people = Array.from(this.histories.keys()).filter((user) =>
      wanted === undefined ? this.histories[user].length > 1 : wanted.has(user),
    )
    const steps = Array.from({ length: this.parts }, (_, part) => {
      const order = people.filter((user) => user % this.parts === part)
      shuffle(order, source)
      const least = learning ? LEAST_STEPS : 1
      const count = order.length === 0 ? 0 : Math.max(least, Math.ceil(order.length / this.people))
      return Array.from({ length: count }, (_step, step) => ({ part, order, from: step * this.people }))
    }).flat()
    shuffle(steps, source)
    for (const { part, order, from } of steps) {
      const tasks = Array.from({ length: this.people }, (_, i) => {
        const user = order[(from + i) % order.length]
        return wanted === undefined ? this.task(user, source) : this.asked(user, wanted.get(user)!)
      })
      yield { part, batch: this.batchOf(tasks, source) }
    }
  }

  private task(user: number, source: Random): Task {
    const mine = shuffle(this.histories[user].slice(), source)
    const count = 1 + source.integer(Math.min(this.likes, mine.length - 1))
    return { likes: mine.subarray(0, count), queries: mine.subarray(count, count + QUERIES) }
  }

  private asked(user: number, queries: readonly number[]): Task {
    return {
      likes: this.histories[user].slice(-this.likes),
      queries: Int32Array.from(queries.slice(0, QUERIES)),
    }
  }

  private batchOf(tasks: readonly Task[], source: Random): TaskBatch {
    const batch = {
      likes: new Int32Array(this.people * this.likes),
      shares: new Float32Array(this.people * this.likes),
      queries: new Int32Array(this.people * QUERIES),
      weights: new Float32Array(this.people * QUERIES),
    }
    const { candidates, placeOf } = this.offered(tasks, source)
    for (const [i, { likes, queries }] of tasks.entries()) {
      batch.likes.set(likes.map(placeOf), i * this.likes)
      batch.shares.fill(1 / likes.length, i * this.likes, i * this.likes + likes.length)
      batch.queries.set(queries.map(placeOf), i * QUERIES)
      batch.weights.fill(1, i * QUERIES, i * QUERIES + queries.length)
    }
    return candidates === undefined ? batch : { ...batch, candidates }
  }

  private offered(tasks: readonly Task[], source: Random) {
    if (this.candidates === this.data.items) return { placeOf: (item: number) => item }
    const places = new Map<number, number>()
    const offer = (item: number) => {
      if (!places.has(item)) places.set(item, places.size)
    }
    for (const { likes, queries } of tasks) for (const item of [...likes, ...queries]) offer(item)
    while (places.size < this.candidates) offer(source.integer(this.data.items))
    return { candidates: Int32Array.from(places.keys()), placeOf: (item: number) => places.get(item)! }
  }
}

function askedOf({ users, taken }: Pairs): ReadonlyMap<number, readonly number[]> {
  const asked = new Map<number, number[]>()
  for (const [i, user] of users.entries()) asked.set(user, [...(asked.get(user) ?? []), taken[i]])
  return asked
}
