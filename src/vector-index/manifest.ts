import { endianness } from 'node:os'
import { damaged, type Manifest, readManifest } from '../artifact/index.js'
import type { BuiltIndex } from './build.js'
import type { IndexKind } from './types.js'

export const ARTIFACT_KIND = 'vector-index'
/** int32 keys, ascending order not required; row i of the vectors belongs to key i. */
export const KEYS = 'keys.i32'
export const VECTORS = 'vectors.f32'
/** hnswlib's own format, label i for row i. */
export const GRAPH = 'graph.hnsw'
const SPACE = 'cosine'

/** What made the vectors, and where the store stood. */
export interface IndexOrigin {
  /** Of the vectors: encoder, graph variant, profile, adapter. */
  readonly fingerprint: string
  /** The store's last vector change that is in the index. */
  readonly sequence: number
}

export interface IndexManifest extends IndexOrigin {
  /** Of the folder it was published as: an index copied over another one gives itself away. */
  readonly name: string
  readonly kind: IndexKind
  readonly dim: number
  readonly size: number
  /** recall@10 against exact search, measured when it was built. */
  readonly recall: number
  /** ISO 8601. */
  readonly builtAt: string
  /** Of all files. */
  readonly bytes: number
  readonly graph?: { readonly m: number; readonly efConstruction: number; readonly ef: number }
  readonly note?: string
}

/** Fields as written; JSON has no `undefined`, so absent parts are left out. */
export function manifestFields(name: string, built: BuiltIndex, origin: IndexOrigin) {
  return {
    name,
    indexKind: built.kind,
    space: SPACE,
    byteOrder: endianness(),
    dim: built.dim,
    size: built.size,
    recall: built.recall,
    ...(built.graph === undefined ? {} : { graph: built.graph }),
    ...(built.note === undefined ? {} : { note: built.note }),
    fingerprint: origin.fingerprint,
    sequence: origin.sequence,
    builtAt: new Date().toISOString(),
  }
}

/** The manifest of a published index, without reading its vectors. @throws INDEX_DAMAGED. */
export async function readIndexManifest(folder: string): Promise<IndexManifest> {
  return describe(folder, await readManifest(folder, ARTIFACT_KIND, 'INDEX_DAMAGED'))
}

/** What a manifest says. @throws INDEX_DAMAGED if it does not fit together. */
export function describe(folder: string, { files, fields }: Manifest): IndexManifest {
  const { name, indexKind, space, byteOrder, dim, size, recall, fingerprint, sequence, builtAt, note } =
    fields
  const graph = graphOf(fields.graph)
  const vectorBytes = 4 * (size as number) * (dim as number)
  const fits =
    (indexKind === 'exact' || (indexKind === 'hnsw' && graph !== undefined && GRAPH in files)) &&
    space === SPACE &&
    byteOrder === endianness() &&
    isCount(dim) &&
    isCount(size) &&
    isCount(sequence) &&
    typeof name === 'string' &&
    typeof recall === 'number' &&
    typeof fingerprint === 'string' &&
    typeof builtAt === 'string' &&
    files[KEYS]?.bytes === 4 * size &&
    files[VECTORS]?.bytes === vectorBytes
  if (!fits) throw damaged('INDEX_DAMAGED', folder, 'its manifest does not describe its files')
  return {
    name,
    kind: indexKind as IndexKind,
    dim,
    size,
    recall,
    fingerprint,
    sequence,
    builtAt,
    bytes: Object.values(files).reduce((sum, { bytes }) => sum + bytes, 0),
    ...(graph === undefined ? {} : { graph }),
    ...(typeof note === 'string' ? { note } : {}),
  }
}

function graphOf(value: unknown): IndexManifest['graph'] {
  const { m, efConstruction, ef } = (value ?? {}) as { [name: string]: unknown }
  return isCount(m) && isCount(efConstruction) && isCount(ef) ? { m, efConstruction, ef } : undefined
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
