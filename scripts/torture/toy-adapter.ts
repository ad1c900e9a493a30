import type { AdapterData } from '../../src/adapter/index.js'
import { matrix, normalize, row } from '../../src/math/matrix.js'
import { random } from '../../src/math/random.js'
import type { InteractionTable } from '../../src/types.js'

const ITEMS = 48
const PEOPLE = 60

/** Something small that can be trained in a second: random texts, and histories that walk from item to item. */
export function toyShop(seed: number): AdapterData {
  const source = random(seed)
  const texts = matrix(ITEMS, 32)
  for (let i = 0; i < ITEMS; i++) {
    const text = row(texts, i)
    for (let d = 0; d < texts.dim; d++) text[d] = source.normal() + 2
    normalize(text)
  }
  const histories = Array.from({ length: PEOPLE }, () => {
    const start = source.integer(ITEMS)
    return Array.from({ length: 4 + source.integer(4) }, (_, i) => (start + 7 * i) % ITEMS)
  })
  return {
    texts,
    textSpace: 'toy',
    training: tableOf(histories),
    fitting: tableOf(histories.map((history) => history.slice(0, -1))),
    validation: histories.map((history, user) => ({
      user,
      person: { user, items: Int32Array.from(history.slice(0, -1)) },
      targets: Int32Array.of(history.at(-1) as number),
    })),
  }
}

function tableOf(histories: readonly (readonly number[])[]): InteractionTable {
  const rows = histories.flatMap((history, user) => history.map((item, i) => ({ user, item, time: i + 1 })))
  return {
    userIds: histories.map((_, user) => `u${user}`),
    itemIds: Array.from({ length: ITEMS }, (_, i) => `i${i}`),
    timeKind: 'order',
    users: Int32Array.from(rows, ({ user }) => user),
    items: Int32Array.from(rows, ({ item }) => item),
    times: Float64Array.from(rows, ({ time }) => time),
    values: new Float32Array(rows.length).fill(Number.NaN),
  }
}
