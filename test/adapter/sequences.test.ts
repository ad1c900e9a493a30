import fc from 'fast-check'
import { expect, test } from 'vitest'
import { packEpoch, packTails, rowsOf } from '#src/adapter/sequences.js'
import { random } from '#src/math/random.js'

const history = fc.array(fc.integer({ min: 0, max: 99 }), { maxLength: 30 }).map((h) => Int32Array.from(h))
const histories = fc.array(history, { minLength: 1, maxLength: 40 })
const length = fc.integer({ min: 2, max: 9 })

test('an epoch has every step from one event to the next exactly once, whatever the lengths', () => {
  fc.assert(
    fc.property(histories, length, fc.nat(1000), (all, size, seed) => {
      const packed = packEpoch(all, size, random(seed))
      const found: string[] = []
      for (let at = 0; at < packed.rows * size; at++) {
        if (packed.weights[at] === 1) found.push(`${packed.events[at]}>${packed.targets[at]}`)
      }
      const expected = all.flatMap((one) => Array.from(one.slice(1), (next, i) => `${one[i]}>${next}`))
      expect(found.sort()).toEqual(expected.sort())
    }),
  )
})

test('within a segment events are consecutive and places count from 0; filler predicts nothing', () => {
  fc.assert(
    fc.property(histories, length, fc.nat(1000), (all, size, seed) => {
      const { rows, events, segments, positions, targets, weights } = packEpoch(all, size, random(seed))
      for (let at = 0; at < rows * size; at++) {
        const starts = at % size === 0 || segments[at] !== segments[at - 1]
        if (segments[at] === -1) expect(weights[at]).toBe(0)
        else if (starts) expect(positions[at]).toBe(0)
        else {
          expect(positions[at]).toBe(positions[at - 1] + 1)
          expect(events[at]).toBe(targets[at - 1])
        }
      }
    }),
  )
})

test('short histories share rows: 30 of two events each fill 4 rows of 8', () => {
  const all = Array.from({ length: 30 }, (_, i) => Int32Array.of(i, i + 1))
  expect(packEpoch(all, 8, random(1)).rows).toBe(4)
})

test('windows of a long history move from epoch to epoch', () => {
  const long = [Int32Array.from({ length: 50 }, (_, i) => i)]
  const cuts = [1, 2, 3, 4, 5].map((seed) => {
    const { positions, events, weights } = packEpoch(long, 8, random(seed))
    return Array.from(events)
      .filter((_, at) => positions[at] === 0 && weights[at] === 1)
      .sort((a, b) => a - b)
      .join()
  })
  expect(new Set(cuts).size).toBeGreaterThan(1)
})

test('a part of an epoch is filled up with rows that predict nothing', () => {
  const packed = packEpoch([Int32Array.of(1, 2, 3), Int32Array.of(4, 5, 6)], 2, random(1))
  const part = rowsOf(packed, 1, 2, 3)
  expect(Array.from(part.events)).toEqual([...packed.events.subarray(2, 4), 0, 0, 0, 0])
  expect(Array.from(part.weights)).toEqual([1, 1, 0, 0, 0, 0])
  expect(Array.from(part.segments.subarray(2))).toEqual([-1, -1, -1, -1])
})

test('tails are the last events of each history, and `last` finds each one', () => {
  fc.assert(
    fc.property(histories, length, (all, size) => {
      const { events, segments, positions, last } = packTails(all, size)
      for (const [h, one] of all.entries()) {
        const tail = Array.from(one.slice(-size))
        if (tail.length === 0) {
          expect(last[h]).toBe(-1)
          continue
        }
        const from = last[h] - tail.length + 1
        expect(Math.floor(from / size)).toBe(Math.floor(last[h] / size))
        expect(Array.from(events.subarray(from, last[h] + 1))).toEqual(tail)
        expect(Array.from(positions.subarray(from, last[h] + 1))).toEqual([...tail.keys()])
        expect(Array.from(segments.subarray(from, last[h] + 1)).every((s) => s === h)).toBe(true)
      }
    }),
  )
})
