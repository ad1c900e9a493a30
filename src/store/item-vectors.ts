import type { ItemKey, Matrix } from '../types.js'
import type { Connection } from './sqlite.js'
import type { State } from './state.js'
import { matrixOf, readBlob, requireFinite, type Spaces, toBlob } from './vectors.js'

/** An item's vector, made from the texts that it had at `textVersion`. */
export interface ItemVectorRow {
  readonly key: ItemKey
  readonly textVersion: number
  /** Undefined for an item about which there is no text: it is up to date, and in no index. */
  readonly vector: Float32Array | undefined
}

/** Every vector of a space, in key order. `sequence` is where `changes` goes on from. */
export interface ItemVectors {
  readonly keys: Int32Array
  readonly vectors: Matrix
  readonly sequence: number
}

export interface VectorChanges {
  readonly sequence: number
  readonly upserts: { readonly keys: Int32Array; readonly vectors: Matrix }
  /** Items that were deleted, or that have no text any more. Some may never have had a vector. */
  readonly removed: Int32Array
}

/**
 * Item vectors, one set per space. Every transaction that alters them takes the next change number, so that an
 * index can ask what it missed since the number it was built at.
 */
export class VectorTable {
  constructor(
    private readonly db: Connection,
    private readonly spaces: Spaces,
    private readonly state: State,
  ) {}

  /** Of these items, the ones that `stale` would name: for a handful, without reading the catalogue. */
  staleAmong(space: string, items: readonly ItemKey[]): ItemKey[] {
    return this.db
      .prepareRaw<[ItemKey]>(
        `SELECT s.item FROM item_state s
         LEFT JOIN item_vector v
           ON v.space = (SELECT key FROM space WHERE name = ?) AND v.item = s.item
         WHERE s.item IN (SELECT value FROM json_each(?)) AND v.text_version IS NOT s.text_version
         ORDER BY s.item`,
      )
      .all(space, JSON.stringify(items))
      .map(([key]) => key)
  }

  /** Items whose texts changed since their vector was made, or that have none, in key order. */
  stale(space: string): ItemKey[] {
    // Both sides are read from small rows: the index item_vector_version covers its side.
    return this.db
      .prepareRaw<[ItemKey]>(
        `SELECT s.item FROM item_state s
         LEFT JOIN item_vector v INDEXED BY item_vector_version
           ON v.space = (SELECT key FROM space WHERE name = ?) AND v.item = s.item
         WHERE v.text_version IS NOT s.text_version ORDER BY s.item`,
      )
      .all(space)
      .map(([key]) => key)
  }

  /**
   * Stores vectors in one transaction; rows of items that were deleted meanwhile are left out, and so are vectors
   * of older texts than those that are there.
   */
  put(space: string, rows: readonly ItemVectorRow[]): void {
    if (rows.length === 0) return
    this.db.write(() => {
      let key = this.spaces.require(space)
      const insert = this.db.prepare(
        `INSERT INTO item_vector (space, item, text_version, sequence, vector)
         SELECT ?, ?, ?, ?, ? WHERE EXISTS (SELECT 1 FROM item WHERE key = ?)
         ON CONFLICT (item, space) DO UPDATE SET text_version = excluded.text_version,
           sequence = excluded.sequence, vector = excluded.vector
           WHERE excluded.text_version >= item_vector.text_version`,
      )
      const sequence = this.state.nextChange()
      for (const { key: item, textVersion, vector } of rows) {
        if (vector !== undefined) {
          key = this.spaces.requireDim(space, 'item', vector.length)
          requireFinite(vector)
        }
        insert.run(key, item, textVersion, sequence, vector === undefined ? null : toBlob(vector), item)
      }
    })
  }

  /** All vectors as they are now. */
  all(space: string): ItemVectors {
    return this.db.read(() => {
      const sequence = this.state.counter('change')
      const found = this.spaces.find(space, 'item')
      const dim = found?.dim ?? 0
      const count = this.count(space)
      const keys = new Int32Array(count)
      const data = new Float32Array(count * dim)
      const rows = this.db
        .prepareRaw<[number, Uint8Array]>(
          `SELECT item, vector FROM item_vector INDEXED BY item_vector_version
           WHERE space = ? AND vector IS NOT NULL ORDER BY item`,
        )
        .each(found?.key ?? null)
      let i = 0
      for (const [key, blob] of rows) {
        keys[i] = key
        readBlob(blob, data.subarray(i * dim, (i + 1) * dim), this.db.path)
        i++
      }
      return { keys, vectors: { data, rows: count, dim }, sequence }
    })
  }

  /** What became of the vectors after change number `since`. */
  changes(space: string, since: number): VectorChanges {
    return this.db.read(() => {
      const sequence = this.state.counter('change')
      const found = this.spaces.find(space, 'item')
      const rows = this.db
        .prepareRaw<[number, Uint8Array | null]>(
          'SELECT item, vector FROM item_vector WHERE space = ? AND sequence > ? ORDER BY item',
        )
        .all(found?.key ?? null, since)
      const gone = this.db
        .prepareRaw<[number]>('SELECT item FROM vector_removal WHERE space = ? AND sequence > ?')
        .all(found?.key ?? null, since)
      const upserts = rows.filter((row): row is [number, Uint8Array] => row[1] !== null)
      const emptied = rows.filter(([, vector]) => vector === null)
      return {
        sequence,
        upserts: {
          keys: Int32Array.from(upserts, ([item]) => item),
          vectors: matrixOf(
            upserts.map(([, vector]) => vector),
            found?.dim ?? 0,
            this.db.path,
          ),
        },
        removed: Int32Array.from([...gone, ...emptied], ([item]) => item).sort(),
      }
    })
  }

  /** How many items have a vector in this space. */
  count(space: string): number {
    return (
      this.db
        .prepareRaw<[number]>(
          `SELECT count(*) FROM item_vector
           WHERE space = (SELECT key FROM space WHERE name = ?) AND vector IS NOT NULL`,
        )
        .get(space)?.[0] ?? 0
    )
  }

  /** Inside a write transaction, before the items' rows are deleted: tells every space that they are gone. */
  bury(items: readonly ItemKey[], sequence: number): void {
    const insert = this.db.prepare(
      'INSERT INTO vector_removal SELECT space, ?, item FROM item_vector WHERE item = ?',
    )
    for (const item of items) insert.run(sequence, item)
  }

  /** The spaces that hold item vectors or text vectors. */
  spaceNames(): string[] {
    return this.db
      .prepareRaw<[string]>('SELECT name FROM space ORDER BY key')
      .all()
      .map(([name]) => name)
  }

  /** Deletes everything of one space: vectors, embeddings, plans. For vectors that no live state needs. */
  drop(space: string): void {
    this.db.write(() => {
      const key = this.spaces.find(space, 'item')?.key
      if (key === undefined) return
      for (const table of ['item_vector', 'vector_removal', 'embedding', 'planned_text']) {
        this.db.prepare(`DELETE FROM ${table} WHERE space = ?`).run(key)
      }
      this.db.prepare('DELETE FROM space WHERE key = ?').run(key)
      this.state.nextChange()
    })
  }
}
