import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Encoder, embedTexts, lookupTexts, openEncoder } from '#src/encode/index.js'
import { Store } from '#src/store/index.js'
import { codeOf, rowsOf, temporaryFolder } from './support.js'

let encoder: Encoder
beforeAll(async () => {
  encoder = await openEncoder('all-MiniLM-L6-v2', {
    device: 'cpu',
    dtype: 'int8',
    threads: 1,
    cacheDirectory: temporaryFolder(),
  })
})
afterAll(() => encoder.close())

const newStore = () => Store.open(temporaryFolder(), { create: true })
// 500 texts of 3 to 22 words: four planned batches.
const texts = Array.from({ length: 500 }, (_, i) => `Review ${i}: ${'good strings '.repeat(1 + (i % 10))}`)

test('computes what is missing once, and gives it back by text', async () => {
  const store = newStore()
  const few = texts.slice(0, 20)
  const first = await embedTexts(store, encoder, [...few, ...few])
  expect(first).toMatchObject({ texts: 40, encoded: 20, split: 0, sampled: 0 })
  expect(first.tokens).toBeGreaterThan(100)
  const second = await embedTexts(store, encoder, new Set(few))
  expect(second).toMatchObject({ texts: 20, encoded: 0, tokens: 0 })
  for (const vector of rowsOf(lookupTexts(store, encoder, few)))
    expect(Math.hypot(...vector)).toBeCloseTo(1, 5)
  expect(await codeOf(() => lookupTexts(store, encoder, ['never seen']))).toBe('NOTHING_INDEXED')
  store.close()
})

test('progress tells of work, not of texts: the longest come first', async () => {
  const store = newStore()
  const mixed = ['good strings '.repeat(300), ...texts.slice(0, 40)]
  const seen: { done: number; share: number }[] = []
  await embedTexts(store, encoder, mixed, {
    onProgress: ({ done, total, share = Number.NaN }) => {
      expect(total).toBe(41)
      seen.push({ done, share })
    },
  })
  for (const [i, { share }] of seen.entries())
    if (i > 0) expect(share).toBeGreaterThanOrEqual(seen[i - 1].share)
  expect(seen[0]).toMatchObject({ done: 0 })
  expect(seen[0].share).toBeGreaterThan(0.1)
  expect(seen.at(-1)).toEqual({ done: 41, share: 1 })
  store.close()
})

test('a run that was stopped goes on, loses nothing and ends with the same bits', async () => {
  const whole = newStore()
  await embedTexts(whole, encoder, texts)
  const expected = lookupTexts(whole, encoder, texts)

  const store = newStore()
  const controller = new AbortController()
  const code = await codeOf(() =>
    embedTexts(store, encoder, texts, {
      signal: controller.signal,
      onProgress: ({ done }) => done > 0 && controller.abort(),
    }),
  )
  expect(code).toBe('ABORTED')
  const left = store.plannedBatches(encoder.fingerprint).length
  expect(left).toBeGreaterThan(0)
  expect(left).toBeLessThan(4)

  const report = await embedTexts(store, encoder, texts)
  expect(report.encoded).toBeGreaterThan(0)
  expect(report.encoded).toBeLessThan(500)
  expect(store.plannedBatches(encoder.fingerprint)).toEqual([])
  expect(lookupTexts(store, encoder, texts).data).toEqual(expected.data)
  whole.close()
  store.close()
})
