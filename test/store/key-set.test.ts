import fc from 'fast-check'
import { expect, test } from 'vitest'
import { KeySet } from '#src/store/index.js'

test('a set of keys is that set, whatever its length', () => {
  const keys = fc.oneof(
    fc.uniqueArray(fc.integer({ min: 1, max: 40 })),
    fc.uniqueArray(fc.integer({ min: 1, max: 6000 }), { maxLength: 400 }),
    // Full masks: no byte of a word may carry into the next one.
    fc.integer({ min: 0, max: 5000 }).map((size) => Array.from({ length: size }, (_, i) => i + 1)),
  )
  fc.assert(
    fc.property(keys, fc.integer({ min: 0, max: 7 }), (given, spare) => {
      const ascending = [...given].sort((a, b) => a - b)
      const mask = new Uint8Array((ascending.at(-1) ?? 0) + 1 + spare)
      for (const key of given) mask[key] = 1
      for (const set of [new KeySet(mask), KeySet.of(Int32Array.from(given))]) {
        expect(set.size).toBe(given.length)
        expect([...set.keys]).toEqual(ascending)
        for (const key of [0, 1, 2, 41, 5999, 1e9]) expect(set.has(key)).toBe(given.includes(key))
      }
    }),
    { numRuns: 100, seed: 1 },
  )
})
