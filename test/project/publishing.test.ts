import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Recommender } from 'textrec'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Encoder, openEncoder } from '#src/encode/index.js'
import { resolveModel } from '#src/encode/resolve-model.js'
import { publishServed } from '#src/project/index-run.js'
import { encodeNow, type ServedSpace, textSpace, updateItemVectors } from '#src/project/item-vectors.js'
import { liveState } from '#src/project/live-index.js'
import { type ServedNow, upsertRecords } from '#src/project/updates.js'
import { Store } from '#src/store/index.js'
import { safetensorsBytes } from '../../dist/scripts/toys/safetensors.js'
import { tinyModel } from '../../dist/scripts/toys/tiny-bert.js'
import { ITEMS, temporaryFolder } from './shelf.js'

/** What happens when one process gives new items their vectors while another publishes another space. */

const folder = temporaryFolder()
const settings = { device: 'cpu', dtype: 'fp32', threads: 1, cacheDirectory: join(folder, 'cache') } as const
const NEW = { id: 'late', title: 'A guitar that came late' }
/** Two BERTs of 16 hidden units whose vectors never meet. */
const MODELS = ['gelu', 'relu'].map((activation) => join(folder, activation))
let encoders: Encoder[]
const opened: { close(): unknown }[] = []

beforeAll(async () => {
  const { tokenizer } = await resolveModel('all-MiniLM-L6-v2', { hubDirectory: undefined })
  for (const [i, activation] of ['gelu', 'relu'].entries()) {
    const tiny = tinyModel('bert', '', activation)
    mkdirSync(MODELS[i], { recursive: true })
    writeFileSync(join(MODELS[i], 'model.safetensors'), safetensorsBytes(tiny.tensors))
    writeFileSync(join(MODELS[i], 'config.json'), JSON.stringify(tiny.config))
    copyFileSync(tokenizer, join(MODELS[i], 'tokenizer.json'))
  }
  encoders = await Promise.all(MODELS.map((model) => openEncoder(model, settings)))
  opened.push(...encoders)
})
afterAll(async () => {
  for (const one of opened.reverse()) await one.close()
})

/** A project that serves the first model, and a store of "another process" on it. */
async function project(name: string) {
  const directory = join(folder, name)
  const shop = await Recommender.open(directory, { ...settings, encoder: MODELS[0] })
  await shop.upsert({ items: ITEMS })
  await shop.index()
  await shop.close()
  const store = Store.open(directory)
  opened.push(store)
  return { directory, store }
}

/** Asks a process that opens the project now. */
async function neighboursOf(directory: string, id: string): Promise<number> {
  const shop = await Recommender.open(directory, { ...settings, encoder: MODELS[1] })
  try {
    return (await shop.similarItems(id, { k: 5 })).items.length
  } finally {
    await shop.close()
  }
}

test('an upsert that a publication overtakes answers in the space that was published', async () => {
  const { directory, store } = await project('upsert')
  const other = await Recommender.open(directory, { ...settings, encoder: MODELS[1] })
  const publishFirst: Encoder = Object.create(encoders[0], {
    encode: {
      value: async (...asked: Parameters<Encoder['encode']>) => {
        const vectors = await encoders[0].encode(...asked)
        await other.index()
        return vectors
      },
    },
  })
  const asked: string[] = []
  const report = await upsertRecords(store, { items: [NEW] }, async (work) => {
    const state = liveState(store) as ServedNow['state']
    asked.push(state.encoder.name)
    const encoder = state.encoder.name === MODELS[0] ? publishFirst : encoders[1]
    return work({ state, encoder, space: undefined })
  })
  expect(asked).toEqual(MODELS)
  expect(report.items.added).toBe(1)
  expect(store.staleItems(textSpace(encoders[1]))).toEqual([])
  await other.close()
  expect(await neighboursOf(directory, NEW.id)).toBe(5)
})

/** Publishes the second model's space; `meanwhile` runs when its index is being built. */
async function publish(store: Store, meanwhile: () => void): Promise<void> {
  let isBuilt = false
  await updateItemVectors(store, encoders[1])
  await publishServed(store, encoders[1], undefined, {
    signal: undefined,
    onProgress: ({ stage }) => {
      if (stage !== 'index') return
      isBuilt = true
      meanwhile()
    },
  })
  expect(isBuilt).toBe(true)
  expect(liveState(store)?.space).toBe(textSpace(encoders[1]))
}

test('a publication that an upsert overtakes brings the new item along', async () => {
  const { directory, store } = await project('publication')
  const elsewhere = Store.open(directory)
  opened.push(elsewhere)
  await publish(store, () => {
    elsewhere.write({ items: [NEW] })
    const [source] = elsewhere.itemSources(elsewhere.itemKeys([NEW.id]) as number[])
    const vector = new Float32Array(encoders[0].dim).fill(encoders[0].dim ** -0.5)
    elsewhere.putItemVectors(textSpace(encoders[0]), [{ ...source, vector }])
  })
  expect(store.staleItems(textSpace(encoders[1]))).toEqual([])
  expect(await neighboursOf(directory, NEW.id)).toBe(5)
})

test('an item whose vector is still being made is not waited for', async () => {
  const { store } = await project('unfinished')
  await publish(store, () => store.write({ items: [NEW] }))
  expect(store.staleItems(textSpace(encoders[1]))).toEqual(store.itemKeys([NEW.id]))
})

test('where nothing has to be made nothing is asked for, and a change of space is seen all the same', async () => {
  const { store } = await project('unchanged')
  let asked = 0
  const served: ServedSpace = {
    space: 'adapted',
    from: {
      basis: 'adapter',
      fromText: async (texts) => {
        asked++
        return texts
      },
      person: async () => undefined,
      people: async (all) => all.map(() => undefined),
    },
  }
  const now = (isServed: boolean) => encodeNow(store, encoders[0], [ITEMS[0].id], served, () => isServed)
  expect(await now(false)).toBeUndefined()
  expect(store.countItemVectors('adapted')).toBe(0)
  expect(await now(true)).toBe(1)
  expect(store.countItemVectors('adapted')).toBe(1)
  expect(asked).toBe(2)
  expect([await now(true), await now(false), asked]).toEqual([0, undefined, 2])
})

test('vectors of older texts do not replace those of newer ones', async () => {
  const { store } = await project('versions')
  const space = textSpace(encoders[0])
  const [key] = store.itemKeys([ITEMS[0].id])
  const vectorNow = () => {
    const { keys, vectors } = store.itemVectors(space)
    const at = keys.indexOf(key as number)
    return vectors.data.slice(at * vectors.dim, (at + 1) * vectors.dim)
  }
  const [before] = store.itemSources([key as number])
  store.write({ items: [{ ...ITEMS[0], title: 'Another title' }] })
  const [after] = store.itemSources([key as number])
  expect(after.textVersion).toBeGreaterThan(before.textVersion)
  expect(store.staleItemsAmong(space, [key as never])).toEqual([key])
  const newer = new Float32Array(encoders[0].dim).fill(0.25)
  store.putItemVectors(space, [{ ...after, vector: newer }])
  expect(store.staleItemsAmong(space, [key as never])).toEqual([])
  store.putItemVectors(space, [{ ...before, vector: newer.map((value) => -value) }])
  expect(vectorNow()).toEqual(newer)
  expect(store.staleItems(space)).toEqual([])
})
