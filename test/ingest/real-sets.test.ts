import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { type ImportSources, importFiles } from '#src/ingest/import.js'
import { inFolder, MemorySink } from './memory-sink.js'

const folder = fileURLToPath(new URL('../../../shared/data/', import.meta.url))
const sets = existsSync(folder)

async function importSet(sources: ImportSources) {
  return inFolder(async (project) => {
    const sink = new MemorySink(project)
    const absolute = Object.fromEntries(Object.entries(sources).map(([kind, path]) => [kind, folder + path]))
    const report = await importFiles(sink, absolute)
    return { sink, formats: report.files.map(({ format }) => format), rejected: report.rejected }
  })
}

describe.skipIf(!sets)('the real sets (skipped where ../shared/data is absent)', () => {
  test('movielens-small: films with overviews, ratings, tags', async () => {
    const { sink, formats, rejected } = await importSet({
      items: 'movielens-small/movies_with_overview.csv.gz',
      interactions: 'movielens-small/ratings.csv.gz',
      reviews: 'movielens-small/tags.csv.gz',
    })
    expect([formats, rejected]).toEqual([['movielens', 'movielens', 'movielens'], 0])
    expect([sink.items.length, sink.interactions.length, sink.reviews.length]).toEqual([9742, 100_836, 3683])
    expect(sink.items.filter(({ description }) => description !== undefined)).toHaveLength(9403)
    expect(sink.items[0]).toMatchObject({
      id: '1',
      title: 'Toy Story (1995)',
      attributes: { year: 1995, tmdb_id: 862 },
    })
    expect(sink.items[0].attributes?.genres).toEqual([
      'Adventure',
      'Animation',
      'Children',
      'Comedy',
      'Fantasy',
    ])
    expect(new Set(sink.reviews.map(({ id }) => id)).size).toBe(3683)
    const times = sink.interactions.map(({ time }) => time ?? 0)
    expect(
      new Date(Math.min(...times.slice(0, 50_000), ...times.slice(50_000))).toISOString().slice(0, 10),
    ).toBe('1996-03-29')
    expect(sink.items.some(({ description }) => /&(amp|quot|#\d+);/.test(description ?? ''))).toBe(false)
  })

  test('amazon-musical-instruments: the Kaggle CSV, seven reviews without a text', async () => {
    const { sink, formats, rejected } = await importSet({
      reviews: 'amazon-musical-instruments/Musical_instruments_reviews.csv.gz',
    })
    expect([formats, rejected]).toEqual([['amazon'], 0])
    expect(sink.reviews).toHaveLength(10_261)
    expect(sink.reviews.filter(({ text }) => text === undefined)).toHaveLength(7)
    expect(new Set(sink.reviews.map(({ userId }) => userId)).size).toBe(1429)
    expect(new Set(sink.reviews.map(({ itemId }) => itemId)).size).toBe(900)
    expect(sink.reviews.filter(({ rating }) => rating === 5)).toHaveLength(6938)
    expect(sink.reviews[1]).toMatchObject({ helpful: 13, title: 'Jake', time: Date.UTC(2013, 2, 16) })
    expect(sink.reviews.some(({ text }) => /&#34;/.test(text ?? ''))).toBe(false)
    expect(sink.reviews[1].attributes).toEqual({ reviewerName: 'Jake' })
  })

  test('amazon-industrial: canonical items, positions as times', async () => {
    const { sink, formats, rejected } = await importSet({
      items: 'amazon-industrial/items.jsonl.gz',
      interactions: 'amazon-industrial/interactions.csv.gz',
    })
    expect([formats, rejected]).toEqual([['jsonl', 'csv'], 0])
    expect([sink.items.length, sink.interactions.length]).toEqual([3686, 22_743])
    // 3,457 in the file, three of them nothing but spaces.
    expect(sink.items.filter(({ description }) => description !== undefined)).toHaveLength(3454)
    expect(sink.interactions[0]).toEqual({ userId: 'A4042', itemId: 'p3112', time: 1 })
    expect(sink.interactions.every(({ time }) => time !== undefined && time < 1000)).toBe(true)
  })

  test('amazon-all-beauty: JSON lines of 2018, votes as grouped text, styles as attributes', async () => {
    const { sink, formats, rejected } = await importSet({ reviews: 'amazon-all-beauty/All_Beauty_5.json.gz' })
    expect([formats, rejected]).toEqual([['amazon'], 0])
    expect(sink.reviews).toHaveLength(5269)
    expect(sink.reviews.filter(({ text }) => text !== undefined)).toHaveLength(5264)
    expect(Math.max(...sink.reviews.map(({ helpful }) => helpful ?? 0))).toBe(1341)
    expect(sink.reviews[0].attributes).toMatchObject({
      verified: true,
      'style.Size': '7.0 oz',
      'style.Flavor': 'Classic Ice Blue',
    })
  })
})
