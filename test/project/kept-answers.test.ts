import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Interaction, type Item, Recommender, type Review } from 'textrec'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { resolveModel } from '#src/encode/resolve-model.js'
import { type Random, random } from '#src/math/random.js'
import { SAMPLE_SIZE } from '#src/recommend/scale.js'
import { safetensorsBytes } from '../../dist/scripts/toys/safetensors.js'
import { tinyModel } from '../../dist/scripts/toys/tiny-bert.js'
import { temporaryFolder } from './shelf.js'

/** Standardised by all items as they are now: every change makes every taste anew. */
const SMALL = 60
/** Standardised by a sample: tastes, what the index said to them and audiences are kept through changes. */
const LARGE = 2100
/** Items of the sample, which is drawn anew where these change: tests of what is kept leave them alone. */
const SAMPLED = new Set(Array.from({ length: SAMPLE_SIZE }, (_, i) => Math.floor((i * LARGE) / SAMPLE_SIZE)))
const PEOPLE = 30
const ROUNDS = 15
/** Everything that is asked is asked again and again: what is kept in memory must be what would be found now. */
const ASKED_PER_ROUND = 12
/** So few events that figures about everybody are not made anew in the background, at a time nobody knows. */
const EVENTS_BEFORE_INDEX = 12

const WORDS = 'whale storm ship vampire castle moon love war king garden knife guitar lawn soup robot'.split(
  ' ',
)
const folder = temporaryFolder()
const model = join(folder, 'model')
const options = {
  encoder: model,
  device: 'cpu',
  dtype: 'fp32',
  threads: 1,
  cacheDirectory: join(folder, 'cache'),
} as const
const opened: Recommender[] = []
const open = async (name: string) => {
  const shop = await Recommender.open(join(folder, name), options)
  opened.push(shop)
  return shop
}

/** A BERT of 16 hidden units. */
beforeAll(async () => {
  const { tokenizer } = await resolveModel('all-MiniLM-L6-v2', { hubDirectory: undefined })
  const tiny = tinyModel('bert', '', 'gelu')
  mkdirSync(model, { recursive: true })
  writeFileSync(join(model, 'model.safetensors'), safetensorsBytes(tiny.tensors))
  writeFileSync(join(model, 'config.json'), JSON.stringify(tiny.config))
  copyFileSync(tokenizer, join(model, 'tokenizer.json'))
})
afterAll(async () => {
  for (const shop of opened) await shop.close()
})

/** What a shop says, or how it refuses. */
type Question = readonly [name: string, ask: (shop: Recommender) => Promise<unknown>]

async function said([, ask]: Question, shop: Recommender): Promise<unknown> {
  try {
    return await ask(shop)
  } catch (error) {
    return { refused: (error as { code?: string }).code ?? String(error) }
  }
}

/** The same with numbers that may differ a little: an audience is standardised many at a time, in float32. */
function nearly(value: unknown): unknown {
  if (typeof value === 'number') return expect.closeTo(value, 3)
  if (Array.isArray(value)) return value.map(nearly)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, nearly(one)]))
}

class Script {
  private readonly draw: Random
  private nextItem: number
  private time = 0
  private readonly live: string[] = []
  readonly people = Array.from({ length: PEOPLE }, (_, p) => `person-${p}`)

  constructor(
    seed: number,
    private readonly size: number,
  ) {
    this.draw = random(seed)
    this.nextItem = size
  }

  /** An item whose texts may change. */
  movable(): string {
    if (this.size === SMALL) return this.one(this.live)
    for (;;) {
      const at = this.below(this.size)
      if (!SAMPLED.has(at)) return `item-${at}`
    }
  }

  below(count: number): number {
    return this.draw.integer(count)
  }

  one<T>(of: readonly T[]): T {
    return of[this.below(of.length)]
  }

  words(count: number): string {
    return Array.from({ length: count }, () => this.one(WORDS)).join(' ')
  }

  item(id: string): Item {
    return {
      id,
      ...(this.below(8) > 0 ? { title: this.words(2) } : {}),
      ...(this.below(5) > 0 ? { description: this.words(6) } : {}),
      attributes: {
        price: this.below(20),
        ...(this.below(3) > 0 ? { colour: this.one(['red', 'green', 'blue']) } : {}),
      },
    }
  }

  interaction(): Interaction {
    // Few times, so that some of them replace what was there.
    return {
      userId: this.one(this.people),
      itemId: this.one(this.live),
      time: Date.UTC(2024, 0, 1 + this.below(3)),
      value: 1 + this.below(5),
    }
  }

  review(): Review {
    this.time++
    const { userId } = this.interaction()
    const itemId = this.movable()
    const time = Date.UTC(2025, 0, 1) + this.time
    return { userId, itemId, rating: 1 + this.below(5), text: this.words(5), time }
  }

