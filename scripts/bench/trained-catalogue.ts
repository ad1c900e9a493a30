import { randomUUID } from 'node:crypto'
import { cp } from 'node:fs/promises'
import { type Adapter, trainAdapter } from '../../src/adapter/index.js'
import { splitTable } from '../../src/evaluate/index.js'
import { matrix, row } from '../../src/math/matrix.js'
import { random } from '../../src/math/random.js'
import { indexFolder, requireLiveState, setLiveState } from '../../src/project/live-index.js'
import { adaptedSpace, adapterFolder, adapterSpace } from '../../src/project/serving-model.js'
import { SERVING_DEFAULTS } from '../../src/recommend/serving.js'
import { Store } from '../../src/store/index.js'
import type { ItemKey } from '../../src/types.js'
import { buildIndex, publishIndex } from '../../src/vector-index/index.js'
import { fillProject, type RealVectors } from './catalogue.js'

/**
 * An adapter of the default size, after one pass over made-up histories of the real items: what it has learnt is
 * worth nothing, but it costs what any other costs.
 */
export async function toyAdapter(folder: string, real: RealVectors): Promise<Adapter> {
  await fillProject(folder, real, { items: real.vectors.rows, people: 2000, events: 20 }, random(1))
  const store = Store.open(folder, {})
  try {
    const { table, test, training } = splitTable(store.interactions(), {
      split: 'hold-last',
      minItems: 2,
    })
    const { vectors } = store.itemVectors(real.state.space)
    const { adapter } = await trainAdapter(
      { texts: vectors, textSpace: real.state.space, training: table, fitting: training, validation: test },
      { epochs: 1, refit: false, textDim: Math.min(256, vectors.dim) },
    )
    return adapter
  } finally {
    store.close()
  }
}

/** Copies a project and serves the copy with an adapter. */
export async function withAdapter(from: string, folder: string, adapter: Adapter): Promise<void> {
  await cp(from, folder, { recursive: true })
  const store = Store.open(folder, {})
  try {
    const live = requireLiveState(store)
    const space = adaptedSpace(live.space, adapter.fingerprint)
    await putAdapted(store, adapter, live.space, space)
    const id = randomUUID()
    await adapter.save(adapterFolder(folder, id))
    const { sequence, ...all } = store.itemVectors(space)
    const built = await buildIndex(all)
    await publishIndex(indexFolder(folder, id), built, { fingerprint: space, sequence })
    await built.close()
    const model = {
      id,
      adapter: adapter.fingerprint,
      textSpace: live.space,
      textDim: live.dim,
      settings: SERVING_DEFAULTS,
      forgotten: 0,
    }
    setLiveState(store, { ...live, indexId: id, space, dim: all.vectors.dim, model })
  } finally {
    store.close()
  }
}

async function putAdapted(store: Store, adapter: Adapter, from: string, to: string): Promise<void> {
  const { keys, vectors } = store.itemVectors(from)
  const { fromText } = adapterSpace(adapter)
  const step = 4096
  for (let start = 0; start < keys.length; start += step) {
    const some = Array.from(keys.subarray(start, start + step)) as ItemKey[]
    const data = vectors.data.subarray(start * vectors.dim, (start + some.length) * vectors.dim)
    const ids = store.items(some).map((item) => item?.id)
    const adapted = await fromText(matrix(some.length, vectors.dim, data), ids)
    const sources = store.itemSources(some)
    store.putItemVectors(
      to,
      sources.map(({ key, textVersion }, i) => ({ key, textVersion, vector: row(adapted, i) })),
    )
  }
}
