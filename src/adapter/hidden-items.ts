import { random, shuffle } from '../math/random.js'
import type { TestCase } from '../ranking.js'

export interface HiddenItems {
  /** Item numbers of what is hidden, in no order. */
  readonly hidden: Int32Array
  /** The histories without the hidden items. */
  readonly visible: readonly Int32Array[]
  /** Every event with a hidden item, asked for from the rest of its history. */
  readonly cases: readonly TestCase[]
}

/** Simulates cold items: hides a share of the items, at random, and asks for them. */
export function hideItems(histories: readonly Int32Array[], share: number, seed: number): HiddenItems {
  const known = new Set(histories.flatMap((history) => [...history]))
  const order = shuffle(Int32Array.from(known).sort(), random(seed + 0xc01d))
  const hidden = new Set(order.subarray(0, Math.max(1, Math.round(share * order.length))))
  const cases: TestCase[] = []
  const visible = histories.map((history, user) => {
    const rest = history.filter((item) => !hidden.has(item))
    const gone = history.filter((item) => hidden.has(item))
    if (rest.length === 0) return rest
    for (const target of gone) {
      const leaveOut = gone.filter((item) => item !== target)
      cases.push({ user, person: { items: rest }, targets: Int32Array.of(target), leaveOut })
    }
    return rest
  })
  return { hidden: Int32Array.from(hidden), visible, cases }
}
