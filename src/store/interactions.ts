import type { Interaction } from '../types.js'
import { encodeAttributes } from './attributes.js'
import type { Connection } from './sqlite.js'
import { numberOrNull, requireId } from './text.js'
import { storedTime } from './time.js'
import type { KindCounts, Writing } from './write.js'

/**
 * Adds or replaces interactions; person, item and time identify one. Of several with one identity in
 * `interactions` the last counts; the others are `replaced` where the one after them says something else, else
 * `unchanged`.
 * Rows are written in key order, which keeps the pages of a large table together: about twice as fast.
 */
export function writeInteractions(
  db: Connection,
  interactions: readonly Interaction[],
  writing: Writing,
): KindCounts {
  const counts = { added: 0, replaced: 0, unchanged: 0 }
  const n = interactions.length
  const users = new Int32Array(n)
  const items = new Int32Array(n)
  const times = new Float64Array(n)
  for (let i = 0; i < n; i++) {
    const { userId, itemId, time } = interactions[i]
    const record = `Interaction ${i + 1}`
    users[i] = writing.userKey(requireId(userId, record, 'userId'))
    items[i] = writing.itemKey(requireId(itemId, record, 'itemId'))
    times[i] = storedTime(time, record)
    writing.times.accept(times[i], record)
  }
  const same = (a: number, b: number) =>
    users[a] === users[b] && items[a] === items[b] && times[a] === times[b]
  const order = Uint32Array.from({ length: n }, (_, i) => i).sort(
    (a, b) => users[a] - users[b] || items[a] - items[b] || times[a] - times[b] || a - b,
  )
  const add = db.prepare(
    `INSERT INTO event (user, item, time, arrival, recorded, value, attributes) VALUES (?, ?, ?, ?, 1, ?, ?)
     ON CONFLICT DO NOTHING`,
  )
  const replace = db.prepare(
    `UPDATE event SET value = ?, attributes = ? WHERE user = ? AND item = ? AND time = ? AND recorded = 1
     AND (value IS NOT ? OR attributes IS NOT ?)`,
  )
  // A rated review said it before: the record is new, the event is not.
  const record = db.prepare(
    `UPDATE event SET recorded = 1, value = ?, attributes = ?
     WHERE user = ? AND item = ? AND time = ? AND recorded = 0`,
  )
  for (let start = 0; start < n; ) {
    let end = start + 1
    while (end < n && same(order[start], order[end])) end++
    const first = order[start]
    const identity = [users[first], items[first], times[first]] as const
    let [value, attributes] = storedValues(interactions[first], first)
    for (let at = start + 1; at < end; at++) {
      const [nextValue, nextAttributes] = storedValues(interactions[order[at]], order[at])
      counts[value === nextValue && attributes === nextAttributes ? 'unchanged' : 'replaced']++
      value = nextValue
      attributes = nextAttributes
    }
    if (add.run(...identity, writing.arrival(first), value, attributes) > 0) {
      writing.arrived(first)
      counts.added++
    } else if (replace.run(value, attributes, ...identity, value, attributes) > 0) {
      counts.replaced++
      writing.change()
    } else if (record.run(value, attributes, ...identity) > 0) {
      counts.added++
      writing.change()
    } else {
      counts.unchanged++
    }
    start = end
  }
  return counts
}

function storedValues({ value, attributes }: Interaction, position: number) {
  const name = `Interaction ${position + 1}`
  return [numberOrNull(value, name, 'value'), encodeAttributes(attributes, name)] as const
}
