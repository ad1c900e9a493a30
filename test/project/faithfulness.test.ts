import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { type Item, Recommender, type Review, sampleFiles } from 'textrec'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { random, shuffle } from '#src/math/random.js'
import { sentencesOf } from '#src/recommend/sentences.js'
import { temporaryFolder } from './shelf.js'
import { publishAdapter } from './trained.js'

/** What of a catalogue is needed to take sentences out of it and put them back. */
interface Catalogue {
  readonly items: readonly Item[]
  readonly reviews: readonly Review[]
}

const readLines = (text: string) =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))

/** The sample's best-known books, or all of them. */
function sample(count = 120): Catalogue {
  const files = sampleFiles()
  const items = readLines(readFileSync(files.items, 'utf8'))
    .slice(0, count)
    .map(({ id, title, description, ...attributes }) => ({ id, title, description, attributes }))
  const known = new Set(items.map(({ id }) => id))
  return {
    items,
    reviews: readLines(readFileSync(files.reviews, 'utf8'))
      .filter(({ item_id }) => known.has(item_id))
      .map((row, i) => ({ ...reviewOf(row, i), userId: row.user_id, itemId: row.item_id, text: row.text })),
  }
}

const reviewOf = (row: { rating?: number; overall?: number }, i: number) => ({
  id: `r${i}`,
  rating: row.rating ?? row.overall,
})

const beauty = new URL('../../../shared/data/amazon-all-beauty/All_Beauty_5.json.gz', import.meta.url)

/** Reviews of one text each, of items known by nothing else. */
function allBeauty(): Catalogue {
  const seen = new Set<string>()
  const rows = readLines(gunzipSync(readFileSync(fileURLToPath(beauty))).toString('utf8'))
    .filter(({ reviewText = '' }) => reviewText.length > 80 && reviewText.length < 600)
    .filter(({ reviewText }) => !seen.has(reviewText) && seen.add(reviewText))
    .slice(0, 500)
  return {
    items: [],
    reviews: rows.map((row, i) => ({
      ...reviewOf(row, i),
      userId: row.reviewerID,
      itemId: row.asin,
      text: row.reviewText,
    })),
  }
}

/**
 * Of so many explained recommendations, in how many does taking the named sentences out of the catalogue lower
 * the score more than taking out as many sentences of the same item at random?
 */
async function faithfulShare(
  shop: Recommender,
  { items, reviews }: Catalogue,
  cases: number,
): Promise<number> {
  const draw = random(5)
  const users = [...new Set(reviews.map(({ userId }) => userId))]
  let faithful = 0
  let tried = 0
  for (const user of users) {
    if (tried === cases) break
    const [best] = (await shop.recommend({ user, k: 1 })).items
    if (best === undefined) continue
    const item = best.itemId
    const explained = await shop.explain({ user, item })
    const own = items.find(({ id }) => id === item)
    const about = reviews.filter(({ itemId }) => itemId === item)
    const all = [own?.description ?? '', ...about.map(({ text }) => text ?? '')].flatMap((text) =>
      sentencesOf(text).map(({ sentence }) => sentence),
    )
    for (const { text } of explained.sentences) expect(all).toContain(text)
    if (explained.sentences.length === 0 || all.length < 2 * explained.sentences.length) continue
    const named = explained.sentences.map(({ text }) => text)
    const others = [...all]
    shuffle(others, draw)
    const scoreWithout = async (gone: readonly string[]) => {
      const without = (text: string | undefined) =>
        gone.reduce<string>((rest, sentence) => rest.replace(sentence, () => ''), text ?? '')
      await shop.upsert({
        items: own === undefined ? [] : [{ ...own, description: without(own.description) }],
        reviews: about.map((review) => ({ ...review, text: without(review.text) })),
      })
      const { score } = await shop.explain({ user, item })
      await shop.upsert({ items: own === undefined ? [] : [own], reviews: about })
      return score
    }
    tried++
    if ((await scoreWithout(named)) < (await scoreWithout(others.slice(0, named.length)))) faithful++
  }
  expect(tried).toBe(cases)
  return faithful / tried
}

async function opened({ items, reviews }: Catalogue): Promise<Recommender> {
  const shop = await Recommender.open(temporaryFolder(), { threads: 1 })
  await shop.upsert({ items, reviews })
  await shop.index()
  return shop
}

/**
 * Of so many people described by five likes each, for how many does the best item's score fall more without the
 * like that is named first than without another of theirs?
 */
async function faithfulLikes(shop: Recommender, { items }: Catalogue, cases: number): Promise<number> {
  const draw = random(7)
  let faithful = 0
  for (let tried = 0; tried < cases; tried++) {
    const likes = [...new Set(Array.from({ length: 9 }, () => items[draw.integer(items.length)].id))].slice(
      0,
      5,
    )
    const [best] = (await shop.recommend({ likes, k: 1 })).items
    const explained = await shop.explain({ likes, item: best.itemId })
    const shares = explained.likes.map(({ share }) => share)
    expect(shares.length).toBeGreaterThan(0)
    expect(shares.reduce((sum, share) => sum + share, 0)).toBeLessThanOrEqual(1 + 1e-6)
    // All five may be named: then their shares are all there is.
    if (shares.length === likes.length)
      expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 5)
    const named = explained.likes[0].itemId as string
    const others = likes.filter((id) => id !== named)
    const other = others[draw.integer(others.length)]
    const scoreWithout = async (gone: string) => {
      const left = likes.filter((id) => id !== gone)
      return (await shop.explain({ likes: left, item: best.itemId })).score
    }
    if ((await scoreWithout(named)) < (await scoreWithout(other))) faithful++
  }
  return faithful / cases
}

describe('named evidence', () => {
  test('moves the score more than other evidence, on the sample', async () => {
    const shop = await opened(sample())
    expect(await faithfulShare(shop, sample(), 15)).toBeGreaterThanOrEqual(0.8)
    await shop.close()
  })

  test.skipIf(!existsSync(beauty))('and on real reviews (skipped without shared/data)', async () => {
    const shop = await opened(allBeauty())
    expect(await faithfulShare(shop, allBeauty(), 15)).toBeGreaterThanOrEqual(0.8)
    await shop.close()
  })
})

describe('named evidence, with a trained adapter', () => {
  const catalogue = sample(1000)
  let shop: Recommender
  beforeAll(async () => {
    shop = await opened(catalogue)
    await publishAdapter(shop)
    expect((await shop.similarItems('dracula')).basis).toBe('adapter')
  }, 300_000)
  afterAll(() => shop.close())

  test('moves the score more than other evidence', async () => {
    expect(await faithfulShare(shop, catalogue, 15)).toBeGreaterThanOrEqual(0.8)
  }, 120_000)

  test('and so do the likes that it names, whose shares make up the whole', async () => {
    expect(await faithfulLikes(shop, catalogue, 20)).toBeGreaterThanOrEqual(0.8)
  }, 120_000)
})
