import type { Connection } from './sqlite.js'

/**
 * Ids remembered per kind, so that a batch of known people costs no look-ups: at most twice as many, some 8 MB. Few
 * enough that an import of ten million rows needs no more memory than one of a million.
 */
const CACHED_IDS = 50_000

/** Ids asked for in one statement. */
const CHUNK = 500

/**
 * Outside ids <-> inside keys, for one of the tables `item` and `user`.
 * Found keys are remembered until another process or a rollback may have changed them.
 */
export class Ids<Key extends number> {
  private cache = new Map<string, Key>()
  /** What was remembered before that; dropped when the cache is full again. What is asked for moves on. */
  private older = new Map<string, Key>()
  private dataVersion = -1

  constructor(
    private readonly db: Connection,
    private readonly table: 'item' | 'user',
  ) {
    db.onRollback(() => this.forget())
  }

  /** Drops what is remembered: after rows were deleted. */
  forget(): void {
    this.cache = new Map()
    this.older = new Map()
  }

  key(id: string): Key | undefined {
    return this.db.prepareRaw<[Key]>(`SELECT key FROM ${this.table} WHERE id = ?`).get(id)?.[0]
  }

  /** [ids] undefined where there is no such id. */
  keys(ids: readonly string[]): (Key | undefined)[] {
    return ids.map((id) => this.key(id))
  }

  id(key: number): string | undefined {
    return this.db.prepareRaw<[string]>(`SELECT id FROM ${this.table} WHERE key = ?`).get(key)?.[0]
  }

  /** [keys] undefined where the row is gone. */
  ids(keys: ArrayLike<number>): (string | undefined)[] {
    const found = new Map<number, string>()
    const statement = this.db.prepareRaw<[number, string]>(
      `SELECT key, id FROM ${this.table} WHERE key IN (SELECT value FROM json_each(?))`,
    )
    for (const chunk of chunks(keys, CHUNK)) {
      for (const [key, id] of statement.all(JSON.stringify(chunk))) found.set(key, id)
    }
    return Array.from(keys, (key) => found.get(key))
  }

  /** At most so many ids that begin like this, in their order. */
  beginningWith(prefix: string, most: number): string[] {
    return this.db
      .prepareRaw<[string]>(`SELECT id FROM ${this.table} WHERE id >= ? AND id < ? ORDER BY id LIMIT ?`)
      .all(prefix, `${prefix}\u{10FFFF}`, most)
      .map(([id]) => id)
  }

  /** Every key and id, in key order. */
  all(): { keys: number[]; ids: string[] } {
    const keys: number[] = []
    const ids: string[] = []
    for (const [key, id] of this.db
      .prepareRaw<[number, string]>(`SELECT key, id FROM ${this.table} ORDER BY key`)
      .each()) {
      keys.push(key)
      ids.push(id)
    }
    return { keys, ids }
  }

  /** Inside a write transaction, before `knownKey`: forgets what another process may have changed. */
  refresh(): void {
    const version = this.db.prepareRaw<[number]>('PRAGMA data_version').get()?.[0] ?? 0
    if (version !== this.dataVersion) this.forget()
    this.dataVersion = version
  }

  /** `key` through the memory; only inside a write transaction that began with `refresh`. */
  knownKey(id: string): Key | undefined {
    const held = this.cache.get(id)
    if (held !== undefined) return held
    const key = this.older.get(id) ?? this.key(id)
    if (key !== undefined) this.remember(id, key)
    return key
  }

  remember(id: string, key: Key): void {
    if (this.cache.size >= CACHED_IDS) {
      this.older = this.cache
      this.cache = new Map()
    }
    this.cache.set(id, key)
  }
}

/** Plain arrays of at most `size` values each. */
export function* chunks(values: ArrayLike<number>, size: number): Generator<number[]> {
  for (let start = 0; start < values.length; start += size) {
    yield Array.prototype.slice.call(values, start, start + size) as number[]
  }
}
