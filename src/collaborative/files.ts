import { open, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { TextrecError } from '../errors.js'
import type { NeighbourLists } from './neighbours.js'
import {
  type CollaborativeParameters,
  type CollaborativeScorer,
  EaseScorer,
  NeighbourScorer,
} from './scorer.js'

// The payload of a published scorer. Hashes and sizes are the manifest's business (src/artifact).
const ABOUT = 'collaborative.json'
const WEIGHTS = 'weights.f32'
const STARTS = 'starts.i32'
const NEIGHBOURS = 'neighbours.i32'
const SIMILARITIES = 'similarities.f32'

interface About {
  readonly parameters: CollaborativeParameters
  /** External ids of the warm items: dense numbers change when items come and go. */
  readonly itemIds: readonly string[]
}

/** Writes a scorer into an existing folder. @param itemIds the ids of the catalogue it was fitted on. */
export async function writeScorer(
  folder: string,
  scorer: CollaborativeScorer,
  itemIds: readonly string[],
): Promise<void> {
  const about: About = {
    parameters: scorer.parameters,
    itemIds: Array.from(scorer.warm, (item) => itemIds[item]),
  }
  await writeFile(join(folder, ABOUT), JSON.stringify(about))
  if (scorer instanceof EaseScorer) {
    await writeNumbers(join(folder, WEIGHTS), scorer.weights)
  } else if (scorer instanceof NeighbourScorer) {
    await writeNumbers(join(folder, STARTS), scorer.lists.starts)
    await writeNumbers(join(folder, NEIGHBOURS), scorer.lists.neighbours)
    await writeNumbers(join(folder, SIMILARITIES), scorer.lists.similarities)
  }
}

/**
 * Reads a scorer for the catalogue as it is now: items that have gone are dropped, items that have come are
 * unknown to it.
 * @param itemIds the ids of the present catalogue; their order gives the dense numbers.
 * @throws INDEX_DAMAGED for files that do not fit together.
 */
export async function readScorer(folder: string, itemIds: readonly string[]): Promise<CollaborativeScorer> {
  const about = JSON.parse(await readFile(join(folder, ABOUT), 'utf8')) as About
  const size = about.itemIds.length
  if (size === itemIds.length && about.itemIds.every((id, i) => id === itemIds[i])) {
    return readUnchanged(folder, about.parameters, size)
  }
  const numberOf = new Map(itemIds.map((id, number) => [id, number]))
  const old = about.itemIds.map((id, position) => ({ position, number: numberOf.get(id) ?? -1 }))
  const kept = old.filter(({ number }) => number >= 0).sort((a, b) => a.number - b.number)
  const warm = Int32Array.from(kept, ({ number }) => number)
  const positions = Int32Array.from(kept, ({ position }) => position)
  return about.parameters.kind === 'ease'
    ? readEase(folder, about.parameters, warm, positions, size, itemIds.length)
    : readNeighbours(folder, about.parameters, warm, positions, size, itemIds.length)
}

/** For the catalogue that it was fitted on, if all of that was warm: nothing has to be moved. */
async function readUnchanged(
  folder: string,
  parameters: CollaborativeParameters,
  size: number,
): Promise<CollaborativeScorer> {
  const warm = Int32Array.from({ length: size }, (_, i) => i)
  if (parameters.kind === 'ease') {
    const weights = new Float32Array(await readNumbers(join(folder, WEIGHTS), 4 * size * size))
    return new EaseScorer(warm, size, weights, parameters)
  }
  return new NeighbourScorer(warm, size, await readLists(folder, size), parameters)
}

async function readLists(folder: string, size: number): Promise<NeighbourLists> {
  const starts = new Int32Array(await readNumbers(join(folder, STARTS), 4 * (size + 1)))
  const bytes = 4 * starts[size]
  return {
    starts,
    neighbours: new Int32Array(await readNumbers(join(folder, NEIGHBOURS), bytes)),
    similarities: new Float32Array(await readNumbers(join(folder, SIMILARITIES), bytes)),
  }
}

async function readEase(
  folder: string,
  parameters: Extract<CollaborativeParameters, { kind: 'ease' }>,
  warm: Int32Array,
  positions: Int32Array,
  size: number,
  itemCount: number,
): Promise<EaseScorer> {
  const stored = new Float32Array(await readNumbers(join(folder, WEIGHTS), 4 * size * size))
  const n = warm.length
  const weights = new Float32Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) weights[i * n + j] = stored[positions[i] * size + positions[j]]
  }
  return new EaseScorer(warm, itemCount, weights, parameters)
}

async function readNeighbours(
  folder: string,
  parameters: Extract<CollaborativeParameters, { kind: 'neighbours' }>,
  warm: Int32Array,
  positions: Int32Array,
  size: number,
  itemCount: number,
): Promise<NeighbourScorer> {
  const old = await readLists(folder, size)
  const positionNow = new Int32Array(size).fill(-1)
  for (let i = 0; i < positions.length; i++) positionNow[positions[i]] = i
  const starts = new Int32Array(warm.length + 1)
  const neighbours: number[] = []
  const similarities: number[] = []
  for (let i = 0; i < warm.length; i++) {
    for (let at = old.starts[positions[i]]; at < old.starts[positions[i] + 1]; at++) {
      const neighbour = positionNow[old.neighbours[at]]
      if (neighbour < 0) continue
      neighbours.push(neighbour)
      similarities.push(old.similarities[at])
    }
    starts[i + 1] = neighbours.length
  }
  const lists = {
    starts,
    neighbours: Int32Array.from(neighbours),
    similarities: Float32Array.from(similarities),
  }
  return new NeighbourScorer(warm, itemCount, lists, parameters)
}

function writeNumbers(path: string, numbers: Float32Array | Int32Array): Promise<void> {
  return writeFile(path, new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength))
}

async function readNumbers(path: string, bytes: number): Promise<ArrayBuffer> {
  const file = await open(path)
  try {
    const { size } = await file.stat()
    const numbers = new ArrayBuffer(size)
    // A single read gives back 2 GiB at most.
    for (let at = 0; at < size; ) {
      const { bytesRead } = await file.read(new Uint8Array(numbers, at, Math.min(size - at, 2 ** 30)))
      if (bytesRead === 0) break
      at += bytesRead
    }
    if (size === bytes) return numbers
    throw new TextrecError(
      'INDEX_DAMAGED',
      `${path} has ${size} bytes instead of ${bytes}.`,
      "Run 'textrec train' or 'textrec index' to make it again.",
    )
  } finally {
    await file.close()
  }
}
