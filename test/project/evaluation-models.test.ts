import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { splitTable } from '#src/evaluate/index.js'
import { EvaluationInputs } from '#src/project/evaluation-inputs.js'
import { recipesFor } from '#src/project/evaluation-models.js'
import type { KnownTexts } from '#src/project/known-texts.js'
import type { FitContext } from '../../src/ranking.js'
import { tableOf } from '../support/tables.js'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'textrec-models-'))
})
afterAll(() => rm(folder, { recursive: true }))

// Eight people, each with the items of their own parity but one; the words of an item tell its parity.
const rows = Array.from({ length: 8 }, (_, user) =>
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    .filter((item) => item % 2 === user % 2 && item !== user)
    .map((item): [number, number, number] => [user, item, item]),
).flat()
const split = splitTable(tableOf(rows), { split: 'hold-last', minItems: 2, minRating: undefined, seed: 1 })
const documents = split.table.itemIds.map((_, item) => `An ${item % 2 === 0 ? 'Even' : 'Odd'} thing`)
const texts = { documents: () => ({ documents, queries: documents }) } as unknown as KnownTexts
const context: FitContext = { ...split, seed: 1 }

function fit(wordVectors?: string) {
  const inputs = new EvaluationInputs(split, texts, '', { epochs: 4 }, 1, wordVectors)
  return recipesFor(['recommendernet-words'], inputs)[0].fit(context)
}

test('a model starts from the word vectors of a file, and --epochs bounds its training', async () => {
  const path = join(folder, 'words.vec')
  await writeFile(path, '3 2\neven 1 0.1\nodd 0.1 1\nthing 0.5 0.5\n')
  const inputs = new EvaluationInputs(split, texts, '', { epochs: 4 }, 1, path)
  const totals = new Set<number | undefined>()
  const [recipe] = recipesFor(['recommendernet-words'], inputs)
  expect(recipe.name).toBe('recommendernet-words')
  const ranker = await recipe.fit({ ...context, onProgress: ({ total }) => totals.add(total) })
  const rankings = await ranker.rank([{ items: Int32Array.of(0, 2) }, { items: Int32Array.of(1, 3) }], {
    k: 3,
  })
  await ranker.close?.()
  expect(rankings.map(({ items }) => [...items].map((item) => item % 2))).toEqual([
    [0, 0, 0],
    [1, 1, 1],
  ])
  for (const total of totals) expect(total).toBeLessThanOrEqual(4)
})

test('without a file, or without that file, it says so', async () => {
  await expect(fit()).rejects.toMatchObject({
    code: 'OPTION_INVALID',
    remedy: expect.stringContaining('--word-vectors'),
  })
  await expect(fit(join(folder, 'absent'))).rejects.toMatchObject({ code: 'FILE_UNREADABLE' })
  const inputs = new EvaluationInputs(split, texts, '', { epochs: 1 }, 1)
  await expect(recipesFor(['gru-text'], inputs)[0].fit(context)).rejects.toMatchObject({
    fact: expect.stringContaining('gru-text needs a file of word vectors'),
  })
})
