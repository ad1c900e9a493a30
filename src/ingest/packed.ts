import type { Attributes, Interaction } from '../types.js'

/** Rows in a fifth of the memory that they take as objects, and with nothing for the garbage collector to look at. */
export class PackedInteractions {
  /** All ids, one after the other. */
  private readonly text: string
  /** [2 * rows + 1] where in `text` each id begins: a person's, an item's, and so on. */
  private readonly starts: Uint32Array
  /** [rows] NaN where there is none. */
  private readonly times: Float64Array
  /** [rows] NaN where there is none. */
  private readonly values: Float64Array
  private readonly attributes = new Map<number, Attributes>()

  constructor(rows: readonly Interaction[]) {
    const ids = rows.flatMap(({ userId, itemId }) => [userId, itemId])
    this.text = ids.join('')
    this.starts = new Uint32Array(ids.length + 1)
    for (const [i, id] of ids.entries()) this.starts[i + 1] = this.starts[i] + id.length
    this.times = Float64Array.from(rows, ({ time }) => time ?? Number.NaN)
    this.values = Float64Array.from(rows, ({ value }) => value ?? Number.NaN)
    for (const [i, { attributes }] of rows.entries()) {
      if (attributes !== undefined) this.attributes.set(i, attributes)
    }
  }

  /** Row i as it was given: absent fields are absent. */
  row(i: number): Interaction {
    const { starts, text } = this
    const row: { -readonly [F in keyof Interaction]: Interaction[F] } = {
      userId: text.slice(starts[2 * i], starts[2 * i + 1]),
      itemId: text.slice(starts[2 * i + 1], starts[2 * i + 2]),
    }
    if (!Number.isNaN(this.times[i])) row.time = this.times[i]
    if (!Number.isNaN(this.values[i])) row.value = this.values[i]
    const attributes = this.attributes.get(i)
    if (attributes !== undefined) row.attributes = attributes
    return row
  }
}
