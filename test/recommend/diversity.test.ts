import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Candidate, diversify } from '#src/recommend/diversity.js'

const at = (key: number, score: number, ...vector: number[]): Candidate => ({
  key,
  score,
  vector: vector.length === 0 ? undefined : Float32Array.from(vector),
})
const keys = (candidates: readonly Candidate[]) => candidates.map(({ key }) => key)

describe('diversify', () => {
  const twins = [at(1, 1, 1, 0), at(2, 0.9, 1, 0), at(3, 0.5, 0, 1)]

  test('0 keeps the order of the scores', () => {
    expect(keys(diversify(twins, 3, 0))).toEqual([1, 2, 3])
  })

  test('a twin of what was picked comes after something else', () => {
    expect(keys(diversify(twins, 3, 0.6))).toEqual([1, 3, 2])
  })

  test('an item without a vector is like nothing else', () => {
    expect(keys(diversify([at(1, 1, 1, 0), at(2, 0.9, 1, 0), at(3, 0.5)], 2, 0.6))).toEqual([1, 3])
  })

  test('what is not admitted is passed over', () => {
    expect(keys(diversify(twins, 2, 0, ({ key }) => key !== 2))).toEqual([1, 3])
  })

  test('picks k distinct candidates, whatever the scores', () => {
    const candidate = fc.record({
      key: fc.nat(),
      score: fc.double({ noNaN: true, min: -5, max: 5 }),
      vector: fc.constantFrom(undefined, Float32Array.of(1, 0), Float32Array.of(0, 1)),
    })
    fc.assert(
      fc.property(
        fc.array(candidate),
        fc.nat(20),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (all, k, diversity) => {
          const picked = diversify(all, k, diversity)
          expect(picked).toHaveLength(Math.min(k, all.length))
          expect(new Set(picked).size).toBe(picked.length)
        },
      ),
    )
  })
})