  records(): { items: Item[]; interactions: Interaction[]; reviews: Review[] } {
    const items = Array.from({ length: this.size }, (_, i) => this.item(`item-${i}`))
    this.live.push(...items.map(({ id }) => id))
    const interactions = Array.from({ length: PEOPLE * 6 }, () => this.interaction())
    return { items, interactions, reviews: Array.from({ length: PEOPLE }, () => this.review()) }
  }

  /** One change of the catalogue. @returns events that it may have moved */
  async change(shop: Recommender): Promise<number> {
    switch (this.size === SMALL ? this.below(9) : 1 + this.below(5)) {
      case 0: {
        const id = `item-${this.nextItem++}`
        this.live.push(id)
        await shop.upsert({ items: [this.item(id)] })
        return 0
      }
      case 1:
      case 2:
        await shop.upsert({ items: [this.item(this.movable())] })
        return 0
      case 3:
      case 4:
        await shop.upsert({ interactions: [this.interaction()] })
        return 1
      case 5:
        await shop.upsert({ reviews: [this.review()] })
        return 1
      case 6: {
        const id = this.live.splice(this.below(this.live.length), 1)[0]
        await shop.remove({ items: [id] })
        return 0
      }
      case 7: {
        const id = `item-${this.nextItem++}`
        this.live.push(id)
        const interactions = [0, 1].map(() => ({ ...this.interaction(), itemId: id }))
        await shop.upsert({ items: [this.item(id)], interactions })
        return 2
      }
      default:
        if (this.below(4) === 0) await shop.forget({ user: this.one(this.people) })
        return 0
    }
  }

  /** Some changes of the catalogue, of one process or several. */
  async changes(shops: readonly Recommender[]): Promise<number> {
    let events = 0
    for (let left = 1 + this.below(3); left > 0; left--) events += await this.change(this.one(shops))
    return events
  }

  questions(): Question[] {
    const people = Array.from({ length: 4 }, () => this.one(this.people))
    const items = Array.from({ length: 3 }, () => this.one(this.live))
    const cheap = { price: { $lt: 7 } }
    return [
      ...people.flatMap((user): Question[] => [
        [`recommend ${user}`, (shop) => shop.recommend({ user })],
        [`recommend ${user}, cheap`, (shop) => shop.recommend({ user, k: 5, filter: cheap })],
        [`recommend ${user}, why`, (shop) => shop.recommend({ user, k: 3, reasons: true })],
        [
          `recommend ${user}, ruled`,
          (shop) =>
            shop.recommend({
              user,
              k: 8,
              excludeSeen: false,
              diversity: 0.4,
              novelty: 0.3,
              atMostPer: { attribute: 'colour', n: 2 },
              boost: { filter: { price: { $gte: 15 } }, by: 0.5 },
            }),
        ],
        [`explain to ${user}`, (shop) => shop.explain({ user, item: items[0] })],
      ]),
      ['recommend to some', (shop) => shop.recommend({ users: people, k: 6 })],
      ['recommend to nobody', (shop) => shop.recommend({ k: 7 })],
      ['recommend by words', (shop) => shop.recommend({ text: 'a whale in a storm', likes: [items[1]] })],
      ...items.flatMap((id): Question[] => [
        [`similar to ${id}`, (shop) => shop.similarItems(id)],
        [`audience of ${id}`, (shop) => shop.audience(id, { k: 8 })],
      ]),
      ['audience having', (shop) => shop.audience(items[0], { filter: { colour: 'red' }, k: 5 })],
      ['audience unseen', (shop) => shop.audience({ title: 'king of the castle' }, { k: 5 })],
      ['search', (shop) => shop.search('whale storm', { k: 8 })],
      ['search, filtered', (shop) => shop.search('love', { filter: { $not: { colour: 'blue' } } })],
    ]
  }
}

test.each([
  ['small', SMALL],
  ['large', LARGE],
])(
  'a %s project that stays open answers as one opened now',
  async (name, size) => {
    const script = new Script(1, size)
    const shop = await open(name)
    await shop.upsert(script.records())
    await shop.index()
    const other = await open(name)
    const questions = script.questions()
    for (const question of questions) await said(question, shop)
    let events = 0
    for (let round = 0; round < ROUNDS; round++) {
      events += await script.changes([shop, other])
      if (events >= EVENTS_BEFORE_INDEX) {
        await script.one([shop, other]).index()
        events = 0
      }
      const asked = Array.from({ length: ASKED_PER_ROUND }, () => script.one(questions))
      const fresh = await Recommender.open(join(folder, name), options)
      for (const question of asked) {
        const kept = await said(question, shop)
        const now = await said(question, fresh)
        expect({ round, asked: question[0], kept }).toEqual({
          round,
          asked: question[0],
          kept: question[0].startsWith('audience') ? nearly(now) : now,
        })
      }
      await fresh.close()
    }
  },
  120_000,
)
