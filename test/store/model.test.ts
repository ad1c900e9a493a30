import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Store } from '#src/store/index.js'
import type { Attributes, Interaction, Item, Review } from '#src/types.js'
import { openStore, temporaryFolder } from './temporary.js'

/** The store as it should be, in plain maps: slow and obvious. */
class Model {
  /** undefined: only named by reviews and interactions. */
  readonly items = new Map<string, Item | undefined>()
  readonly users = new Set<string>()
  readonly reviews = new Map<string, { review: Review; arrival: number }>()
  readonly interactions = new Map<string, Interaction>()
  /** Events by person, item and time, with the arrival of whoever brought them first. */
  readonly events = new Map<string, number>()
  readonly stale = new Set<string>()
  private arrivals = 0

  write(items: readonly Item[], reviews: readonly Review[], interactions: readonly Interaction[]) {
    const counts = {
      items: { added: 0, replaced: 0, unchanged: 0 },
      reviews: { added: 0, replaced: 0, unchanged: 0 },
      interactions: { added: 0, replaced: 0, unchanged: 0 },
    }
    const become = (kind: keyof typeof counts, before: unknown, after: unknown) => {
      if (before === undefined) counts[kind].added++
      else if (JSON.stringify(before) === JSON.stringify(after)) counts[kind].unchanged++
      else counts[kind].replaced++
      return JSON.stringify(before) !== JSON.stringify(after)
    }
    for (const item of lastOf(items, (one) => one.id, counts.items)) {
      if (become('items', this.items.get(item.id), item)) this.stale.add(item.id)
      this.items.set(item.id, item)
    }
    for (const review of lastOf(reviews, reviewIdentity, counts.reviews)) {
      this.name(review)
      const identity = reviewIdentity(review)
      const before = this.reviews.get(identity)
      if (become('reviews', before?.review, review)) {
        this.stale.add(review.itemId)
        if (before !== undefined) this.stale.add(before.review.itemId)
      }
      this.reviews.set(identity, { review, arrival: before?.arrival ?? ++this.arrivals })
      this.settleEvents(this.reviews.get(identity)?.arrival as number)
    }
    for (const interaction of lastOf(interactions, eventIdentity, counts.interactions)) {
      this.name(interaction)
      const identity = eventIdentity(interaction)
      become('interactions', this.interactions.get(identity), interaction)
      this.interactions.set(identity, interaction)
      this.settleEvents(++this.arrivals)
    }
    return counts
  }

  removeItems(ids: readonly string[]): number {
    const gone = new Set(ids.filter((id) => this.items.has(id)))
    for (const id of gone) {
      this.items.delete(id)
      this.stale.delete(id)
    }
    this.forgetRecords(({ itemId }) => gone.has(itemId))
    return gone.size
  }

  forgetUser(id: string): void {
    for (const { review } of this.reviews.values()) if (review.userId === id) this.stale.add(review.itemId)
    this.users.delete(id)
    this.forgetRecords(({ userId }) => userId === id)
  }

  history(userId: string): [itemId: string, time: number, value: number][] {
    return [...this.events]
      .map(([identity, arrival]) => ({
        ...(JSON.parse(identity) as { u: string; i: string; t: number | null }),
        arrival,
        identity,
      }))
      .filter(({ u }) => u === userId)
      .sort(
        (a, b) =>
          (a.t ?? Number.NEGATIVE_INFINITY) - (b.t ?? Number.NEGATIVE_INFINITY) || a.arrival - b.arrival || 0,
      )
      .map(({ i, t, identity }) => {
        const rating = this.ratingOf(identity)
        return [i, t ?? 0, this.interactions.get(identity)?.value ?? rating ?? Number.NaN]
      })
  }

  private name({ userId, itemId }: { userId: string; itemId: string }): void {
    this.users.add(userId)
    if (!this.items.has(itemId)) {
      this.items.set(itemId, undefined)
      this.stale.add(itemId)
    }
  }

