import type { InteractionTable, TimeKind } from '../../src/types.js'

/** A table from [user, item, time?, value?] rows in order of arrival; users and items are named u0.., i0... */
export function tableOf(
  rows: readonly (readonly [user: number, item: number, time?: number, value?: number])[],
  options: { users?: number; items?: number; timeKind?: TimeKind } = {},
): InteractionTable {
  const users = options.users ?? Math.max(-1, ...rows.map(([user]) => user)) + 1
  const items = options.items ?? Math.max(-1, ...rows.map(([, item]) => item)) + 1
  const sorted = rows
    .map(([user, item, time = 0, value = Number.NaN], arrival) => ({ user, item, time, value, arrival }))
    .sort((a, b) => a.user - b.user || a.time - b.time || a.arrival - b.arrival)
  return {
    userIds: Array.from({ length: users }, (_, u) => `u${u}`),
    itemIds: Array.from({ length: items }, (_, i) => `i${i}`),
    timeKind: options.timeKind ?? 'order',
    users: Int32Array.from(sorted, ({ user }) => user),
    items: Int32Array.from(sorted, ({ item }) => item),
    times: Float64Array.from(sorted, ({ time }) => time),
    values: Float32Array.from(sorted, ({ value }) => value),
  }
}

/**
 * The checkerboard of implicit's tests: person u likes every item of their own parity but item u, which is
 * withheld. The right answer for person u is item u, and the items of the other parity are all wrong.
 */
export function checkerboard(size: number): InteractionTable {
  const rows: [number, number][] = []
  for (let u = 0; u < size; u++) {
    for (let i = 0; i < size; i++) if (i % 2 === u % 2 && i !== u) rows.push([u, i])
  }
  return tableOf(rows, { users: size, items: size, timeKind: 'none' })
}
