import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { type Item, Recommender, type Review, sampleFiles } from 'textrec'
import { describe, expect, test } from 'vitest'
import { random, shuffle } from '#src/math/random.js'
import { sentencesOf } from '#src/recommend/sentences.js'
import { temporaryFolder } from './shelf.js'

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

/** The sample's best-known books. */
function sample(): Catalogue {
  const files = sampleFiles()
  const items = readLines(readFileSync(files.items, 'utf8'))
    .slice(0, 120)
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
async function faithfulShare({ items, reviews }: Catalogue, cases: number): Promise<number> {
  const shop = await Recommender.open(temporaryFolder(), { threads: 1 })
  await shop.upsert({ items, reviews })
  await shop.index()
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
  await shop.close()
  expect(tried).toBe(cases)
  return faithful / tried
}

describe('named evidence', () => {
  test('moves the score more than other evidence, on the sample', async () => {
    expect(await faithfulShare(sample(), 15)).toBeGreaterThanOrEqual(0.8)
  })

  test.skipIf(!existsSync(beauty))('and on real reviews (skipped without shared/data)', async () => {
    expect(await faithfulShare(allBeauty(), 15)).toBeGreaterThanOrEqual(0.8)
  })
})
