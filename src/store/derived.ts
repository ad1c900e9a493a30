import type { ItemKey } from '../types.js'
import type { Connection } from './sqlite.js'
import type { State } from './state.js'

/**
 * Place of a derived value among an item's attribute rows. What a record says has places from 0 on, and replaces itself
 * without touching this one.
 */
const DERIVED = -1

/** One value for one item; undefined for none. */
export type DerivedValue = readonly [item: ItemKey, value: string | undefined]

/**
 * Attributes that textrec has worked out, beside those of the source's records: filters and caps see both alike, while
 * records, imports and the text of an item know nothing of them.
 */
export class DerivedAttributes {
  constructor(
    private readonly db: Connection,
    private readonly state: State,
  ) {}

  /** Runs `work`, and all that it stores is stored in one transaction: values with what they are derived from. */
  together(work: () => void): void {
    this.db.write(work)
  }

  /** Sets the values of some items, in one transaction; items that are gone are left out. */
  put(attribute: string, values: readonly DerivedValue[]): void {
    if (values.length === 0) return
    this.db.write(() => {
      const name = this.nameKey(attribute)
      const remove = this.db.prepare(
        `DELETE FROM item_attribute WHERE item = ? AND name = ? AND position = ${DERIVED}`,
      )
      const insert = this.db.prepare(
        `INSERT INTO item_attribute SELECT key, ?, ${DERIVED}, 't', ? FROM item WHERE key = ?`,
      )
      for (const [item, value] of values) {
        remove.run(item, name)
        if (value !== undefined) insert.run(name, value, item)
      }
      this.state.nextChange()
    })
  }

  /** The same, all at once: items that are not named have no value afterwards. */
  replaceAll(attribute: string, values: readonly DerivedValue[]): void {
    this.db.write(() => {
      this.db
        .prepare(`DELETE FROM item_attribute WHERE name = ? AND position = ${DERIVED}`)
        .run(this.nameKey(attribute))
      this.put(attribute, values)
    })
  }

  /** An item's value. */
  of(item: number, attribute: string): string | undefined {
    return this.db
      .prepareRaw<[string]>(
        `SELECT value FROM item_attribute WHERE item = ? AND position = ${DERIVED}
           AND name = (SELECT key FROM attribute_name WHERE name = ?)`,
      )
      .get(item, attribute)?.[0]
  }

  /** Keys of the items with each value, ascending. */
  items(attribute: string): Map<string, ItemKey[]> {
    const rows = this.db
      .prepareRaw<[string, ItemKey]>(
        `SELECT value, item FROM item_attribute WHERE position = ${DERIVED}
           AND name = (SELECT key FROM attribute_name WHERE name = ?) ORDER BY item`,
      )
      .all(attribute)
    const found = new Map<string, ItemKey[]>()
    for (const [value, item] of rows) {
      const items = found.get(value)
      if (items === undefined) found.set(value, [item])
      else items.push(item)
    }
    return found
  }

  /** Whether the record of any item says something of that name itself. */
  isRecorded(attribute: string): boolean {
    const [found] = this.db
      .prepareRaw<[number]>(
        `SELECT EXISTS (SELECT 1 FROM item_attribute WHERE position > ${DERIVED}
           AND name = (SELECT key FROM attribute_name WHERE name = ?))`,
      )
      .get(attribute) as [number]
    return found === 1
  }

  private nameKey(name: string): number {
    return (
      this.db.prepareRaw<[number]>('SELECT key FROM attribute_name WHERE name = ?').get(name)?.[0] ??
      this.db.prepare('INSERT INTO attribute_name (name) VALUES (?)').insert(name)
    )
  }
}
