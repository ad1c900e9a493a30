import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Basis, type Item, Recommender, sampleFiles } from 'textrec'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { temporaryFolder } from './shelf.js'
import { publishAdapter } from './trained.js'

const NEW: Item = {
  id: 'lighthouse-vampire',
  title: 'The Vampire of the Lighthouse',
  description: 'A vampire count haunts a lonely lighthouse.',
}
/** A reader of the sample, whom only the second state brings. */
const PERSON = 'lizzie_b_reads'
const THEIRS = readFileSync(sampleFiles().reviews, 'utf8')
  .split('\n')
  .filter((line) => line.includes(PERSON))
  .map((line): string => JSON.parse(line).item_id)

interface State {
  readonly name: string
  readonly prepare: () => Promise<void>
  /** What speaks for items by text, and for a person with a history. */
  readonly text: Basis
  readonly fused: Basis
}

const STATES: readonly State[] = [
  {
    name: 'no interactions at all',
    prepare: async () => {
      await shop.import({ items: sampleFiles().items })
      await shop.index()
    },
    text: 'frozen text',
    fused: 'frozen text',
  },
  {
    name: 'interactions, but no adapter',
    prepare: async () => {
      await shop.import({ reviews: sampleFiles().reviews })
      await shop.index()
    },
    text: 'frozen text',
    fused: 'fused',
  },
  {
    name: 'a trained adapter',
    prepare: async () => {
      await openSample()
      await publishAdapter(shop)
    },
    text: 'adapter',
    fused: 'fused',
  },
  {
    name: 'a trained adapter that feels when things were taken',
    prepare: async () => {
      await openSample()
      await publishAdapter(shop, { model: 'sasrec-long', length: 40 })
    },
    text: 'adapter',
    fused: 'fused',
  },
]

/** A project of its own: what was asked and added before would decide what the guard prefers. */
async function openSample(): Promise<void> {
  await shop.close()
  folder = temporaryFolder()
  shop = await Recommender.open(folder, { threads: 1, dtype: 'int8' })
  await shop.import(sampleFiles())
  await shop.index()
}

let folder = temporaryFolder()
let shop: Recommender
beforeAll(async () => {
  shop = await Recommender.open(folder, { threads: 1, dtype: 'int8' })
})
afterAll(() => shop.close())

describe.each(STATES)('with $name', ({ fused, prepare, text }) => {
  const hasPeople = fused === 'fused'
  beforeAll(prepare, 300_000)

  test('likes, dislikes and words', async () => {
    const { basis, items } = await shop.recommend({ likes: ['dracula'], dislikes: ['emma'], k: 5 })
    expect(basis).toBe(fused)
    expect(items).toHaveLength(5)
    const words = await shop.recommend({ text: 'a vampire count in a castle', k: 30 })
    expect(words.basis).toBe(text)
    expect(words.items.map(({ itemId }) => itemId)).toContain('dracula')
  })

  test('somebody without any signal', async () => {
    expect(await shop.recommend({ k: 5 })).toMatchObject({ basis: 'popular', items: { length: 5 } })
  })

  test('a known person', async () => {
    if (!hasPeople) {
      await expect(shop.recommend({ user: PERSON })).rejects.toMatchObject({ code: 'NOT_FOUND' })
      return
    }
    const { basis, items } = await shop.recommend({ user: PERSON, k: 5, reasons: true })
    expect(basis).toBe(fused)
    expect(items).toHaveLength(5)
    for (const { itemId, reasons } of items) {
      expect(THEIRS).not.toContain(itemId)
      for (const like of reasons?.likes ?? []) expect(THEIRS).toContain(like.itemId)
    }
  })

  test('items like a stored one, and like one nobody has seen', async () => {
    for (const answer of [
      await shop.similarItems('dracula', { k: 5 }),
      await shop.similarToItem({ title: NEW.title, description: NEW.description }, { k: 5 }),
    ]) {
      expect(answer.basis).toBe(text)
      expect(answer.items).toHaveLength(5)
    }
  })

  test('the audience of a stored item, and of one nobody has seen', async () => {
    const stored = await shop.audience('dracula', { k: 5 })
    expect(stored.basis).toBe(fused)
    const unseen = await shop.audience({ title: NEW.title, description: NEW.description }, { k: 5 })
    expect(unseen.basis).toBe(text)
    for (const { people } of [stored, unseen]) expect(people).toHaveLength(hasPeople ? 5 : 0)
  })

  test('reasons', async () => {
    const explained = await shop.explain({ likes: ['frankenstein', 'emma'], item: 'dracula' })
    expect(explained.basis).toBe(fused)
    for (const { itemId } of explained.likes) expect(['frankenstein', 'emma']).toContain(itemId)
  })

  test('search by words, by meaning and by both', async () => {
    for (const mode of ['text', 'vector', 'hybrid'] as const) {
      const { basis, items } = await shop.search('vampire count', { mode, k: 10 })
      expect(items.map(({ itemId }) => itemId)).toContain('dracula')
      expect(['frozen text', 'adapter']).toContain(basis)
    }
  })

  test('a new item counts at once, and is gone at once', async () => {
    await shop.upsert({ items: [NEW] })
    const found = await shop.search('vampire lighthouse', { k: 3 })
    expect(found.items.map(({ itemId }) => itemId)).toContain(NEW.id)
    expect((await shop.similarItems(NEW.id, { k: 5 })).items).toHaveLength(5)
    await shop.remove({ items: [NEW.id] })
    const after = await shop.search('vampire lighthouse', { k: 50 })
    expect(after.items.map(({ itemId }) => itemId)).not.toContain(NEW.id)
  })
})

test('how far apart things were taken counts, in which year does not; opened again all answers are the same', async () => {
  const [DAY, taken] = [86_400_000, ['dracula', 'emma', 'frankenstein', 'middlemarch']]
  const reader = (userId: string, start: number, gap: number) =>
    taken.map((itemId, i) => ({ userId, itemId, time: start + gap * i }))
  const now = Date.UTC(2020, 3)
  await shop.upsert({
    interactions: [
      ...reader('monthly', now, 30 * DAY),
      ...reader('monthly before', now - 4000 * DAY, 30 * DAY),
      ...reader('in a minute', now, 10_000),
    ],
  })
  const answersNow = async () => ({
    monthly: await shop.recommend({ user: 'monthly', k: 20 }),
    before: await shop.recommend({ user: 'monthly before', k: 20 }),
    minute: await shop.recommend({ user: 'in a minute', k: 20 }),
    known: await shop.recommend({ user: PERSON, k: 20, reasons: true }),
    audience: await shop.audience('dracula', { k: 20 }),
  })
  const answers = await answersNow()
  expect(answers.before).toEqual(answers.monthly)
  expect(answers.minute).not.toEqual(answers.monthly)
  await shop.close()
  shop = await Recommender.open(folder, { threads: 1, dtype: 'int8' })
  expect(await answersNow()).toEqual(answers)
})

test('what was trained on somebody who is forgotten names them nowhere', async () => {
  const traces = () =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((path) => readFileSync(path).includes(PERSON))
  expect(traces().length).toBeGreaterThan(0)
  expect(readdirSync(join(folder, 'adapters'))).toHaveLength(1)
  expect(await shop.forget({ user: PERSON })).toMatchObject({ found: true, retrain: true })
  expect(traces()).toEqual([])
})
