import { join } from 'node:path'
import { checkPayload, damaged, readFolder, readManifest, readPayload } from '../artifact/index.js'
import { TextrecError } from '../errors.js'
import { ExactIndex } from './exact-index.js'
import { HnswIndex } from './hnsw-index.js'
import { newGraph } from './hnsw-library.js'
import { ARTIFACT_KIND, describe, GRAPH, type IndexManifest, KEYS, VECTORS } from './manifest.js'
import { readQuantized } from './quantized-files.js'
import { Rows } from './rows.js'
import type { VectorIndex } from './types.js'

const DAMAGED = 'INDEX_DAMAGED'

/** What the index must be, as far as the caller knows. */
export interface Expected {
  /** What its folder was called when it was published. */
  readonly name?: string
  readonly fingerprint?: string
  readonly dim?: number
  /** The store's last vector change: an index that has seen later ones belongs to another state of the store. */
  readonly lastSequence?: number
}

export interface OpenedIndex {
  readonly index: VectorIndex
  /** The store's last vector change that is in the index. */
  readonly sequence: number
  readonly manifest: IndexManifest
}

/**
 * Opens a published index after checking its manifest, what is expected of it, and every byte of its files;
 * hnswlib sees none of them before. What is opened lives in memory: the folder may go away afterwards.
 * @throws INDEX_DAMAGED if anything is missing or was changed; INDEX_STALE if it was made of other vectors or
 *   belongs to a later state of the store; FINGERPRINT_MISMATCH for vectors of another size.
 */
export async function openIndex(folder: string, expected: Expected): Promise<OpenedIndex> {
  const files = await readManifest(folder, ARTIFACT_KIND, DAMAGED)
  const manifest = describe(folder, files)
  checkExpected(folder, manifest, expected)
  const { dim, size } = manifest
  const keys = new Int32Array((await readPayload(folder, files, KEYS, DAMAGED)).buffer)
  const data = new Float32Array((await readPayload(folder, files, VECTORS, DAMAGED)).buffer)
  if (manifest.graph === undefined) {
    const quantized = await readQuantized(folder, files, size, dim)
    const index = await ExactIndex.trusted(keys, { data, rows: size, dim }, {}, quantized)
    return { index, sequence: manifest.sequence, manifest }
  }
  await checkPayload(folder, files, GRAPH, DAMAGED)
  const graph = newGraph(dim)
  try {
    // In this thread (0.2 s for 100,000 vectors): hnswlib aborts the process that exits while it reads in another.
    graph.readIndexSync(join(folder, GRAPH))
  } catch (cause) {
    throw damaged(DAMAGED, folder, 'hnswlib cannot read its graph', cause)
  }
  if (graph.getCurrentCount() !== size) throw damaged(DAMAGED, folder, 'its graph has another size')
  const index = new HnswIndex(new Rows(dim, keys, data), graph, manifest.graph.ef)
  return { index, sequence: manifest.sequence, manifest }
}

/**
 * What `openIndex` checks before it opens anything, without keeping the index in memory: the manifest, what is
 * expected of it, and every byte of its files.
 * @throws as `openIndex` does
 */
export async function verifyIndex(folder: string, expected: Expected): Promise<IndexManifest> {
  const manifest = describe(folder, await readFolder(folder, ARTIFACT_KIND, DAMAGED))
  checkExpected(folder, manifest, expected)
  return manifest
}

function checkExpected(folder: string, manifest: IndexManifest, expected: Expected): void {
  const rebuild = "Run 'textrec index' to build one that fits."
  if (expected.name !== undefined && expected.name !== manifest.name) {
    throw new TextrecError(
      'INDEX_STALE',
      `The index in ${folder} was published as '${manifest.name}': it is another one's copy.`,
      "Run 'textrec doctor --repair' to build this one again.",
    )
  }
  if (expected.fingerprint !== undefined && expected.fingerprint !== manifest.fingerprint) {
    throw new TextrecError(
      'INDEX_STALE',
      `The index in ${folder} was made of vectors of '${manifest.fingerprint}', not of '${expected.fingerprint}'.`,
      rebuild,
    )
  }
  if (expected.lastSequence !== undefined && manifest.sequence > expected.lastSequence) {
    throw new TextrecError(
      'INDEX_STALE',
      `The index in ${folder} has seen change ${manifest.sequence}, the catalogue ends at ${expected.lastSequence}.`,
      rebuild,
    )
  }
  if (expected.dim !== undefined && expected.dim !== manifest.dim) {
    throw new TextrecError(
      'FINGERPRINT_MISMATCH',
      `The index in ${folder} holds vectors of ${manifest.dim} numbers, not ${expected.dim}.`,
      rebuild,
    )
  }
}
