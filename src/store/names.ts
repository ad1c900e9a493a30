import type { Connection } from './sqlite.js'
import type { ChangeWatch } from './state.js'

/** What an answer shows of an item. */
export interface ItemName {
  readonly id: string
  readonly title?: string
}

/** Some 10 MB with titles of usual length. */
const MOST_KEPT = 50_000

/** Ids and titles of items, remembered until anything is committed, here or elsewhere. */
export class ItemNames {
  private readonly kept = new Map<number, ItemName>()
  private counter = -1

  constructor(
    private readonly db: Connection,
    private readonly watch: ChangeWatch,
  ) {}

  /** [keys] undefined where the item is gone. */
  of(keys: ArrayLike<number>): (ItemName | undefined)[] {
    const counter = this.watch.counter()
    if (counter !== this.counter || this.kept.size > MOST_KEPT) this.kept.clear()
    this.counter = counter
    return Array.from(keys, (key) => this.kept.get(key) ?? this.read(key))
  }

  private read(key: number): ItemName | undefined {
    const row = this.db
      .prepareRaw<[string, string | null]>('SELECT id, title FROM item WHERE key = ?')
      .get(key)
    if (row === undefined) return undefined
    const name = { id: row[0], ...(row[1] === null ? {} : { title: row[1] }) }
    this.kept.set(key, name)
    return name
  }
}
