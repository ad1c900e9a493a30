import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { normalize } from '#src/math/matrix.js'
import { random } from '#src/math/random.js'
import type { Matrix } from '#src/types.js'
import { ExactIndex } from '#src/vector-index/index.js'
import { KeyTable } from '#src/vector-index/key-table.js'
import { CHUNK, EIGHT_BITS, quantizeQuery, quantizeRows, SEVEN_BITS } from '#src/vector-index/quantize.js'
import { clustered, countingKeys, rowOf, rowsOf, Twin } from './twin.js'

/** Vectors that int8 suits badly: one large number and many small ones, or all but equal to each other. */
function awkward(rows: number, dim: number, seed: number): Matrix {
  const source = random(seed)
  const data = new Float32Array(rows * dim)
  const shared = Float32Array.from({ length: dim }, () => source.normal())
  for (let i = 0; i < rows; i++) {
    const at = data.subarray(i * dim, (i + 1) * dim)
    if (i % 2 === 0) {
      for (let j = 0; j < dim; j++) at[j] = 0.002 * source.normal()
      at[source.integer(3)] = 1
    } else {
      for (let j = 0; j < dim; j++) at[j] = shared[j] + 1e-4 * source.normal()
    }
    normalize(at)
  }
  return { data, rows, dim }
}

describe('the answer is that of a plain loop', () => {
  test.each([1, 63, 64, 512, 513, 576, 1300])('%i vectors, easy and awkward ones, every k', async (rows) => {
    for (const vectors of [clustered(rows, 33, rows), awkward(rows, 33, rows)]) {
      const keys = countingKeys(rows).reverse()
      const index = await ExactIndex.create(keys, vectors)
      const twin = new Twin(keys, vectors)
      const source = random(rows)
      for (const k of [1, 10, 100, rows]) {
        const query = rowOf(vectors, source.integer(rows))
        const other = normalize(Float32Array.from(query, (value) => value + 0.1 * source.normal()))
        expect(await index.search(query, k)).toEqual(twin.search(query, k))
        expect(await index.search(other, k)).toEqual(twin.search(other, k))
      }
      await index.close()
    }
  })

  test('two threads give the same bits', async () => {
    const vectors = clustered(2000, 48, 3)
    const one = await ExactIndex.create(countingKeys(2000), vectors, { threads: 1 })
    const two = await ExactIndex.create(countingKeys(2000), vectors, { threads: 2 })
    const queries = rowsOf(vectors, 0, 50)
    expect(await two.searchMany(queries, 10)).toEqual(await one.searchMany(queries, 10))
    await one.close()
    await two.close()
  })

  test('through growth by blocks, merges and a new start after many deaths', async () => {
    const pool = clustered(4000, 20, 5)
    const index = ExactIndex.empty(20)
    const twin = new Twin(new Int32Array(0), rowsOf(pool, 0, 0))
    const source = random(6)
    const deaths: number[] = []
    for (let step = 0; step < 26; step++) {
      const removing = step >= 14 && step < 20
      for (let i = 0; i < 300; i++) {
        const key = 1 + source.integer(2500)
        if (removing) {
          expect(index.remove(key)).toBe(twin.remove(key))
        } else {
          const vector = rowOf(pool, source.integer(4000))
          index.upsert(key, vector)
          twin.upsert(key, vector)
        }
      }
      const query = rowOf(pool, step)
      expect(await index.search(query, 12)).toEqual(twin.search(query, 12))
      expect(index.size).toBe(twin.size)
      deaths.push(index.deadFraction)
    }
    // It started anew at least once: the dead went away by themselves.
    expect(deaths.some((share, i) => i > 0 && share < deaths[i - 1] - 0.2)).toBe(true)
    expect([...index.entries().keys]).toEqual(twin.keys())
    await index.close()
  })
})

test('a survey finds what a search does, and bounds everything that it does not name', async () => {
  const source = random(12)
  for (const vectors of [clustered(3000, 24, 1), awkward(3000, 24, 2), clustered(300, 24, 3)]) {
    const { rows } = vectors
    const index = await ExactIndex.create(countingKeys(rows), vectors)
    for (let i = 0; i < 700; i++) {
      const key = 1 + source.integer(rows + 200)
      if (i % 3 === 0) index.remove(key)
      else index.upsert(key, rowOf(vectors, source.integer(rows)))
    }
    for (const wanted of [1, 50, 1000, 5000]) {
      const query = rowOf(vectors, source.integer(rows))
      const { around, bound, nearest } = await index.survey(query, 10, wanted)
      expect(nearest).toEqual(await index.search(query, 10))
      const named = new Set(around)
      expect(named.size).toBe(around.length)
      const left = [...index.entries().keys].filter((key) => !named.has(key))
      for (const key of left) expect(index.score(query, key)).toBeLessThan(bound)
      for (const key of around) expect(index.has(key)).toBe(true)
      if (wanted >= rows) expect([left.length, bound]).toEqual([0, Number.NEGATIVE_INFINITY])
      // Rows that are in no block yet are named besides.
      if (wanted === 1000 && rows > 1000) expect(left.length).toBeGreaterThan(500)
    }
    await index.close()
  }
})

test('an int8 score misses by no more than is claimed, with 8 bits and with 7', () => {
  const number = fc.oneof(fc.double({ min: -1, max: 1, noNaN: true }), fc.constantFrom(0, 1, -1, 1e-9))
  const vector = fc
    .array(number, { minLength: 9, maxLength: 9 })
    .map((values) => normalize(Float32Array.from(values)))
    .filter((values) => values.some((value) => value !== 0))
  fc.assert(
    fc.property(vector, fc.array(vector, { minLength: 1, maxLength: 70 }), (query, rows) => {
      const { columns, scales, errors, maxLength, padded } = quantizeRows(rows.length, 9, (i) => rows[i])
      expect(padded % CHUNK).toBe(0)
      for (const levels of [EIGHT_BITS, SEVEN_BITS]) {
        const form = new Uint8Array(9)
        const { scale, error } = quantizeQuery(query, levels, form, 0)
        rows.forEach((row, r) => {
          let product = 0
          let exact = 0
          for (let i = 0; i < 9; i++) {
            product += (form[i] - levels.zero) * columns[i * padded + r]
            exact += query[i] * row[i]
          }
          const claimed = error * maxLength + errors[Math.floor(r / CHUNK)] + 2e-6
          expect(Math.abs(product * scale * scales[r] - exact)).toBeLessThanOrEqual(claimed)
        })
      }
    }),
    { numRuns: 200, seed: 3 },
  )
})

test('a key table is a map, dense or not', () => {
  const key = fc.oneof(fc.nat(50), fc.integer({ min: 1, max: 2 ** 31 - 1 }))
  fc.assert(
    fc.property(fc.array(fc.tuple(key, fc.nat(9)), { maxLength: 80 }), (changes) => {
      const table = new KeyTable()
      const map = new Map<number, number>()
      for (const [at, row] of changes) {
        if (row === 0) {
          table.delete(at)
          map.delete(at)
        } else {
          table.set(at, row)
          map.set(at, row)
        }
      }
      for (const [at] of changes) expect(table.get(at)).toBe(map.get(at) ?? -1)
      for (const odd of [-1, 0.5, Number.NaN, 2 ** 40]) expect(table.get(odd)).toBe(-1)
    }),
    { numRuns: 200, seed: 4 },
  )
})
