import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { length } from '#src/math/matrix.js'
import { chooseReviews, itemProfile, PROFILE_DEFAULTS, reviewWeight } from '#src/profile/item-profile.js'

const x = Float32Array.of(1, 0, 0)
const y = Float32Array.of(0, 1, 0)
const YEAR = 365.25 * 24 * 3600 * 1000

describe('itemProfile', () => {
  test('an item with only a description is that description', () => {
    expect(itemProfile(x, [])).toEqual(x)
  })

  test('an item with only reviews is their mean', () => {
    const profile = itemProfile(undefined, [{ vector: x }, { vector: y }])!
    expect([...profile]).toEqual([Math.fround(Math.SQRT1_2), Math.fround(Math.SQRT1_2), 0])
  })

  test('an item with nothing has no vector', () => {
    expect(itemProfile(undefined, [])).toBeUndefined()
    expect(itemProfile(undefined, [{ vector: x }, { vector: Float32Array.of(-1, 0, 0) }])).toBeUndefined()
  })

  test('one review counts a third of a description, many approach it', () => {
    const one = itemProfile(x, [{ vector: y }])!
    expect(one[1] / one[0]).toBeCloseTo(1 / 3, 6)
    const many = itemProfile(
      x,
      Array.from({ length: 48 }, () => ({ vector: y })),
    )!
    expect(many[1] / many[0]).toBeCloseTo(48 / 50, 6)
  })

  test('unequal dimensions are refused', () => {
    expect(() => itemProfile(x, [{ vector: Float32Array.of(1, 0) }])).toThrow(/3 numbers|2 numbers/)
  })

  test('is a unit vector whatever the evidence', () => {
    const evidence = fc.record({
      vector: fc.float32Array({ minLength: 3, maxLength: 3, noNaN: true, min: -1, max: 1 }),
      rating: fc.option(fc.double({ min: -10, max: 100, noNaN: true }), { nil: undefined }),
      helpful: fc.option(fc.integer({ min: 0, max: 1e6 }), { nil: undefined }),
      time: fc.option(fc.integer({ min: 0, max: 2e12 }), { nil: undefined }),
    })
    fc.assert(
      fc.property(fc.array(evidence, { maxLength: 60 }), fc.boolean(), (reviews, described) => {
        const profile = itemProfile(described ? x : undefined, reviews)
        if (profile !== undefined) expect(length(profile)).toBeCloseTo(1, 4)
      }),
    )
  })
})

describe('reviewWeight', () => {
  test('grows with votes and rating and halves with age', () => {
    expect(reviewWeight({}, undefined)).toBe(1)
    expect(reviewWeight({ helpful: 6 }, undefined)).toBe(3)
    expect(reviewWeight({ rating: 1 }, undefined)).toBeCloseTo(2 / 3)
    expect(reviewWeight({ rating: 5 }, undefined)).toBe(1)
    const newest = 1.5e12
    expect(reviewWeight({ time: newest - 4 * YEAR }, newest)).toBeCloseTo(0.5)
  })
})

test('the heaviest reviews are kept, and positions are not taken for dates', () => {
  const reviews = Array.from({ length: 60 }, (_, i) => ({ helpful: i, time: i }))
  const chosen = chooseReviews(reviews)
  expect(chosen).toHaveLength(PROFILE_DEFAULTS.reviewsPerItem)
  expect(chosen[0].review.helpful).toBe(59)
  expect(chosen[0].weight).toBeCloseTo(Math.log2(61))
})
