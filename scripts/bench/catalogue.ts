import { join } from 'node:path'
import { Recommender, sampleFiles } from 'textrec'
import { normalize, row } from '../../src/math/matrix.js'
import type { Random } from '../../src/math/random.js'
import { indexFolder, type LiveState, liveState, setLiveState } from '../../src/project/live-index.js'
import { Store } from '../../src/store/index.js'
import type { ItemKey, Matrix } from '../../src/types.js'
import { buildIndex, publishIndex } from '../../src/vector-index/index.js'

/** Real vectors, and what is live in the project that made them. */
export interface RealVectors {
  readonly from: string
  readonly state: LiveState
  readonly vectors: Matrix
}

/** Encodes the items of a shared set, or of the built-in sample where there is none, in a project in `folder`. */
export async function realVectors(data: string | undefined, folder: string): Promise<RealVectors> {
  const files = sampleFiles()
  const sources =
    data === undefined
      ? { items: files.items, reviews: files.reviews }
      : { items: join(data, 'amazon-industrial', 'items.jsonl.gz') }
  const shop = await Recommender.open(folder)
  await shop.import(sources)
  await shop.index()
  await shop.close()
  const store = Store.open(folder, {})
  const state = liveState(store) as LiveState
  const { vectors } = store.itemVectors(state.space)
  store.close()
  return { from: data === undefined ? 'the built-in sample' : 'amazon-industrial', state, vectors }
}

/** Makes neighbours about as near as those of real items are; with it a copy's cosine to its original is 0.79. */
export const NOISE = 0.04

export interface Size {
  readonly items: number
  readonly people: number
  readonly events: number
}

/**
 * A project whose items are copies of real ones, the first of each as it is and the others with noise on every
 * number. Everybody took some copies of three items, the same copies more often than others, as in a shop.
 */
export async function fillProject(
  folder: string,
  { state, vectors }: RealVectors,
  { events, items, people }: Size,
  draw: Random,
): Promise<void> {
  const store = Store.open(folder, { create: true })
  const name = (i: number) => `item-${i}`
  const step = 10_000
  for (let start = 0; start < items; start += step) {
    const some = Array.from({ length: Math.min(step, items - start) }, (_, i) => start + i)
    const price = () => draw.next() * 100
    store.write({
      items: some.map((i) => ({ id: name(i), title: `Item ${i}`, attributes: { price: price() } })),
    })
    const rows = store.itemSources(store.itemKeys(some.map(name)) as ItemKey[])
    store.putItemVectors(
      state.space,
      rows.map(({ key, textVersion }, i) => ({
        key,
        textVersion,
        vector: copyOf(vectors, start + i, draw),
      })),
    )
  }
  for (let start = 0; start < people; start += 1000) {
    const interactions = []
    for (let person = start; person < Math.min(people, start + 1000); person++) {
      const tastes = Array.from({ length: 3 }, () => draw.integer(Math.min(items, vectors.rows)))
      for (let event = 0; event < events; event++) {
        const copies = Math.floor((items - 1 - tastes[event % 3]) / vectors.rows) + 1
        const item = tastes[event % 3] + Math.floor(copies * draw.next() ** 3) * vectors.rows
        interactions.push({ userId: `person-${person}`, itemId: name(item), time: event })
      }
    }
    store.write({ interactions })
  }
  const { sequence, ...all } = store.itemVectors(state.space)
  const built = await buildIndex(all)
  await publishIndex(indexFolder(folder, 'bench'), built, {
    fingerprint: state.space,
    sequence,
  })
  setLiveState(store, { ...state, indexId: 'bench' })
  store.close()
}

function copyOf(vectors: Matrix, i: number, draw: Random): Float32Array {
  const vector = row(vectors, i % vectors.rows).slice()
  if (i < vectors.rows) return vector
  for (let j = 0; j < vector.length; j++) vector[j] += NOISE * draw.normal()
  return normalize(vector)
}
