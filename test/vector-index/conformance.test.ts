import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { random } from '#src/math/random.js'
import type { Matrix } from '#src/types.js'
import {
  buildIndex,
  ExactIndex,
  openIndex,
  publishIndex,
  recallOf,
  type VectorIndex,
} from '#src/vector-index/index.js'
import { clustered, countingKeys, rowOf, rowsOf, Twin } from './twin.js'

const DIM = 24
const parent = mkdtempSync(join(tmpdir(), 'textrec-index-'))
afterAll(() => rmSync(parent, { recursive: true, force: true }))

const opened: VectorIndex[] = []
afterEach(async () => {
  for (const index of opened.splice(0)) await index.close()
})

/** Graphs take half a second to build: equal ones are built once and opened anew. */
const published = new Map<string, string>()

type Make = (keys: Int32Array, vectors: Matrix) => Promise<VectorIndex>
const makers: { readonly [kind: string]: Make } = {
  exact: async (keys, vectors) => {
    const index = await ExactIndex.create(keys, vectors)
    opened.push(index)
    return index
  },
  hnsw: async (keys, vectors) => {
    const content = `${keys}|${vectors.data.subarray(0, 100)}`
    const folder = published.get(content) ?? join(parent, `hnsw-${published.size}`)
    if (!published.has(content)) {
      const built = await buildIndex({
        keys,
        vectors,
        kind: 'hnsw',
        minRecall: keys.length > 1000 ? 0.99 : 0,
      })
      expect(built.kind).toBe('hnsw')
      await publishIndex(folder, built, { fingerprint: 'test', sequence: 0 })
      published.set(content, folder)
    }
    const { index } = await openIndex(folder, {})
    opened.push(index)
    return index
  },
}

const none: Matrix = { data: new Float32Array(0), rows: 0, dim: DIM }
/** Small enough to be searched exactly by either kind. */
const small = clustered(120, DIM, 1)
const smallKeys = countingKeys(120).map((key) => key * 3)
/** Large enough for a graph to be walked. */
const population = clustered(3200, DIM, 2)
const large = rowsOf(population, 0, 3000)
/** Of the same kind, and not in the index. */
const heldOut = rowsOf(population, 3000, 3200)
const largeKeys = countingKeys(3000)

