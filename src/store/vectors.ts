import { TextrecError } from '../errors.js'
import { isFiniteVector, requireSameDimension } from '../math/matrix.js'
import type { Matrix } from '../types.js'
import type { Connection } from './sqlite.js'

type Kind = 'text' | 'item'

/** A vector as it is stored: its float32 numbers, little-endian. */
export function toBlob(vector: Float32Array): Uint8Array {
  return Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength)
}

/**
 * Reads a stored vector into `target`.
 * @throws DATABASE_DAMAGED if it has another length, or holds what is not a number.
 */
export function readBlob(blob: Uint8Array, target: Float32Array, path: string): Float32Array {
  const bytes = new Uint8Array(target.buffer, target.byteOffset, target.byteLength)
  if (blob.length !== bytes.length) throw damaged(path, `has ${blob.length} bytes instead of ${bytes.length}`)
  bytes.set(blob)
  if (!isFiniteVector(target)) throw damaged(path, 'holds numbers that are not finite')
  return target
}

function damaged(path: string, what: string): TextrecError {
  return new TextrecError(
    'DATABASE_DAMAGED',
    `A vector in ${path} ${what}.`,
    'Restore a backup, or import the source files again into a new project.',
  )
}

/** All the blobs of one space as one matrix, row by row. */
export function matrixOf(blobs: readonly Uint8Array[], dim: number, path: string): Matrix {
  const data = new Float32Array(blobs.length * dim)
  for (const [i, blob] of blobs.entries()) readBlob(blob, data.subarray(i * dim, (i + 1) * dim), path)
  return { data, rows: blobs.length, dim }
}

/** The spaces by name: text embeddings and item vectors of one origin, with their dimensions. */
export class Spaces {
  constructor(private readonly db: Connection) {}

  /** Undefined while nothing was ever put into it. */
  find(name: string, kind: Kind): { key: number; dim: number } | undefined {
    const row = this.db
      .prepareRaw<[number, number | null]>(`SELECT key, ${kind}_dim FROM space WHERE name = ?`)
      .get(name)
    return row === undefined ? undefined : { key: row[0], dim: row[1] ?? 0 }
  }

  /** Inside a write transaction: the space's key, made where there is none. */
  require(name: string): number {
    const insert = this.db.prepare('INSERT INTO space (name) VALUES (?) ON CONFLICT DO NOTHING')
    insert.run(name)
    return this.find(name, 'text')?.key as number
  }

  /** Inside a write transaction: the same for vectors of `dim` numbers. @throws DIMENSION_MISMATCH. */
  requireDim(name: string, kind: Kind, dim: number): number {
    const key = this.require(name)
    const held = this.find(name, kind)?.dim ?? 0
    if (held === 0) this.db.prepare(`UPDATE space SET ${kind}_dim = ? WHERE key = ?`).run(dim, key)
    else requireSameDimension(held, dim)
    return key
  }
}

/** @throws OPTION_INVALID for a vector that may not be stored: a bug of the caller, stopped before it spreads. */
export function requireFinite(vector: Float32Array): void {
  if (isFiniteVector(vector)) return
  throw new TextrecError(
    'OPTION_INVALID',
    'A vector holds NaN or infinity.',
    'Stored vectors must be finite.',
  )
}