  /** The rating of the latest rated review of this person, item and time. */
  private ratingOf(event: string): number | undefined {
    return [...this.reviews.values()]
      .filter(({ review }) => review.rating !== undefined && eventIdentity(review) === event)
      .sort((a, b) => b.arrival - a.arrival)[0]?.review.rating
  }

  /** Makes `events` what the records say; a new one takes `arrival`. */
  private settleEvents(arrival: number): void {
    const said = new Set(this.interactions.keys())
    for (const { review } of this.reviews.values())
      if (review.rating !== undefined) said.add(eventIdentity(review))
    for (const event of this.events.keys()) if (!said.has(event)) this.events.delete(event)
    for (const event of said) if (!this.events.has(event)) this.events.set(event, arrival)
  }

  private forgetRecords(gone: (record: { userId: string; itemId: string }) => boolean): void {
    for (const [identity, { review }] of this.reviews) if (gone(review)) this.reviews.delete(identity)
    for (const [identity, one] of this.interactions) if (gone(one)) this.interactions.delete(identity)
    this.settleEvents(0)
  }
}

function eventIdentity({ userId, itemId, time }: { userId: string; itemId: string; time?: number }): string {
  return JSON.stringify({ u: userId, i: itemId, t: time ?? null })
}

function reviewIdentity(review: Review): string {
  return review.id === undefined ? eventIdentity(review) : `id ${review.id}`
}

/** The last of each identity, in the order of first appearance. */
function lastOf<T>(
  records: readonly T[],
  identity: (record: T) => string,
  counts: { replaced: number; unchanged: number },
): T[] {
  const last = new Map<string, T>()
  for (const record of records) {
    const earlier = last.get(identity(record))
    if (earlier !== undefined) {
      counts[JSON.stringify(earlier) === JSON.stringify(record) ? 'unchanged' : 'replaced']++
    }
    last.set(identity(record), record)
  }
  return [...last.values()]
}

interface Real {
  store: Store
  readonly folder: string
}

function compare(model: Model, { store }: Real): void {
  expect(new Set([...store.eachItem()].map((item) => item.id))).toEqual(new Set(model.items.keys()))
  for (const item of store.eachItem()) {
    const { key, ...record } = item
    expect(record).toEqual(model.items.get(item.id) ?? { id: item.id })
    const texts = store.reviewsOf(key).map(({ userKey, itemKey, ...review }) => review)
    const expected = [...model.reviews.values()].filter(({ review }) => review.itemId === item.id)
    expected.sort((a, b) => (a.review.time ?? -1) - (b.review.time ?? -1) || a.arrival - b.arrival)
    expect(texts).toEqual(expected.map(({ review }) => review))
  }
  for (const user of model.users) {
    const { items, times, values } = store.historyOf(store.userKey(user)!)
    const ids = store.itemIds(items)
    const rows = ids.map((id, i) => [id, times[i], values[i]])
    expect(rows).toEqual(model.history(user))
  }
  const table = store.interactions()
  expect(table.users).toHaveLength(model.events.size)
  for (const [dense, user] of table.userIds.entries()) {
    const rows = [...table.users.keys()].filter((row) => table.users[row] === dense)
    expect(rows.map((row) => [table.itemIds[table.items[row]], table.times[row], table.values[row]])).toEqual(
      model.history(user),
    )
  }
  expect(new Set(store.itemIds(store.staleItems('s')))).toEqual(model.stale)
  expect(store.counts()).toEqual({
    items: model.items.size,
    users: model.users.size,
    reviews: model.reviews.size,
    interactions: model.events.size,
  })
}

const ids = fc.constantFrom('a', 'b', 'é', 'e\u0301', '__proto__')
const people = fc.constantFrom('u', 'v', "w'; --")
const time = fc.option(fc.constantFrom(1, 2, 3), { nil: undefined })
const value = fc.option(fc.constantFrom(1, 2, 5), { nil: undefined })
const words = fc.option(fc.constantFrom('good', 'bad'), { nil: undefined })