describe.each(Object.keys(makers))('%s', (kind) => {
  const make = makers[kind]

  test('the nearest, best first, as the twin finds them', async () => {
    const index = await make(smallKeys, small)
    const twin = new Twin(smallKeys, small)
    expect(index.kind).toBe(kind)
    expect(index.size).toBe(120)
    const queries = clustered(20, DIM, 3)
    for (let i = 0; i < queries.rows; i++) {
      expect(await index.search(rowOf(queries, i), 7)).toEqual(twin.search(rowOf(queries, i), 7))
    }
    expect(await index.searchMany(queries, 7)).toEqual(
      Array.from({ length: 20 }, (_, i) => twin.search(rowOf(queries, i), 7)),
    )
  })

  test('equal scores go to the smaller key, however many there are', async () => {
    const vectors: Matrix = { data: new Float32Array(90 * DIM), rows: 90, dim: DIM }
    for (let i = 0; i < 90; i++) vectors.data[i * DIM + (i % 3)] = 1
    const keys = countingKeys(90).reverse()
    const index = await make(keys, vectors)
    const { keys: found, scores } = await index.search(rowOf(vectors, 0), 5)
    expect([...scores]).toEqual([1, 1, 1, 1, 1])
    expect([...found]).toEqual([3, 6, 9, 12, 15])
  })

  test('nothing, none and more than there is', async () => {
    const empty = await make(new Int32Array(0), none)
    const query = rowOf(small, 0)
    expect((await empty.search(query, 10)).keys).toHaveLength(0)
    expect(await empty.searchMany(none, 10)).toEqual([])
    expect(empty.deadFraction).toBe(0)
    empty.upsert(7, query)
    expect([...(await empty.search(query, 10)).keys]).toEqual([7])
    const index = await make(smallKeys, small)
    expect((await index.search(query, 0)).keys).toHaveLength(0)
    const all = await index.search(query, 1e9)
    expect([...all.keys].sort((a, b) => a - b)).toEqual([...smallKeys])
  })

  test('a query of any length asks the same; a zero query ties everything', async () => {
    const index = await make(smallKeys, small)
    const query = rowOf(small, 5)
    const { keys } = await index.search(query, 10)
    for (const scale of [1e-20, 0.5, 3e20]) {
      expect(
        (
          await index.search(
            query.map((value) => value * scale),
            10,
          )
        ).keys,
      ).toEqual(keys)
    }
    const tied = await index.search(new Float32Array(DIM), 4)
    expect([...tied.keys]).toEqual([3, 6, 9, 12])
    expect([...tied.scores]).toEqual([0, 0, 0, 0])
  })

  test('what cannot be is refused with its code and changes nothing', async () => {
    const index = await make(smallKeys, small)
    const query = rowOf(small, 0)
    const wrong = (numbers: number[]) => Float32Array.from({ length: DIM }, (_, i) => numbers[i] ?? 0)
    await expect(index.search(new Float32Array(DIM + 1), 3)).rejects.toMatchObject({
      code: 'DIMENSION_MISMATCH',
    })
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      await expect(index.search(wrong([1, bad]), 3)).rejects.toMatchObject({ code: 'VECTOR_INVALID' })
      expect(() => index.upsert(1, wrong([1, bad]))).toThrow(/NaN/)
    }
    for (const k of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      await expect(index.search(query, k)).rejects.toMatchObject({ code: 'OPTION_INVALID' })
    }
    for (const key of [0, -1, 1.5, 2 ** 31, 2 ** 32 + 3, Number.NaN]) {
      expect(() => index.upsert(key, query)).toThrow(/cannot be a key/)
      expect(index.has(key)).toBe(false)
      expect(index.remove(key)).toBe(false)
    }
    expect(() => index.upsert(1, new Float32Array(DIM))).toThrow(/length 0/)
    expect(() => index.upsert(1, wrong([2]))).toThrow(/length 2/)
    expect(() => index.upsert(1, new Float32Array(3))).toThrow(/3 numbers/)
    expect(index.size).toBe(120)
    expect(index.has(1)).toBe(false)
  })

  test('the largest key works', async () => {
    const index = await make(smallKeys, small)
    index.upsert(2 ** 31 - 1, rowOf(clustered(1, DIM, 9), 0))
    expect([...(await index.search(rowOf(clustered(1, DIM, 9), 0), 1)).keys]).toEqual([2 ** 31 - 1])
  })

  test('vectors come back as copies, entries in order of key', async () => {
    const index = await make(smallKeys, small)
    index.vector(3)?.fill(9)
    expect(index.vector(3)).toEqual(rowOf(small, 0))
    expect(index.vector(4)).toBeUndefined()
    index.upsert(4, rowOf(small, 50))
    index.remove(6)
    const { keys, vectors } = index.entries()
    expect([...keys]).toEqual([3, 4, ...[...smallKeys].slice(2)])
    expect(rowOf(vectors, 1)).toEqual(rowOf(small, 50))
    expect(vectors.rows).toBe(120)
  })

  test('any order of changes and questions answers as the twin does', async () => {
    const pool = clustered(40, DIM, 4)
    const key = fc.integer({ min: 1, max: 400 })
    const change = fc.oneof(
      fc.record({ kind: fc.constant('upsert' as const), key, from: fc.nat(39) }),
      fc.record({ kind: fc.constant('remove' as const), key, from: fc.nat(39) }),
      fc.record({ kind: fc.constant('search' as const), key, from: fc.nat(39) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 60 }), async (changes) => {
        const index = await make(smallKeys, small)
        const twin = new Twin(smallKeys, small)
        for (const { kind: what, key: one, from } of changes) {
          const vector = rowOf(pool, from)
          if (what === 'upsert') {
            index.upsert(one, vector)
            twin.upsert(one, vector)
          } else if (what === 'remove') {
            expect(index.remove(one)).toBe(twin.remove(one))
          } else {
            const allowed = (candidate: number) => candidate % 3 !== from % 3
            expect(await index.search(vector, one % 20)).toEqual(twin.search(vector, one % 20))
            expect(await index.search(vector, 5, { allowed })).toEqual(twin.search(vector, 5, allowed))
          }
          expect(index.size).toBe(twin.size)
          expect(index.vector(one)).toEqual(twin.vector(one))
          expect(index.score(vector, one)).toBe(twin.vector(one) && twin.score(vector, one))
        }
        await index.close()
      }),
      { numRuns: 40, seed: 7 },
    )
  })

  test('filters: list, mask and predicate agree, and k come back when k exist', async () => {
    const index = await make(largeKeys, large)
    const twin = new Twin(largeKeys, large)
    index.remove(17)
    twin.remove(17)
    index.upsert(5000, rowOf(large, 17))
    twin.upsert(5000, rowOf(large, 17))
    const queries = rowsOf(heldOut, 0, 12)
    for (const share of [0, 0.001, 0.01, 0.1, 0.5, 0.95, 1]) {
      const source = random(Math.round(share * 1000))
      const mask = Uint8Array.from({ length: 5001 }, () => (source.next() < share ? 1 : 0))
      const list = Int32Array.from(mask.keys()).filter((key) => mask[key] === 1)
      const allowed = (key: number) => mask[key] === 1
      const truths = Array.from({ length: queries.rows }, (_, i) =>
        twin.search(rowOf(queries, i), 10, allowed),
      )
      for (const form of [list, list.slice().reverse(), mask, allowed]) {
        const answers = await index.searchMany(queries, 10, { allowed: form })
        answers.forEach(({ keys, scores }, i) => {
          expect(keys.length).toBe(truths[i].keys.length)
          expect([...keys].every(allowed)).toBe(true)
          expect(new Set(keys).size).toBe(keys.length)
          keys.forEach((key, j) => {
            expect(scores[j]).toBe(twin.score(rowOf(queries, i), key))
          })
        })
        if (kind === 'exact') expect(answers).toEqual(truths)
        else expect(recallOf(answers, truths)).toBeGreaterThanOrEqual(0.98)
      }
    }
    // Only keys that are far from the query: the graph has to be left behind.
    const farthest = twin.search(rowOf(queries, 0), 3000).keys.slice(-12)
    const far = (key: number) => farthest.includes(key)
    expect(await index.search(rowOf(queries, 0), 10, { allowed: far })).toEqual(
      twin.search(rowOf(queries, 0), 10, far),
    )
  })

  test('half of everything replaced or removed: recall stays', async () => {
    const index = await make(largeKeys, large)
    const twin = new Twin(largeKeys, large)
    const fresh = clustered(1500, DIM, 6)
    const source = random(8)
    for (let i = 0; i < 1500; i++) {
      const key = 1 + source.integer(3600)
      if (i % 3 === 0) expect(index.remove(key)).toBe(twin.remove(key))
      else {
        index.upsert(key, rowOf(fresh, i))
        twin.upsert(key, rowOf(fresh, i))
      }
    }
    expect(index.size).toBe(twin.size)
    expect(index.deadFraction).toBeGreaterThan(0.2)
    const queries = rowsOf(heldOut, 0, 60)
    const answers = await index.searchMany(queries, 10)
    const truths = answers.map((_, i) => twin.search(rowOf(queries, i), 10))
    if (kind === 'exact') expect(answers).toEqual(truths)
    expect(recallOf(answers, truths)).toBeGreaterThanOrEqual(0.98)
    const { keys } = index.entries()
    expect([...keys]).toEqual(twin.keys())
  })

  test('the same question, the same answer; many as one by one', async () => {
    const index = await make(largeKeys, large)
    const queries = rowsOf(heldOut, 0, 70)
    const many = await index.searchMany(queries, 10)
    expect(await index.searchMany(queries, 10)).toEqual(many)
    for (let i = 0; i < 70; i++) expect(await index.search(rowOf(queries, i), 10)).toEqual(many[i])
  })

  test('changes under running searches: every answer is whole', async () => {
    const index = await make(largeKeys, large)
    const queries = rowsOf(heldOut, 0, 64)
    const running = Array.from({ length: 20 }, () => index.searchMany(queries, 10))
    const source = random(13)
    for (let i = 0; i < 2000; i++) {
      if (i % 50 === 0) await new Promise((resolve) => setImmediate(resolve))
      // Replaced by itself: whenever a search looks, the answer is the same.
      const key = 1 + source.integer(3000)
      index.upsert(key, rowOf(large, key - 1))
      if (i % 100 === 0) running.push(index.searchMany(queries, 10))
    }
    const after = await index.searchMany(queries, 10)
    for (const answers of await Promise.all(running)) {
      answers.forEach(({ keys, scores }) => {
        expect(keys).toHaveLength(10)
        expect(new Set(keys).size).toBe(10)
        expect([...scores]).toEqual([...scores].sort((a, b) => b - a))
      })
      expect(recallOf(answers, after)).toBeGreaterThan(0.98)
      if (kind === 'exact') expect(answers).toEqual(after)
    }
  })

  test('close lets running searches end and refuses later ones', async () => {
    const index = await make(largeKeys, large)
    const queries = heldOut
    const running = index.searchMany(queries, 10)
    const closing = index.close()
    expect(await running).toHaveLength(200)
    await closing
    await index.close()
    await expect(index.search(rowOf(queries, 0), 1)).rejects.toMatchObject({ code: 'PROJECT_CLOSED' })
  })
})
