import type { AdapterData, TrainOptions } from '../../src/adapter/index.js'
import { matrix, normalize, row } from '../../src/math/matrix.js'
import { random } from '../../src/math/random.js'
import type { TestCase } from '../../src/ranking.js'
import type { InteractionTable, Matrix } from '../../src/types.js'

export const ITEMS = 48

/** Options that make a run of a second or two. */
export const SMALL: Partial<TrainOptions> = {
  epochs: 8,
  patience: 8,
  ids: 'off',
  dim: 16,
  textDim: 24,
  hidden: 16,
  layers: 1,
  length: 8,
  rows: 16,
  dropout: 0.1,
  learningRate: 0.01,
  threads: 1,
}

/**
 * A shop whose answer is known: texts are random, and who takes item i takes item i + 7 next. Text alone says
 * nothing about that; a model that reads the last event can learn it all.
 */
export function toyShop(people = 120, seed = 1): AdapterData {
  const source = random(seed)
  const texts: Matrix = matrix(ITEMS, 32)
  for (let i = 0; i < ITEMS; i++) {
    const text = row(texts, i)
    for (let d = 0; d < texts.dim; d++) text[d] = source.normal() + 2
    normalize(text)
  }
  const histories = Array.from({ length: people }, () => {
    const start = source.integer(ITEMS)
    return Array.from({ length: 4 + source.integer(4) }, (_, i) => (start + 7 * i) % ITEMS)
  })
  const validation: TestCase[] = histories.map((history, user) => ({
    user,
    person: { user, items: Int32Array.from(history.slice(0, -1)) },
    targets: Int32Array.of(history.at(-1)!),
  }))
  return {
    texts,
    textSpace: 'toy',
    training: tableOf(histories),
    fitting: tableOf(histories.map((history) => history.slice(0, -1))),
    validation,
  }
}

export function tableOf(histories: readonly (readonly number[])[], items = ITEMS): InteractionTable {
  const rows = histories.flatMap((history, user) => history.map((item, i) => ({ user, item, time: i + 1 })))
  return {
    userIds: histories.map((_, user) => `u${user}`),
    itemIds: Array.from({ length: items }, (_, i) => `i${i}`),
    timeKind: 'order',
    users: Int32Array.from(rows, ({ user }) => user),
    items: Int32Array.from(rows, ({ item }) => item),
    times: Float64Array.from(rows, ({ time }) => time),
    values: new Float32Array(rows.length).fill(Number.NaN),
  }
}