/** Without the keys that are undefined: records are compared as JSON and as objects. */
const compact = <T extends object>(record: T): T =>
  Object.fromEntries(Object.entries(record).filter(([, part]) => part !== undefined)) as T

const item: fc.Arbitrary<Item> = fc
  .record({
    id: ids,
    title: words,
    description: words,
    attributes: fc.option(fc.constantFrom<Attributes>({ a: 1 }, { a: 1, b: ['x', 'y'] }), { nil: undefined }),
  })
  .map((record) => compact<Item>(record))
const review: fc.Arbitrary<Review> = fc
  .record({
    id: fc.option(fc.constantFrom('r1', 'r2'), { nil: undefined }),
    userId: people,
    itemId: ids,
    text: words,
    rating: value,
    time,
  })
  .map(compact)
const interaction = fc.record({ userId: people, itemId: ids, time, value }).map(compact)
const batch = <T>(record: fc.Arbitrary<T>) => fc.array(record, { maxLength: 5, size: 'max' })

class Write implements fc.Command<Model, Real> {
  constructor(
    private readonly items: Item[],
    private readonly reviews: Review[],
    private readonly interactions: Interaction[],
  ) {}
  check = () => true
  run(model: Model, real: Real): void {
    const records = { items: this.items, reviews: this.reviews, interactions: this.interactions }
    expect(real.store.write(records)).toEqual(model.write(this.items, this.reviews, this.interactions))
    compare(model, real)
  }
  toString = () => `write(${JSON.stringify([this.items, this.reviews, this.interactions])})`
}

class Remove implements fc.Command<Model, Real> {
  constructor(private readonly ids: string[]) {}
  check = () => true
  run(model: Model, real: Real): void {
    expect(real.store.removeItems(this.ids)).toBe(model.removeItems(this.ids))
    compare(model, real)
  }
  toString = () => `remove(${this.ids})`
}

class Forget implements fc.Command<Model, Real> {
  constructor(private readonly id: string) {}
  check = () => true
  run(model: Model, real: Real): void {
    real.store.forgetUser(this.id)
    model.forgetUser(this.id)
    compare(model, real)
  }
  toString = () => `forget(${this.id})`
}

class Encode implements fc.Command<Model, Real> {
  check = () => true
  run(model: Model, { store }: Real): void {
    const rows = store.itemSources(store.staleItems('s')).map(({ key, textVersion }) => ({
      key,
      textVersion,
      vector: Float32Array.of(1),
    }))
    store.putItemVectors('s', rows)
    model.stale.clear()
    expect(store.staleItems('s')).toEqual([])
  }
  toString = () => 'encode'
}

class Reopen implements fc.Command<Model, Real> {
  check = () => true
  run(model: Model, real: Real): void {
    real.store.close()
    real.store = openStore(real.folder, {})
    expect(real.store.check()).toEqual([])
    compare(model, real)
  }
  toString = () => 'reopen'
}

test('any sequence of writes, removals, forgetting and reopening agrees with plain maps', () => {
  const commands = fc.commands(
    [
      fc.tuple(batch(item), batch(review), batch(interaction)).map((parts) => new Write(...parts)),
      fc.tuple(batch(item), batch(review), batch(interaction)).map((parts) => new Write(...parts)),
      fc.array(ids, { maxLength: 2 }).map((some) => new Remove(some)),
      people.map((id) => new Forget(id)),
      fc.constant(new Encode()),
      fc.constant(new Reopen()),
    ],
    { maxCommands: 12, size: 'max' },
  )
  fc.assert(
    fc.property(commands, (sequence) => {
      fc.modelRun(() => {
        const folder = temporaryFolder()
        return { model: new Model(), real: { store: openStore(folder), folder } }
      }, sequence)
    }),
    { numRuns: 60, seed: 2 },
  )
})
