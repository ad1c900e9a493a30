import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { MANIFEST_NAME } from '../../src/artifact/index.js'
import { indexFolder, type LiveState, liveState } from '../../src/project/live-index.js'
import { Connection, type Value } from '../../src/store/sqlite.js'
import { Store } from '../../src/store/store.js'

/** What two projects must agree in to be called equal. Hashes of contents; folder names drawn at random are out. */
export interface ProjectState {
  /** Items, people, reviews and events. */
  readonly records: number
  /** By table, so that a difference says where it is. */
  readonly tables: { readonly [table: string]: string }
  /** The live index's files. */
  readonly index: string
  /** The live adapter's files. */
  readonly adapter: string
  /** What is wrong by itself: a damaged database, folders that nothing points to, temporary files. */
  readonly faults: readonly string[]
}

/** Numbers that only order changes: an interrupted run may need one more than a calm one. */
const ORDER_COLUMNS = new Set(['sequence', 'text_version'])

export function stateOf(folder: string): ProjectState {
  const store = Store.open(folder)
  try {
    const live = liveState(store)
    const indexes = join(folder, 'indexes')
    const adapters = join(folder, 'adapters')
    const unused = [
      ...namesIn(indexes).filter((name) => name !== live?.indexId),
      ...namesIn(adapters).filter((name) => name !== live?.model?.id),
      ...namesIn(folder).filter((name) => /^\.|\.(tmp|new|old|part)/.test(name)),
      ...['crowd', 'training'].flatMap((place) =>
        namesIn(join(folder, place)).filter((name) => name.startsWith('.')),
      ),
    ]
    const { items, users, reviews, interactions } = store.counts()
    return {
      records: items + users + reviews + interactions,
      tables: tablesOf(folder),
      index: live === undefined ? 'none' : hashFolder(join(indexes, live.indexId)),
      adapter:
        live?.model?.adapter === undefined ? 'none' : hashFolder(join(adapters, live.model.id, 'adapter')),
      faults: [...store.check(), ...unused.map((name) => `left over: ${name}`)],
    }
  } finally {
    store.close()
  }
}

/** Whether the live index is built of the newest vectors: what a compaction comes to. */
export function isIndexNewest(store: Store): boolean {
  const { indexId, space } = liveState(store) as LiveState
  const manifest = readFileSync(join(indexFolder(store.directory, indexId), MANIFEST_NAME), 'utf8')
  const { fields } = JSON.parse(manifest) as { fields: { sequence: unknown } }
  return fields.sequence === store.itemVectors(space).sequence
}

/** Where two states differ, in words; empty if nowhere. */
export function differences(found: ProjectState, wanted: ProjectState): string[] {
  const names = new Set([...Object.keys(found.tables), ...Object.keys(wanted.tables)])
  return [
    ...found.faults,
    ...[...names].filter((name) => found.tables[name] !== wanted.tables[name]).map((name) => `table ${name}`),
    ...(found.index === wanted.index ? [] : ['the index']),
    ...(found.adapter === wanted.adapter ? [] : ['the adapter']),
  ]
}

function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : []
}

function hashFolder(folder: string): string {
  const hash = createHash('sha256')
  for (const name of readdirSync(folder).sort()) {
    // The manifest names the folder and the change at which it was made; the files it lists are hashed here.
    if (name.endsWith('manifest.json')) continue
    hash.update(name).update(readFileSync(join(folder, name)))
  }
  return hash.digest('hex')
}

/** Every table's rows, sorted by all columns; shadows of the full text index are the business of `check`. */
function tablesOf(folder: string): { [table: string]: string } {
  const db = Connection.open(join(folder, 'catalog.db'), { readonly: true, busyTimeout: 5000 })
  try {
    const names = db
      .prepareRaw<[string]>(
        `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'
           AND name NOT LIKE 'item\\_text%' ESCAPE '\\' AND name NOT LIKE 'review\\_text%' ESCAPE '\\'
         ORDER BY name`,
      )
      .all()
      .map(([name]) => name)
    return Object.fromEntries(names.map((name) => [name, hashTable(db, name)]))
  } finally {
    db.close()
  }
}

function hashTable(db: Connection, table: string): string {
  const columns = db
    .prepareRaw<[string]>(`SELECT name FROM pragma_table_info('${table}')`)
    .all()
    .map(([name]) => name)
    .filter((name) => !ORDER_COLUMNS.has(name))
  const list = columns.map((name) => `"${name}"`).join(', ')
  const hash = createHash('sha256')
  for (const row of db.prepareRaw<Value[]>(`SELECT ${list} FROM ${table} ORDER BY ${list}`).each()) {
    if (table === 'counter' && row[0] === 'change') continue
    for (const value of table === 'meta' ? withoutDrawnNames(row) : row) {
      hash.update(value instanceof Uint8Array ? value : `${typeof value} ${value}\n`)
    }
  }
  return hash.digest('hex')
}

/** What is live without the names that were drawn for its folders. */
function withoutDrawnNames([name, value]: readonly Value[]): readonly Value[] {
  return [
    name,
    String(value).replace(/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/g, '*'),
  ]
}
