import { random, shuffle } from '../math/random.js'
import type { TestCase } from '../ranking.js'

export interface HiddenItems {
  /** Item numbers of what is hidden, in no order. */
  readonly hidden: Int32Array
  /** The histories without the hidden items. */
  readonly visible: readonly Int32Array[]
  /** When the events of `visible` were, where that was said. */
  readonly visibleTimes?: readonly Float64Array[]
  /** Every event with a hidden item, asked for from the rest of its history. */
  readonly cases: readonly TestCase[]
}

/**
 * Simulates cold items: hides a share of the items, at random, and asks for them.
 * @param times of each event of each history, where they are read
 */
export function hideItems(
  histories: readonly Int32Array[],
  share: number,
  seed: number,
  times?: readonly Float64Array[],
): HiddenItems {
  const known = new Set(histories.flatMap((history) => [...history]))
  const order = shuffle(Int32Array.from(known).sort(), random(seed + 0xc01d))
  const hidden = new Set(order.subarray(0, Math.max(1, Math.round(share * order.length))))
  const cases: TestCase[] = []
  const visibleTimes = times?.map((some, user) => some.filter((_, i) => !hidden.has(histories[user][i])))
  const visible = histories.map((history, user) => {
    const rest = history.filter((item) => !hidden.has(item))
    const gone = history.filter((item) => hidden.has(item))
    if (rest.length === 0) return rest
    for (const target of gone) {
      const leaveOut = gone.filter((item) => item !== target)
      const person = { items: rest, times: visibleTimes?.[user] }
      cases.push({ user, person, targets: Int32Array.of(target), leaveOut })
    }
    return rest
  })
  return { hidden: Int32Array.from(hidden), visible, visibleTimes, cases }
}

/** Each person's last item, asked for from the rest of their history; histories of one item are left as they are. */
export function holdOutLast(
  histories: readonly Int32Array[],
  times?: readonly Float64Array[],
): Omit<HiddenItems, 'hidden'> {
  const cases: TestCase[] = []
  const visibleTimes = times?.map((some) => (some.length < 2 ? some : some.subarray(0, -1)))
  const visible = histories.map((history, user) => {
    if (history.length < 2) return history
    const rest = history.subarray(0, -1)
    cases.push({ user, person: { items: rest, times: visibleTimes?.[user] }, targets: history.slice(-1) })
    return rest
  })
  return { visible, visibleTimes, cases }
}

/** The cases without the targets that are not among `items`, and without those that have no others. */
export function askedAmong(cases: readonly TestCase[], items: Int32Array): TestCase[] {
  const known = new Set(items)
  return cases.flatMap((one) => {
    const targets = one.targets.filter((item) => known.has(item))
    return targets.length === 0 ? [] : [{ ...one, targets }]
  })
}
