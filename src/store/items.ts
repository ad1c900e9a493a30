import { show } from '../options.js'
import type { Item, ItemKey } from '../types.js'
import { type AttributeRows, decodeAttributes, encodeAttributes } from './attributes.js'
import { chunks, type Ids } from './ids.js'
import type { Connection } from './sqlite.js'
import { requireId, textOrNull } from './text.js'
import type { KindCounts, Writing } from './write.js'

/** An item with the key under which the store knows it. */
export interface StoredItem extends Item {
  readonly key: ItemKey
}

type ItemRow = readonly [
  key: ItemKey,
  id: string,
  title: string | null,
  description: string | null,
  attributes: string | null,
]

const COLUMNS = 'key, id, title, description, attributes'
const CHUNK = 500

/** The catalogue's items: writing, reading. */
export class Items {
  constructor(
    private readonly db: Connection,
    private readonly ids: Ids<ItemKey>,
    private readonly attributes: AttributeRows,
  ) {}

  /**
   * Adds or replaces items, whole records at a time. Of several records with one id in `items` the last
   * counts; the others are `replaced` where the record after them says something else, else `unchanged`.
   */
  write(items: readonly Item[], writing: Writing): KindCounts {
    const counts = { added: 0, replaced: 0, unchanged: 0 }
    const last = new Map<string, Item>()
    for (const [i, item] of items.entries()) {
      const id = requireId(item.id, `Item ${i + 1}`, 'id')
      const earlier = last.get(id)
      if (earlier !== undefined) counts[sameItem(earlier, item, id) ? 'unchanged' : 'replaced']++
      last.set(id, item)
    }
    for (const [id, item] of last) counts[this.writeOne(id, item, writing)]++
    return counts
  }

  /** The key of an item that a review or an interaction names; a bare item is made where there is none. */
  requireKey(id: string, writing: Writing): ItemKey {
    const known = this.ids.knownKey(id)
    if (known !== undefined) return known
    const key = this.db.prepare('INSERT INTO item (id, declared) VALUES (?, 0)').insert(id) as ItemKey
    this.ids.remember(id, key)
    writing.touch(key)
    return key
  }

  private writeOne(id: string, item: Item, writing: Writing): keyof KindCounts {
    const title = textOrNull(item.title)
    const description = textOrNull(item.description)
    const attributes = encodeAttributes(item.attributes, `Item ${show(id)}`)
    const key = this.ids.knownKey(id)
    if (key === undefined) {
      const added = this.db
        .prepare('INSERT INTO item (id, declared, title, description, attributes) VALUES (?, 1, ?, ?, ?)')
        .insert(id, title, description, attributes) as ItemKey
      this.ids.remember(id, added)
      if (attributes !== null) this.attributes.replace(added, attributes)
      writing.touch(added)
      return 'added'
    }
    const held = this.db
      .prepareRaw<[number, string | null, string | null, string | null]>(
        'SELECT declared, title, description, attributes FROM item WHERE key = ?',
      )
      .get(key) as [number, string | null, string | null, string | null]
    const [declared, heldTitle, heldDescription, heldAttributes] = held
    const same = heldTitle === title && heldDescription === description && heldAttributes === attributes
    if (declared === 1 && same) return 'unchanged'
    this.db
      .prepare('UPDATE item SET declared = 1, title = ?, description = ?, attributes = ? WHERE key = ?')
      .run(title, description, attributes, key)
    if (heldAttributes !== attributes) this.attributes.replace(key, attributes)
    if (same) writing.change()
    else writing.touch(key)
    return declared === 1 ? 'replaced' : 'added'
  }

  /** [keys] undefined where the item is gone. */
  read(keys: ArrayLike<number>): (StoredItem | undefined)[] {
    const found = new Map<number, StoredItem>()
    const statement = this.db.prepareRaw<ItemRow>(
      `SELECT ${COLUMNS} FROM item WHERE key IN (SELECT value FROM json_each(?))`,
    )
    for (const chunk of chunks(keys, CHUNK)) {
      for (const row of statement.all(JSON.stringify(chunk))) found.set(row[0], storedItem(row))
    }
    return Array.from(keys, (key) => found.get(key))
  }

  /** The text version by key; items that are gone are absent. */
  textVersions(keys: ArrayLike<number>): Map<number, number> {
    const statement = this.db.prepareRaw<[number, number]>(
      'SELECT item, text_version FROM item_state WHERE item IN (SELECT value FROM json_each(?))',
    )
    const versions = new Map<number, number>()
    for (const chunk of chunks(keys, CHUNK)) {
      for (const [key, version] of statement.all(JSON.stringify(chunk))) versions.set(key, version)
    }
    return versions
  }

  /** Every item, in key order. Other calls may be made while it runs. */
  *each(): Generator<StoredItem, void, undefined> {
    const page = this.db.prepareRaw<ItemRow>(
      `SELECT ${COLUMNS} FROM item WHERE key > ? ORDER BY key LIMIT ${CHUNK}`,
    )
    for (let after = 0; ; ) {
      const rows = page.all(after)
      for (const row of rows) yield storedItem(row)
      if (rows.length < CHUNK) return
      after = rows[rows.length - 1][0]
    }
  }
}

/** Whether two records of one id would be stored alike. */
function sameItem(a: Item, b: Item, id: string): boolean {
  const stored = (item: Item) => [
    textOrNull(item.title),
    textOrNull(item.description),
    encodeAttributes(item.attributes, `Item ${show(id)}`),
  ]
  const other = stored(b)
  return stored(a).every((value, i) => value === other[i])
}

function storedItem([key, id, title, description, attributes]: ItemRow): StoredItem {
  const kept = decodeAttributes(attributes)
  return {
    key,
    id,
    ...(title === null ? {} : { title }),
    ...(description === null ? {} : { description }),
    ...(kept === undefined ? {} : { attributes: kept }),
  }
}
