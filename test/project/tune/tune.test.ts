import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Recommender, sampleFiles } from 'textrec'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { writeTinyModel } from '../../../dist/scripts/toys/tiny-folder.js'
import type { TuneOptions } from '../../../src/index.js'
import { temporaryFolder } from '../shelf.js'

const code = (value: string) => expect.objectContaining({ name: 'TextrecError', code: value })

let shop: Recommender
let folder: string
const own = join(temporaryFolder(), 'own')
const another = join(temporaryFolder(), 'another')
beforeAll(async () => {
  folder = temporaryFolder()
  // Encoders that know letters: what is found matters little here, and they are quick.
  for (const [i, encoder] of [own, another].entries()) writeTinyModel(encoder, i + 1)
  shop = await Recommender.open(folder, { threads: 1, encoder: own })
  await shop.import(sampleFiles())
  await shop.index()
}, 300_000)
afterAll(() => shop.close())

const SMALL: Partial<TuneOptions> = {
  ...{ models: ['two-tower-text', 'mf-softmax'], settings: 2, brackets: 1, epochs: 1, budget: '1h' },
  ...{ publish: false, seed: 2, workers: 2 },
}

test('a search that was stopped goes on, and the best that can be served is trained and judged on other rows', async () => {
  const stop = new AbortController()
  const seen: number[] = []
  const stopped = shop.tune({
    ...SMALL,
    signal: stop.signal,
    onProgress: ({ stage, figures, done, total }) => {
      if (stage !== 'search') return
      expect(done).toBeLessThanOrEqual(total as number)
      seen.push(figures?.tried as number)
      if (figures?.tried === 5) stop.abort()
    },
  })
  await expect(stopped).rejects.toEqual(code('ABORTED'))
  expect(seen[0]).toBe(0)
  const file = join(folder, 'tuning', 'table.json')
  const before = JSON.parse(readFileSync(file, 'utf8')).rows as [string, object][]
  expect(before.length).toBeGreaterThanOrEqual(5)
  const report = await shop.tune({ ...SMALL, publish: true })
  for (const [, row] of before) expect(report.table).toContainEqual(row)
  expect(report.budget.finished).toBe(true)
  expect(new Set(report.table.map(({ model }) => model))).toEqual(
    new Set(['popular', 'item-knn', 'ease', 'frozen', 'whitened', 'two-tower-text', 'mf-softmax']),
  )
  // Best first, judged alike; only what the adapter can be is served.
  const figures = report.table.map(({ ndcg }) => ndcg)
  expect(figures).toEqual([...figures].sort((a, b) => b - a))
  for (const { low, ndcg, high } of report.table) {
    expect(low).toBeLessThanOrEqual(ndcg)
    expect(high).toBeGreaterThanOrEqual(ndcg)
  }
  const served = report.table.filter(({ servable }) => servable).map(({ model }) => model)
  expect(served).toEqual(['two-tower-text'])
  expect(report.winner).toMatchObject({ model: 'two-tower-text', coldRecall: expect.any(Number) })
  expect(report.validation.choosing + report.validation.judging).toBeGreaterThan(20)
  // The guard had its own rows, and its own word.
  expect(report.training).toMatchObject({ head: 'two-tower-text', published: report.published })
  expect(report.why).toContain(report.training?.why)
  // Nothing is left to search: the same table, from the disk.
  const again = await shop.tune(SMALL)
  expect(again.table).toEqual(report.table)
  expect(again.training).toBeUndefined()
}, 300_000)

test('another encoder is tried beside the own one, and what it is best at is not served before it is indexed with', async () => {
  const { table, winner, training } = await shop.tune({
    ...SMALL,
    models: ['two-tower-text'],
    encoders: [another, own],
  })
  const rows = table.filter(({ epochs, model }) => epochs === 1 && model === 'two-tower-text')
  expect(rows.map(({ encoder, servable }) => ({ encoder, servable }))).toContainEqual({
    encoder: another,
    servable: false,
  })
  expect(new Set(rows.map(({ encoder }) => encoder))).toEqual(new Set([own, another]))
  expect(winner?.encoder).toBe(own)
  expect(training).toBeUndefined()
}, 300_000)

test('what cannot be is refused before anything is tried', async () => {
  const asked = (models: readonly string[]) => shop.tune({ models: models as readonly 'auto'[] })
  await expect(asked(['two-tower', 'sasrek'])).rejects.toThrow(
    "tune: there is no model 'sasrek'. Did you mean 'sasrec'? Models are auto, sasrec, sasrec-text, sasrec-long, gru, two-tower,",
  )
  await expect(asked(['x'])).rejects.toEqual(code('OPTION_INVALID'))
  await expect(asked([])).rejects.toThrow('tune: models is an empty list.')
  await expect(shop.tune({ budget: 'an hour' })).rejects.toEqual(code('OPTION_INVALID'))
  await expect(shop.tune({ budget: '5' })).rejects.toThrow(/'budget' is "5"\..*with its unit, such as '90s'/)
  const empty = await Recommender.open(temporaryFolder())
  await expect(empty.tune()).rejects.toEqual(code('NOTHING_INDEXED'))
  await empty.close()
})
