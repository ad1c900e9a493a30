import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { kMeans, nearestCentres } from '#src/cluster/index.js'
import { dot, matrix, normalize, row } from '#src/math/matrix.js'
import { random } from '#src/math/random.js'
import type { Matrix } from '../../src/types.js'

/** `groups` directions with `each` rows around each of them. */
function planted(groups: number, each: number, dim: number, spread: number, seed: number): Matrix {
  const source = random(seed)
  const centres = Array.from({ length: groups }, (_, g) => {
    const centre = new Float32Array(dim)
    centre[g] = 1
    return centre
  })
  const rows = matrix(groups * each, dim)
  for (let i = 0; i < rows.rows; i++) {
    const target = row(rows, i)
    for (let d = 0; d < dim; d++) target[d] = centres[i % groups][d] + spread * source.normal()
    normalize(target)
  }
  return rows
}

describe('spherical k-means', () => {
  test('finds groups that were planted', async () => {
    const rows = planted(5, 30, 12, 0.1, 7)
    const { of, centres, cosine } = await kMeans(rows, 5, { seed: 3 })
    for (let i = 0; i < rows.rows; i++) expect(of[i]).toBe(of[i % 5])
    expect(new Set(of).size).toBe(5)
    expect(centres.rows).toBe(5)
    expect(cosine).toBeGreaterThan(0.9)
  })

  test('every row is with its nearest centre, and centres have unit length', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: 40 }),
        fc.integer({ min: 1, max: 6 }),
        fc.integer(),
        async (n, k, seed) => {
          const rows = planted(3, n, 4, 0.5, seed)
          const { of, centres, cosine } = await kMeans(rows, k, { seed })
          const used = new Set(of)
          expect(used.size).toBe(centres.rows)
          let sum = 0
          for (let i = 0; i < rows.rows; i++) {
            const cosines = Array.from({ length: centres.rows }, (_, c) => dot(row(rows, i), row(centres, c)))
            expect(cosines[of[i]]).toBeCloseTo(Math.max(...cosines), 5)
            sum += cosines[of[i]]
          }
          expect(cosine).toBeCloseTo(sum / rows.rows, 5)
          for (let c = 0; c < centres.rows; c++)
            expect(dot(row(centres, c), row(centres, c))).toBeCloseTo(1, 5)
          expect(await nearestCentres(rows, centres)).toEqual(of)
        },
      ),
      { numRuns: 15 },
    )
  })

  test('the same seed gives the same clusters, and more of them fit no worse', async () => {
    const rows = planted(6, 20, 8, 0.6, 11)
    const first = await kMeans(rows, 4, { seed: 2 })
    expect(await kMeans(rows, 4, { seed: 2 })).toEqual(first)
    const one = await kMeans(rows, 1, { seed: 2 })
    const all = await kMeans(rows, rows.rows, { seed: 2 })
    expect(one.cosine).toBeLessThan(first.cosine)
    expect(all.cosine).toBeCloseTo(1, 5)
  })

  test('rows that are all alike make one cluster, whatever was asked for', async () => {
    const rows = matrix(6, 3)
    for (let i = 0; i < 6; i++) row(rows, i)[1] = 1
    const { of, centres } = await kMeans(rows, 4)
    expect([...of]).toEqual([0, 0, 0, 0, 0, 0])
    expect(centres.rows).toBe(1)
  })

  test('may be stopped between rounds', async () => {
    const rows = planted(3, 10, 4, 0.5, 1)
    const stopped = kMeans(rows, 3, {
      onRound: (round) => {
        if (round === 1) throw new Error('enough')
      },
    })
    await expect(stopped).rejects.toThrow('enough')
  })
})
