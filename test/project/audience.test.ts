import { Recommender } from 'textrec'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ITEMS, REVIEWS, temporaryFolder } from './shelf.js'

const folder = temporaryFolder()
let shop: Recommender
beforeAll(async () => {
  shop = await Recommender.open(folder, { threads: 1 })
  const takers = ['f1', 'f2', 'f3', 'f4'].flatMap((userId) => [
    { userId, itemId: 'guitar-1' },
    { userId, itemId: 'garden-3' },
    { userId, itemId: 'ghost' },
  ])
  const others = ['g1', 'g2'].flatMap((userId) => [
    { userId, itemId: 'kitchen-2' },
    { userId, itemId: 'kitchen-4' },
  ])
  // What nobody has described has no vector: of the last one only the interactions speak.
  const silent = { userId: 'silent', itemId: 'ghost' }
  await shop.upsert({ items: ITEMS, reviews: REVIEWS, interactions: [...takers, ...others, silent] })
  await shop.index()
})
afterAll(() => shop.close())

/** Everybody's score of an item is the one that recommend() would give it, and the order follows. */
async function expectLikeRecommend(asked: Recommender, item: string): Promise<void> {
  const { people } = await asked.audience(item, { k: 100, excludeOwners: false })
  for (const [i, { rank, score, userId }] of people.entries()) {
    expect(rank).toBe(i + 1)
    const explained = await asked.explain({ user: userId, item })
    expect(score).toBeCloseTo(explained.score, 3)
    expect(explained.basis).not.toBe('popular')
    if (i > 0) expect(score).toBeLessThanOrEqual(people[i - 1].score)
  }
  expect(people.map(({ userId }) => userId)).toContain('ann')
}

test('an item that people took is scored for everybody as in recommend, interactions included', async () => {
  const { basis, people } = await shop.audience('garden-3', { k: 100, excludeOwners: false })
  expect(basis).toBe('fused')
  expect(people.map(({ userId }) => userId)).toContain('silent')
  for (const item of ['garden-3', 'guitar-1', 'kitchen-4']) await expectLikeRecommend(shop, item)
})

test('of an item that nobody took only the text speaks', async () => {
  expect((await shop.audience('kitchen-3')).basis).toBe('frozen text')
  await expectLikeRecommend(shop, 'kitchen-3')
})

test('changes of histories, items and people are in the next answer, as if all were made anew', async () => {
  const changes = [
    () => shop.upsert({ interactions: [{ userId: 'g1', itemId: 'guitar-2' }] }),
    () => shop.upsert({ items: [{ ...ITEMS[0], description: 'A wooden box for bread.' }] }),
    () => shop.upsert({ interactions: [{ userId: 'newcomer', itemId: 'garden-1' }] }),
    () => shop.remove({ items: ['kitchen-2'] }),
    () => shop.forget({ user: 'f4' }),
  ]
  for (const change of changes) {
    await shop.audience('garden-3')
    await change()
    const kept = await shop.audience('garden-3', { k: 100, excludeOwners: false })
    const fresh = await Recommender.open(folder, { threads: 1 })
    expect(kept).toEqual(await fresh.audience('garden-3', { k: 100, excludeOwners: false }))
    await fresh.close()
  }
  await expectLikeRecommend(shop, 'garden-3')
})
