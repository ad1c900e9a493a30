import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readRecord, writeRecord } from '#src/recommend/person-record.js'

const float = fc.float({ noNaN: true, noDefaultInfinity: true })
const key = fc.integer({ min: 1, max: 2 ** 31 - 1 })
const history = fc
  .array(fc.record({ item: key, time: fc.double({ noNaN: true }), value: fc.option(float) }))
  .map((events) => ({
    items: Int32Array.from(events, ({ item }) => item),
    times: Float64Array.from(events, ({ time }) => time),
    values: Float32Array.from(events, ({ value }) => value ?? Number.NaN),
  }))
const record = fc
  .record({
    vector: fc.array(float, { minLength: 1, maxLength: 40 }),
    wanted: fc.integer({ min: 1, max: 1000 }),
    nearest: fc.array(fc.tuple(key, float), { maxLength: 40 }),
    around: fc.uniqueArray(key, { maxLength: 200 }),
    bound: fc.double({ noNaN: true }),
  })
  .map(({ around, bound, nearest, vector, wanted }) => {
    const ascending = Int32Array.from(around).sort()
    return {
      vector: Float32Array.from(vector),
      wanted,
      keys: Int32Array.from(nearest, ([one]) => one),
      scores: Float32Array.from(nearest, ([, score]) => score),
      around: () => ascending,
      bound,
    }
  })

test('what is written is read again, for the same history only', () => {
  fc.assert(
    fc.property(record, history, history, (written, mine, other) => {
      const bytes = writeRecord(written, mine)
      const read = readRecord(bytes, mine)
      expect({ ...read, around: read?.around() }).toEqual({ ...written, around: written.around() })
      const isSame =
        JSON.stringify([...Object.values(mine)].map((one) => [...one])) ===
        JSON.stringify([...Object.values(other)].map((one) => [...one]))
      if (!isSame) expect(readRecord(bytes, other)).toBeUndefined()
    }),
    { numRuns: 300, seed: 1 },
  )
})

test('a record with any changed or missing byte counts as none', () => {
  fc.assert(
    fc.property(record, history, fc.nat(), fc.integer({ min: 1, max: 255 }), (written, mine, place, by) => {
      const bytes = writeRecord(written, mine)
      expect(readRecord(bytes.slice(0, place % bytes.length), mine)).toBeUndefined()
      bytes[place % bytes.length] ^= by
      expect(readRecord(bytes, mine)).toBeUndefined()
    }),
    { numRuns: 500, seed: 2 },
  )
})
