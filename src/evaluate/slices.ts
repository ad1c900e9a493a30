import type { TestCase } from '../ranking.js'
import type { Split } from './split.js'
import { itemCounts } from './table.js'

/** A part of the test: some of its cases, some of their targets. */
export interface Slice {
  readonly by: 'target' | 'popularity' | 'history'
  readonly name: string
  /** Cases that keep at least one target; `index` is their place in split.test. */
  readonly cases: readonly { readonly index: number; readonly one: TestCase }[]
}

/** Upper ends of the classes of history length; the last class has none. */
const HISTORY_CLASSES = [4, 9, 19, 49] as const

/**
 * Cold and warm targets (without and with interactions in training), head and tail targets (head: the most
 * popular items that together hold half of all training interactions; cold ones are neither), and people by the
 * length of their history. Empty slices are left out.
 */
export function slicesOf(split: Split): Slice[] {
  const counts = itemCounts(split.training)
  const isHead = headItems(counts)
  const { test } = split
  const slices: Slice[] = [
    byTarget('target', 'warm', test, (item) => counts[item] > 0),
    byTarget('target', 'cold', test, (item) => counts[item] === 0),
    byTarget('popularity', 'head', test, (item) => isHead[item] === 1),
    byTarget('popularity', 'tail', test, (item) => isHead[item] === 0 && counts[item] > 0),
  ]
  let low = 1
  for (const high of [...HISTORY_CLASSES, Number.POSITIVE_INFINITY]) {
    const from = low
    const name = high === Number.POSITIVE_INFINITY ? `${from} or more` : `${from} to ${high}`
    const cases = [...test.entries()]
      .map(([index, one]) => ({ index, one }))
      .filter(({ one }) => one.person.items.length >= from && one.person.items.length <= high)
    slices.push({ by: 'history', name, cases })
    low = high + 1
  }
  return slices.filter(({ cases }) => cases.length > 0)
}

function byTarget(
  by: 'target' | 'popularity',
  name: string,
  test: readonly TestCase[],
  keep: (item: number) => boolean,
): Slice {
  const cases = test.flatMap((one, index) => {
    const targets = one.targets.filter(keep)
    return targets.length === 0 ? [] : [{ index, one: { ...one, targets } }]
  })
  return { by, name, cases }
}

function headItems(counts: Int32Array): Uint8Array {
  const order = Int32Array.from(counts.keys()).sort((a, b) => counts[b] - counts[a] || a - b)
  const half = counts.reduce((sum, count) => sum + count, 0) / 2
  const isHead = new Uint8Array(counts.length)
  let held = 0
  for (const item of order) {
    if (held >= half) break
    isHead[item] = 1
    held += counts[item]
  }
  return isHead
}
