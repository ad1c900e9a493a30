import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { TextrecError } from '#src/errors.js'
import { matrix, normalize, row } from '#src/math/matrix.js'
import { random } from '#src/math/random.js'
import { Compactor } from '#src/project/compact.js'
import { indexFolder, LiveIndex, setLiveState } from '#src/project/live-index.js'
import { Store } from '#src/store/index.js'
import { acquireLock } from '#src/store/lock.js'
import { buildIndex, ExactIndex, publishIndex } from '#src/vector-index/index.js'
import { temporaryFolder } from './shelf.js'

const SPACE = 'test'
const DIM = 32
const ITEMS = 2400
const draw = random(3)

function unit(): Float32Array {
  return normalize(Float32Array.from({ length: DIM }, () => draw.normal()))
}

let store: Store
let live: LiveIndex
let compactor: Compactor

/** Gives the named items fresh vectors. */
function renew(names: readonly string[]): void {
  const keys = store.itemKeys(names)
  const sources = store.itemSources(keys as number[])
  store.putItemVectors(
    SPACE,
    sources.map(({ key, textVersion }) => ({ key, textVersion, vector: unit() })),
  )
}

const name = (i: number) => `item-${i}`

describe.each(['hnsw', 'exact'] as const)('%s', (kind) => {
  beforeAll(async () => {
    store = Store.open(temporaryFolder(), { create: true })
    const names = Array.from({ length: ITEMS }, (_, i) => name(i))
    store.write({ items: names.map((id) => ({ id, title: id })) })
    renew(names)
    const { keys, vectors, sequence } = store.itemVectors(SPACE)
    const built = await buildIndex({ keys, vectors, kind })
    await publishIndex(indexFolder(store.directory, 'first'), built, { fingerprint: SPACE, sequence })
    await built.close()
    const encoder = { name: 'none', dtype: 'fp32' as const, fingerprint: 'none' }
    setLiveState(store, { indexId: 'first', space: SPACE, encoder, dim: DIM })
    live = new LiveIndex(store)
    compactor = new Compactor(store)
  })
  afterAll(async () => {
    await compactor.close()
    await live.close()
    store.close()
  })

  async function recall(): Promise<number> {
    const { keys, vectors } = store.itemVectors(SPACE)
    const exact = await ExactIndex.create(keys, vectors)
    const queries = matrix(100, DIM)
    for (let i = 0; i < queries.rows; i++) row(queries, i).set(unit())
    const wanted = await exact.searchMany(queries, 10)
    const found = await live.use(({ index }) => index.searchMany(queries, 10))
    await exact.close()
    const hits = found.map(({ keys: some }, i) => some.filter((key) => wanted[i].keys.includes(key)).length)
    return hits.reduce((sum, hit) => sum + hit, 0) / (10 * queries.rows)
  }

  test('after half of the vectors have changed, recall holds, and the index is made anew while it answers', async () => {
    expect(await recall()).toBeGreaterThanOrEqual(0.98)
    store.removeItems(Array.from({ length: 400 }, (_, i) => name(i)))
    renew(Array.from({ length: 800 }, (_, i) => name(400 + i)))
    expect(await recall()).toBeGreaterThanOrEqual(0.98)

    const before = await live.use(async ({ index, state }) => {
      expect(index.kind).toBe(kind)
      expect(Math.max(index.deadFraction, index.looseFraction)).toBeGreaterThan(0.3)
      compactor.consider({ index, state })
      // A question that has begun when the new index comes finishes on the old one.
      await compactor.settled()
      expect((await index.search(unit(), 5)).keys).toHaveLength(5)
      return state.indexId
    })
    await live.use(async ({ index, state }) => {
      expect(state.indexId).not.toBe(before)
      expect(index).toMatchObject({ kind, deadFraction: 0, looseFraction: 0, size: ITEMS - 400 })
    })
    expect(await recall()).toBeGreaterThanOrEqual(0.98)
  })

  test('changes made while the new index is built are in it', async () => {
    renew(Array.from({ length: 1000 }, (_, i) => name(1000 + i)))
    const late = unit()
    await live.use(async ({ index, state }) => compactor.consider({ index, state }))
    const [source] = store.itemSources([store.itemKey(name(2399)) as number])
    store.putItemVectors(SPACE, [{ key: source.key, textVersion: source.textVersion, vector: late }])
    await compactor.settled()
    await live.use(async ({ index }) => {
      expect((await index.search(late, 1)).keys[0]).toBe(source.key)
    })
  })

  test('a rebuild that fails is told of, and what is live goes on answering', async () => {
    renew(Array.from({ length: 1000 }, (_, i) => name(1000 + i)))
    const { indexId } = await live.use(async ({ state }) => state)
    expect(compactor.failureOf(indexId)).toBeUndefined()
    const full = new TextrecError('DISK_FULL', 'There is no room.', 'Make room.')
    const broken = vi.spyOn(store, 'itemVectors').mockImplementation(() => {
      throw full
    })
    await live.use(async ({ index, state }) => compactor.consider({ index, state }))
    await compactor.settled()
    broken.mockRestore()
    expect(compactor.failureOf(indexId)).toEqual({ code: 'DISK_FULL', fact: 'There is no room.' })
    expect(compactor.failureOf('another')).toBeUndefined()
    await live.use(async ({ index, state }) => {
      expect(state.indexId).toBe(indexId)
      expect((await index.search(unit(), 5)).keys).toHaveLength(5)
    })
  })

  test('a lock that cannot be asked for is a failure, one that another holds is none', async () => {
    const consider = async () => {
      const another = new Compactor(store)
      const { indexId } = await live.use(async ({ index, state }) => {
        another.consider({ index, state })
        return state
      })
      await another.settled()
      return another.failureOf(indexId)
    }
    const lock = acquireLock(store.directory, 'index')
    expect(await consider()).toBeUndefined()
    lock.release()
    const path = join(store.directory, 'locks', 'index.lock')
    writeFileSync(path, 'no lock of anybody')
    expect(await consider()).toMatchObject({ code: 'FILE_UNREADABLE' })
    rmSync(path)
  })
})
