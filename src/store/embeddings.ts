import { TextrecError } from '../errors.js'
import { row } from '../math/matrix.js'
import type { Matrix } from '../types.js'
import type { Connection } from './sqlite.js'
import { ChangeWatch } from './state.js'
import { textHash } from './text.js'
import { readBlob, requireFinite, type Spaces, toBlob } from './vectors.js'

/** A text that is to be embedded, under the hash by which its vector will be found. */
export interface PlannedText {
  readonly hash: Uint8Array
  readonly text: string
}

/**
 * Text vectors by hash, one cache per space, and the batches in which missing ones are to be computed.
 * Batches are planned and stored before the first is run: an int8 vector depends a little on its batch-mates,
 * so a run that goes on after a kill must use the same batches.
 */
export class Embeddings {
  constructor(
    private readonly db: Connection,
    private readonly spaces: Spaces,
  ) {}

  /** [hashes] the vector, or undefined where there is none. One look-up takes about 5 us. */
  get(space: string, hashes: readonly Uint8Array[]): (Float32Array | undefined)[] {
    const found = this.spaces.find(space, 'text')
    if (found === undefined) return hashes.map(() => undefined)
    const statement = this.db.prepareRaw<[Uint8Array]>(
      'SELECT vector FROM embedding WHERE space = ? AND hash = ?',
    )
    return this.db.read(() =>
      hashes.map((hash) => {
        const held = statement.get(found.key, hash)
        return held && readBlob(held[0], new Float32Array(found.dim), this.db.path)
      }),
    )
  }

  /** Stores row i of `vectors` under hash i; a hash that is there keeps its vector. */
  put(space: string, hashes: readonly Uint8Array[], vectors: Matrix): void {
    if (hashes.length !== vectors.rows) {
      throw new TextrecError(
        'DIMENSION_MISMATCH',
        `${hashes.length} hashes met ${vectors.rows} vectors.`,
        'Pass one vector per hash.',
      )
    }
    if (hashes.length === 0) return
    this.db.write(() => {
      const key = this.spaces.requireDim(space, 'text', vectors.dim)
      const insert = this.db.prepare(
        'INSERT INTO embedding (space, hash, vector) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
      )
      for (const [i, hash] of hashes.entries()) {
        const vector = row(vectors, i)
        requireFinite(vector)
        insert.run(key, hash, toBlob(vector))
      }
    })
  }

  /** How many texts of this space have a vector. */
  count(space: string): number {
    return (
      this.db
        .prepareRaw<[number]>(
          'SELECT count(*) FROM embedding WHERE space = (SELECT key FROM space WHERE name = ?)',
        )
        .get(space)?.[0] ?? 0
    )
  }

  /** Numbers of the batches that are planned and not finished, in the order to run them. */
  plannedBatches(space: string): number[] {
    return this.db
      .prepareRaw<[number]>(
        `SELECT DISTINCT batch FROM planned_text
         WHERE space = (SELECT key FROM space WHERE name = ?) ORDER BY batch`,
      )
      .all(space)
      .map(([batch]) => batch)
  }

  /** The texts of one planned batch, in their places; empty once it is finished. */
  plannedBatch(space: string, batch: number): PlannedText[] {
    return this.db
      .prepareRaw<[Uint8Array, string]>(
        `SELECT hash, text FROM planned_text
         WHERE space = (SELECT key FROM space WHERE name = ?) AND batch = ? ORDER BY key`,
      )
      .all(space, batch)
      .map(([hash, text]) => ({ hash: new Uint8Array(hash), text }))
  }

  /** Appends batches to the plan, in one transaction. */
  plan(space: string, batches: readonly (readonly PlannedText[])[]): void {
    this.db.write(() => {
      const key = this.spaces.require(space)
      const first = this.db
        .prepareRaw<[number]>('SELECT ifnull(max(batch), 0) + 1 FROM planned_text WHERE space = ?')
        .get(key)?.[0] as number
      const insert = this.db.prepare(
        'INSERT INTO planned_text (space, batch, hash, text) VALUES (?, ?, ?, ?)',
      )
      for (const [i, batch] of batches.entries()) {
        for (const { hash, text } of batch) insert.run(key, first + i, hash, text)
      }
    })
  }

  /** Stores a batch's vectors and strikes it from the plan, in one transaction. */
  finish(space: string, batch: number, hashes: readonly Uint8Array[], vectors: Matrix): void {
    this.db.write(() => {
      this.put(space, hashes, vectors)
      this.db
        .prepare('DELETE FROM planned_text WHERE space = ? AND batch = ?')
        .run(this.spaces.require(space), batch)
    })
  }

  /**
   * Deletes the vectors of all texts that are not among `kept`, in every space, and the planned batches that hold one:
   * earlier wordings, and what was written in records that are gone. Looks for them without keeping others from
   * writing, unless they write all the time.
   * @param kept called anew where something was written while it was looked for
   * @returns how many vectors
   */
  keepOnly(kept: () => Iterable<string>): number {
    const watch = new ChangeWatch(this.db)
    for (let attempt = 0; attempt < QUIET_ATTEMPTS; attempt++) {
      const before = watch.counter()
      const gone = this.db.read(() => this.beside(kept()))
      if (gone.length === 0) return 0
      const deleted = this.db.write(() => (watch.counter() === before ? this.delete(gone) : undefined))
      if (deleted !== undefined) return deleted
    }
    return this.db.write(() => this.delete(this.beside(kept())))
  }

  /** Hashes of all texts with a vector or a plan, but for those of `kept`. */
  private beside(kept: Iterable<string>): Uint8Array[] {
    const known = new Set<string>()
    for (const text of kept) known.add(nameOf(textHash(text)))
    const gone = new Map<string, Uint8Array>()
    const held = this.db.prepareRaw<[Uint8Array]>(
      'SELECT hash FROM embedding UNION SELECT hash FROM planned_text',
    )
    for (const [hash] of held.each()) if (!known.has(nameOf(hash))) gone.set(nameOf(hash), hash)
    return [...gone.values()]
  }

  private delete(hashes: readonly Uint8Array[]): number {
    const names = new Set(hashes.map(nameOf))
    const planned = this.db
      .prepareRaw<[number, number, Uint8Array]>('SELECT space, batch, hash FROM planned_text')
      .all()
    const plan = this.db.prepare('DELETE FROM planned_text WHERE space = ? AND batch = ?')
    for (const [space, batch, hash] of planned) if (names.has(nameOf(hash))) plan.run(space, batch)
    const spaces = this.db.prepareRaw<[number]>('SELECT DISTINCT key FROM space').all()
    const vector = this.db.prepare('DELETE FROM embedding WHERE space = ? AND hash = ?')
    let deleted = 0
    for (const hash of hashes) {
      for (const [space] of spaces) deleted += vector.run(space, hash)
    }
    return deleted
  }
}

/** How often the texts are looked through while others may write, before they have to wait. */
const QUIET_ATTEMPTS = 3

/** A hash as the key of a map. */
const nameOf = (hash: Uint8Array): string =>
  Buffer.from(hash.buffer, hash.byteOffset, hash.length).toString('latin1')
