import { execFileSync } from 'node:child_process'
import { existsSync, lstatSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { type Answer, Recommender } from 'textrec'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { answerEveryone } from '#src/project/everyone.js'
import { Store } from '#src/store/index.js'
import { groupOf, ITEMS, REVIEWS, temporaryFolder } from './shelf.js'

const code = (value: string) => expect.objectContaining({ name: 'TextrecError', code: value })
const ids = ({ items }: Answer) => items.map(({ itemId }) => itemId)

/** What holds of every answer, whatever was asked. */
function expectWellFormed({ items }: Answer, k: number): void {
  expect(items.length).toBeLessThanOrEqual(k)
  expect(items.map(({ rank }) => rank)).toEqual(items.map((_, i) => i + 1))
  expect(new Set(items.map(({ itemId }) => itemId)).size).toBe(items.length)
  for (let i = 1; i < items.length; i++) expect(items[i].score).toBeLessThanOrEqual(items[i - 1].score)
  for (const { score } of items) expect(Number.isFinite(score)).toBe(true)
}

const SIX = ['f1', 'f2', 'f3', 'f4', 'f5', 'f6']
/** Six people who take a classical guitar also take pruning shears, and something nobody has described. */
const CROWD = SIX.flatMap((userId) => [
  { userId, itemId: 'guitar-1' },
  { userId, itemId: 'garden-3' },
  { userId, itemId: 'ghost' },
])
const OTHERS = ['g1', 'g2', 'g3'].flatMap((userId) => [
  { userId, itemId: 'kitchen-2' },
  { userId, itemId: 'kitchen-4' },
])

describe('on texts alone', () => {
  let shop: Recommender
  beforeAll(async () => {
    shop = await Recommender.open(temporaryFolder(), { threads: 1 })
    await shop.upsert({ items: ITEMS })
    await shop.index()
  })
  afterAll(() => shop.close())

  test('somebody nobody has seen is answered from likes, dislikes and words', async () => {
    const liked = await shop.recommend({ likes: ['guitar-1', 'guitar-3'], k: 2 })
    expect(liked.basis).toBe('frozen text')
    expect(ids(liked).sort()).toEqual(['guitar-2', 'guitar-4'])
    const said = await shop.recommend({ text: 'something to water my flowers with', k: 2 })
    expect(ids(said).sort()).toEqual(['garden-1', 'garden-4'])
    const both = await shop.recommend({ likes: ['kitchen-2'], dislikes: ['guitar-1'], k: 10 })
    expect(groupOf(ids(both)[0])).toBe('kitchen')
    expect(ids(both)).not.toContain('guitar-1')
    expect(groupOf(ids(both)[9])).toBe('guitar')
  })

  test('a sentence that a text repeats is named once', async () => {
    const sentence = 'Waters every flower bed.'
    const description = `Made of steel. ${sentence} ${sentence} Comes in grey.`
    await shop.upsert({ items: [{ id: 'echo', title: 'Model 7', description }] })
    const { sentences } = await shop.explain({ text: 'to water my flowers with', item: 'echo' })
    expect(sentences.filter(({ text }) => text === sentence)).toHaveLength(1)
    await shop.remove({ items: ['echo'] })
  })

  test('somebody without any signal gets a stated default, as long as there are items', async () => {
    const answer = await shop.recommend({ k: 100 })
    expect(answer.basis).toBe('popular')
    expect(ids(answer).sort()).toEqual(ITEMS.map(({ id }) => id).sort())
  })

  test('unknown ids are refused by name', async () => {
    await expect(shop.recommend({ user: 'nobody' })).rejects.toThrow(code('NOT_FOUND'))
    await expect(shop.recommend({ users: ['nobody'] })).rejects.toThrow(code('NOT_FOUND'))
    for (const option of ['likes', 'dislikes', 'pin', 'block']) {
      await expect(shop.recommend({ [option]: ['no-such-item'] })).rejects.toThrow(/no-such-item/)
    }
    await expect(shop.explain({ user: 'nobody', item: 'guitar-1' })).rejects.toThrow(code('NOT_FOUND'))
    await expect(shop.explain({ item: 'no-such-item' })).rejects.toThrow(code('NOT_FOUND'))
    await expect(shop.audience('no-such-item')).rejects.toThrow(code('NOT_FOUND'))
    const long = 'x'.repeat(5000)
    for (const who of [{ user: long }, { likes: [long] }]) {
      await expect(shop.recommend(who)).rejects.toThrow(/^There is .{50,300}$/)
    }
  })

  test('a question that was stopped before it began is not answered', async () => {
    const signal = AbortSignal.abort()
    for (const answer of [
      shop.similarItems('guitar-1', { signal }),
      shop.search('guitar', { mode: 'text', signal }),
      shop.audience('guitar-1', { signal }),
      shop.explain({ item: 'guitar-1', signal }),
    ]) {
      await expect(answer).rejects.toThrow(code('ABORTED'))
    }
  })

  test('options that cannot be are refused', async () => {
    const wrong: object[] = [
      { diversity: 2 },
      { atMostPer: { attribute: 'group', n: 0 } },
      { atMostPer: { attribute: 'group', n: 1, of: 2 } },
      { atMostPer: { attribute: 'gruop', n: 1 } },
      { boost: { filter: {}, by: 1000 } },
      { likes: 'guitar-1' },
      { user: 'a', users: ['b'] },
    ]
    for (const options of wrong) await expect(shop.recommend(options)).rejects.toThrow(code('OPTION_INVALID'))
    await expect(shop.recommend({ divresity: 1 } as object)).rejects.toThrow(/Did you mean 'diversity'/)
    await expect(shop.forget({} as { user: string })).rejects.toThrow(code('OPTION_INVALID'))
    const untyped = shop as unknown as { [call: string]: () => Promise<unknown> }
    for (const call of ['explain', 'recommendAll', 'import']) {
      await expect(untyped[call](), call).rejects.toThrow(code('OPTION_INVALID'))
    }
    await expect(shop.recommendAll({ out: tmpdir() })).rejects.toThrow(code('OPTION_INVALID'))
    await expect(shop.upsert({ reviews: 'x' } as never)).rejects.toThrow(code('RECORD_INVALID'))
    await expect(shop.upsert({ items: new Array(2) })).rejects.toThrow(code('RECORD_INVALID'))
  })

  test('an audience of nobody is empty', async () => {
    expect(await shop.audience('guitar-1')).toEqual({ basis: 'frozen text', people: [] })
  })
})

describe('on texts and interactions', () => {
  const folder = temporaryFolder()
  let shop: Recommender
  beforeAll(async () => {
    shop = await Recommender.open(folder, { threads: 1 })
    await shop.upsert({
      items: ITEMS.map((item, i) => ({ ...item, attributes: { group: groupOf(item.id), price: i } })),
      reviews: REVIEWS,
      interactions: [...CROWD, ...OTHERS],
    })
    await shop.index()
  })
  afterAll(() => shop.close())

  test('a known person gets what is near their history, nothing that they have, the same every time', async () => {
    const answer = await shop.recommend({ user: 'ann', k: 11 })
    expectWellFormed(answer, 11)
    expect(ids(answer)).toHaveLength(11)
    expect(ids(answer)).not.toContain('guitar-1')
    expect(ids(answer)).not.toContain('guitar-4')
    expect(await shop.recommend({ user: 'ann', k: 11 })).toEqual(answer)
  })

  test('interactions lift what text alone would leave behind, and items without any text', async () => {
    const answer = await shop.recommend({ user: 'ann', k: 20 })
    expect(answer.basis).toBe('fused')
    expect(ids(answer).indexOf('ghost')).toBeLessThan(5)
    const byText = (await shop.recommend({ likes: ['guitar-4'], k: 20 })).items
    const place = ({ items }: Pick<Answer, 'items'>) =>
      items
        .filter(({ itemId }) => groupOf(itemId) !== 'guitar')
        .findIndex(({ itemId }) => itemId === 'garden-3')
    expect(place(answer)).toBeLessThan(place({ items: byText }))
    const cold = await shop.recommend({ likes: ['guitar-1'], k: 5 })
    expect(cold.basis).toBe('fused')
    expect(ids(cold)).toContain('ghost')
  })

  test('what was disliked is left out, but counts for nothing', async () => {
    const { basis, items } = await shop.recommend({ user: 'bob', k: 20 })
    expect(basis).toBe('frozen text')
    expect(items.map(({ itemId }) => itemId)).not.toContain('garden-2')
    expect(groupOf(items[0].itemId)).toBe('kitchen')
  })

  test('somebody whose history says nothing gets what is popular', async () => {
    await shop.upsert({ reviews: [{ userId: 'dee', itemId: 'guitar-2', rating: 1 }] })
    const answer = await shop.recommend({ user: 'dee', k: 3 })
    expect(answer.basis).toBe('popular')
    expectWellFormed(answer, 3)
    expect(ids(answer)).toContain('guitar-1')
  })

  test('many people in one call get what each would get alone', async () => {
    const users = ['ann', 'bob', 'f1', 'g1', 'cem']
    for (const options of [{}, { diversity: 0.5 }, { filter: { group: 'garden' } }]) {
      const together = await shop.recommend({ users, k: 4, ...options })
      expect(together.map(({ userId }) => userId)).toEqual(users)
      for (const { userId, ...answer } of together) {
        expect(answer).toEqual(await shop.recommend({ user: userId, k: 4, ...options }))
      }
    }
    expect(await shop.recommend({ users: [] })).toEqual([])
  })

  test('a new interaction counts from the next call on, here and in another open project', async () => {
    const other = await Recommender.open(folder, { threads: 1 })
    const before = await other.recommend({ user: 'g1', k: 3 })
    await shop.upsert({ interactions: [{ userId: 'g1', itemId: ids(before)[0] }] })
    for (const project of [shop, other]) {
      const now = await project.recommend({ user: 'g1', k: 20 })
      expect(ids(now)).not.toContain(ids(before)[0])
      const all = await project.recommend({ user: 'g1', k: 20, excludeSeen: false })
      expect(ids(all)).toContain(ids(before)[0])
    }
    await shop.upsert({ interactions: [{ userId: 'new', itemId: 'garden-1' }] })
    expect(groupOf(ids(await other.recommend({ user: 'new', k: 1 }))[0])).toBe('garden')
    await other.close()
  })

  test('a removed item is gone at once, even where only interactions know it', async () => {
    await shop.upsert({ interactions: SIX.map((userId) => ({ userId, itemId: 'phantom' })) })
    await shop.index()
    expect(ids(await shop.recommend({ user: 'ann', k: 20 }))).toContain('phantom')
    await shop.remove({ items: ['phantom'] })
    const left = await shop.recommend({ user: 'ann', k: 20 })
    expectWellFormed(left, 20)
    expect(ids(left)).not.toContain('phantom')
    expect(ids(left)).toHaveLength((await shop.stats()).items - 2)
  })

  test('never fewer than k while k match, however few match', async () => {
    for (const { id } of ITEMS.slice(0, 8)) {
      const answer = await shop.recommend({ user: 'f1', k: 3, excludeSeen: false, filter: { id } })
      expect(ids(answer)).toEqual([id])
    }
    const ghost = await shop.recommend({ user: 'bob', k: 3, filter: { id: 'ghost' } })
    expect(ids(ghost)).toEqual(['ghost'])
    expect(ids(await shop.recommend({ user: 'ann', filter: { id: 'guitar-1' } }))).toEqual([])
  })

  test('rules hold whatever they are, alone and together', async () => {
    const id = fc.constantFrom(...ITEMS.map((item) => item.id))
    const question = fc.record({
      k: fc.integer({ min: 1, max: 14 }),
      user: fc.constantFrom('ann', 'bob', 'f1', 'g2'),
      diversity: fc.constantFrom(0, 0.3, 1),
      n: fc.constantFrom(undefined, 1, 2),
      pin: fc.uniqueArray(id, { maxLength: 3 }),
      block: fc.uniqueArray(id, { maxLength: 4 }),
      minScore: fc.constantFrom(undefined, -0.5, 0.5),
      novelty: fc.constantFrom(0, 1),
      boost: fc.constantFrom(undefined, { filter: { group: 'garden' }, by: 3 }),
      filter: fc.constantFrom(undefined, { price: { $lt: 8 } }, { group: { $ne: 'kitchen' } }),
    })
    const seen = new Map<string, Set<string>>()
    for (const user of ['ann', 'bob', 'f1', 'g2']) {
      const rest = new Set(ids(await shop.recommend({ user, k: 100 })))
      const all = ids(await shop.recommend({ user, k: 100, excludeSeen: false }))
      seen.set(user, new Set(all.filter((one) => !rest.has(one))))
    }
    const priceOf = (one: string) => ITEMS.findIndex((item) => item.id === one)
    await fc.assert(
      fc.asyncProperty(question, async ({ n, ...rules }) => {
        const { block, filter, k, minScore, user } = rules
        const atMostPer = n === undefined ? undefined : { attribute: 'group', n }
        const answer = await shop.recommend({ ...rules, atMostPer })
        expectWellFormed(answer, k)
        const pins = rules.pin.filter((one) => !block.includes(one)).slice(0, k)
        expect(ids(answer).slice(0, pins.length)).toEqual(pins)
        expect(answer.items.filter(({ pinned }) => pinned).map(({ itemId }) => itemId)).toEqual(pins)
        const free = answer.items.slice(pins.length)
        for (const { itemId, score } of free) {
          expect(block).not.toContain(itemId)
          expect(seen.get(user)?.has(itemId)).toBe(false)
          if (minScore !== undefined) expect(score).toBeGreaterThanOrEqual(minScore)
          if (filter !== undefined && 'price' in filter) expect(priceOf(itemId)).toBeLessThan(8)
          if (filter !== undefined && 'group' in filter) expect(groupOf(itemId)).not.toBe('kitchen')
        }
        if (n !== undefined) {
          const described = ids(answer).filter((one) => priceOf(one) >= 0)
          for (const group of ['guitar', 'kitchen', 'garden']) {
            const count = described.filter((one) => groupOf(one) === group).length
            expect(count).toBeLessThanOrEqual(
              Math.max(n, pins.filter((one) => groupOf(one) === group).length),
            )
          }
        } else if (minScore === undefined && filter === undefined) {
          const hidden = new Set([...(seen.get(user) ?? []), ...block].filter((one) => !pins.includes(one)))
          expect(answer.items.length).toBe(Math.min(k, (await shop.stats()).items - hidden.size))
        }
        expect(await shop.recommend({ ...rules, atMostPer })).toEqual(answer)
      }),
      { numRuns: 80 },
    )
  })

  test('a boost lifts, novelty lowers the popular, diversity mixes groups', async () => {
    const boosted = await shop.recommend({
      user: 'bob',
      k: 3,
      boost: { filter: { group: 'guitar' }, by: 20 },
    })
    expect(ids(boosted).map(groupOf)).toEqual(['guitar', 'guitar', 'guitar'])
    const place = async (novelty: number) =>
      ids(await shop.recommend({ user: 'bob', k: 20, novelty })).indexOf('guitar-1')
    expect(await place(3)).toBeGreaterThan(await place(0))
    const groups = async (diversity: number) =>
      new Set(ids(await shop.recommend({ likes: ['guitar-2'], k: 3, diversity })).map(groupOf)).size
    expect(await groups(0.9)).toBeGreaterThanOrEqual(await groups(0))
  })

  test('an audience is led by those who took the like, without those who have it', async () => {
    const { people } = await shop.audience({ title: 'Ukulele', description: 'A small guitar' }, { k: 100 })
    expect(people.map(({ rank }) => rank)).toEqual(people.map((_, i) => i + 1))
    const place = (userId: string) => people.findIndex((one) => one.userId === userId)
    expect(place('ann')).toBeLessThan(place('bob'))
    expect(place('cem')).toBeLessThan(place('bob'))
    const stored = await shop.audience('guitar-1', { k: 100 })
    expect(stored.people.map(({ userId }) => userId)).not.toContain('ann')
    const owners = await shop.audience('guitar-1', { k: 100, excludeOwners: false })
    expect(owners.people.map(({ userId }) => userId)).toContain('ann')
    const cooks = await shop.audience('guitar-1', { filter: { group: 'kitchen' } })
    expect(cooks.people.map(({ userId }) => userId)).not.toContain('cem')
    expect(cooks.people.map(({ userId }) => userId)).toContain('bob')
  })

  test('a new person and a new interaction count in the next audience', async () => {
    await shop.upsert({ interactions: [{ userId: 'late', itemId: 'kitchen-3' }] })
    const { people } = await shop.audience({ title: 'A pot for soup', description: 'Copper pot for pasta' })
    expect(people[0].userId).toBe('late')
  })

  test('reasons name what was liked, with shares, and sentences of the catalogue', async () => {
    const answer = await shop.recommend({ user: 'ann', k: 6, reasons: true })
    const text = [...ITEMS.map(({ description }) => description), ...REVIEWS.map((review) => review.text)]
    for (const { reasons } of answer.items) {
      expect(reasons).toBeDefined()
      const shares = reasons?.likes.map(({ share }) => share) ?? []
      expect(shares.reduce((sum, share) => sum + share, 0)).toBeLessThanOrEqual(1 + 1e-9)
      expect([...shares].sort((a, b) => b - a)).toEqual(shares)
      for (const like of reasons?.likes ?? []) expect(['guitar-1', 'guitar-4']).toContain(like.itemId)
      for (const sentence of reasons?.sentences ?? []) {
        expect(text.some((one) => one?.includes(sentence.text))).toBe(true)
        expect(sentence.drop).toBeGreaterThan(0)
      }
    }
    const explained = await shop.explain({ user: 'ann', item: answer.items[0].itemId })
    expect(explained).toMatchObject({ basis: 'fused', score: answer.items[0].score })
    expect(explained.likes).toEqual(answer.items[0].reasons?.likes)
  })

  test('words are a reason of their own', async () => {
    const { likes } = await shop.explain({ text: 'watering flowers', item: 'garden-4' })
    expect(likes).toEqual([{ share: 1 }])
    const popular = await shop.explain({ item: 'garden-4' })
    expect(popular).toMatchObject({ basis: 'popular', likes: [], sentences: [] })
  })

  test('everybody goes to a file, which a second run finishes', async () => {
    const out = join(temporaryFolder(), 'all.jsonl')
    const stop = new AbortController()
    await expect(shop.recommendAll({ out, signal: AbortSignal.abort() })).rejects.toThrow(code('ABORTED'))
    expect(existsSync(out)).toBe(false)
    const report = await shop.recommendAll({ out, k: 3, signal: stop.signal })
    const lines = readFileSync(out, 'utf8').trimEnd().split('\n')
    expect(report).toEqual({ out, people: lines.length, resumed: 0 })
    expect(lines).toHaveLength((await shop.stats()).users)
    for (const line of lines) {
      const { userId, ...answer } = JSON.parse(line)
      expect(answer).toEqual(JSON.parse(JSON.stringify(await shop.recommend({ user: userId, k: 3 }))))
    }
  })
})

describe('small catalogues', () => {
  async function withShop(
    fill: (shop: Recommender) => Promise<unknown>,
    use: (shop: Recommender) => Promise<void>,
  ) {
    const shop = await Recommender.open(temporaryFolder(), { threads: 1 })
    await fill(shop)
    await shop.index()
    await use(shop)
    await shop.close()
  }

  test('an empty one gives empty answers', () =>
    withShop(
      async () => undefined,
      async (shop) => {
        expect(await shop.recommend({})).toEqual({ basis: 'popular', items: [] })
        expect(await shop.recommend({ text: 'anything' })).toMatchObject({ items: [] })
        expect((await shop.audience({ title: 'anything' })).people).toEqual([])
      },
    ))

  test('one item is recommended until it is seen', () =>
    withShop(
      (shop) => shop.upsert({ items: [ITEMS[0]], interactions: [{ userId: 'u', itemId: 'guitar-1' }] }),
      async (shop) => {
        expect(ids(await shop.recommend({ user: 'u', k: 5 }))).toEqual([])
        expect(ids(await shop.recommend({ user: 'u', k: 5, excludeSeen: false }))).toEqual(['guitar-1'])
        expect(ids(await shop.recommend({ text: 'a guitar', k: 5 }))).toEqual(['guitar-1'])
      },
    ))

  test('everyone likes everything: nothing is left, or everything, and no score is infinite', () =>
    withShop(
      (shop) =>
        shop.upsert({
          items: ITEMS,
          interactions: SIX.flatMap((userId) => ITEMS.map(({ id }) => ({ userId, itemId: id }))),
        }),
      async (shop) => {
        expect(ids(await shop.recommend({ user: 'f1' }))).toEqual([])
        const all = await shop.recommend({ user: 'f1', k: 50, excludeSeen: false })
        expectWellFormed(all, 50)
        expect(all.items).toHaveLength(12)
        expectWellFormed(await shop.recommend({ k: 50 }), 50)
      },
    ))

  test('without texts there are neighbours still', () =>
    withShop(
      (shop) => shop.upsert({ interactions: [...CROWD, ...OTHERS, { userId: 'x', itemId: 'ghost' }] }),
      async (shop) => {
        const answer = await shop.recommend({ user: 'x', k: 2 })
        expect(answer.basis).toBe('fused')
        expect(ids(answer).sort()).toEqual(['garden-3', 'guitar-1'])
      },
    ))
})

describe('a run for everybody that was killed', () => {
  test('goes on after its whole lines, and drops the torn one', async () => {
    const store = Store.open(temporaryFolder(), { create: true })
    const out = join(temporaryFolder(), 'all.jsonl')
    const asked: string[] = []
    const run = (fingerprint: string, failAfter: number) =>
      answerEveryone(store, {
        out,
        userIds: Array.from({ length: 300 }, (_, i) => `u${i}`),
        fingerprint,
        answer: async (userIds) => {
          if (asked.length >= failAfter) throw new Error('killed')
          asked.push(...userIds)
          return userIds.map((userId) => ({ userId, basis: 'popular' as const, items: [] }))
        },
        signal: undefined,
        onProgress: undefined,
      })
    await expect(run('a', 128)).rejects.toThrow('killed')
    expect(existsSync(out)).toBe(false)
    const [partial] = readdirSync(join(out, '..'))
    writeFileSync(join(out, '..', partial), '{"userId":"u128","ba', { flag: 'a' })
    asked.length = 0
    expect(await run('a', 1e9)).toEqual({ out, people: 300, resumed: 128 })
    expect(asked).toHaveLength(172)
    const lines = readFileSync(out, 'utf8').trimEnd().split('\n')
    expect(lines.map((line) => JSON.parse(line).userId)).toEqual(
      Array.from({ length: 300 }, (_, i) => `u${i}`),
    )
    expect(readdirSync(join(out, '..'))).toEqual(['all.jsonl'])
    expect(await run('another question', 1e9)).toMatchObject({ resumed: 0 })
    store.close()
  })
})

describe('where a run for everybody writes', () => {
  const store = Store.open(temporaryFolder(), { create: true })
  afterAll(() => store.close())
  const folder = temporaryFolder()
  const runTo = (out: string) =>
    answerEveryone(store, {
      ...{ out, userIds: ['u'], fingerprint: 'a', signal: undefined, onProgress: undefined },
      answer: async () => [{ userId: 'u', basis: 'popular', items: [] }],
    })

  test('what is there and is no file stays, and nothing is left beside it', async () => {
    const pipe = join(folder, 'pipe')
    execFileSync('mkfifo', [pipe])
    for (const out of [pipe, folder, `${folder}/a\0b`, join(folder, 'x'.repeat(250))]) {
      await expect(runTo(out)).rejects.toThrow(code('OPTION_INVALID'))
    }
    expect(lstatSync(pipe).isFIFO()).toBe(true)
    expect(readdirSync(folder)).toEqual(['pipe'])
  })

  test('a link stays a link, and what it leads to is written', async () => {
    const [link, target] = [join(folder, 'link'), join(folder, 'target.jsonl')]
    writeFileSync(target, 'old')
    symlinkSync(target, link)
    await runTo(link)
    expect(lstatSync(link).isSymbolicLink()).toBe(true)
    expect(JSON.parse(readFileSync(target, 'utf8')).userId).toBe('u')
  })
})
