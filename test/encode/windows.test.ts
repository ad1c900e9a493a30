import fc from 'fast-check'
import { expect, test } from 'vitest'
import { batchByLength, PADDING_SHARE } from '#src/encode/batches.js'
import { channelsApart, smoothingDivisors } from '#src/encode/outliers.js'
import { quantizeLinear, transpose } from '#src/encode/quantize.js'
import { MAX_WINDOWS, sampleWindows, windowsOf } from '#src/encode/windows.js'

test('windows cover every token, overlap, and are never too long', () => {
  fc.assert(
    fc.property(fc.nat(3000), fc.integer({ min: 8, max: 512 }), (count, room) => {
      const windows = windowsOf(count, room)
      expect(windows[0].start).toBe(0)
      expect(windows.at(-1)?.end).toBe(count)
      for (const [i, { start, end }] of windows.entries()) {
        expect(end - start).toBeLessThanOrEqual(room)
        if (i > 0) {
          expect(start).toBeGreaterThan(windows[i - 1].start)
          // At least most of the promised eighth is shared with the window before.
          expect(windows[i - 1].end - start).toBeGreaterThanOrEqual(Math.floor(room / 8) - 1)
        }
      }
      expect(windows.length > 1).toBe(count > room)
    }),
    { seed: 1, numRuns: 60 },
  )
})

test('a text of any length has a bounded number of windows, its ends among them', () => {
  const all = windowsOf(1_000_000, 254)
  const kept = sampleWindows(all)
  expect(all.length).toBeGreaterThan(MAX_WINDOWS)
  expect(kept).toHaveLength(MAX_WINDOWS)
  expect(new Set(kept).size).toBe(MAX_WINDOWS)
  expect(kept[0]).toBe(all[0])
  expect(kept.at(-1)).toBe(all.at(-1))
})

test('batches hold every window once, within the budget and with little padding', () => {
  const lengths = fc.array(fc.integer({ min: 1, max: 512 }), { maxLength: 300 })
  const share = fc.constantFrom(0, PADDING_SHARE)
  fc.assert(
    fc.property(lengths, share, (given, most) => {
      const batches = batchByLength(given, 2048, most)
      expect(batches.flat().sort((a, b) => a - b)).toEqual(given.map((_, i) => i))
      for (const batch of batches) {
        const widest = Math.max(...batch.map((i) => given[i]))
        const padded = widest * batch.length
        const used = batch.reduce((sum, i) => sum + given[i], 0)
        expect(padded).toBeLessThanOrEqual(2048)
        expect(1 - used / padded).toBeLessThanOrEqual(most)
      }
      expect(batchByLength(given, 2048, most)).toEqual(batches)
    }),
    { seed: 2, numRuns: 200 },
  )
})

test('8-bit weights are within half a step of the weights', () => {
  const weight = Float32Array.from({ length: 12 }, (_, i) => Math.sin(i * 7) * (i < 4 ? 10 : 0.1))
  weight.fill(0, 8) // a channel of zeros
  const { data, scales } = quantizeLinear({ weight, bias: new Float32Array(3), inputs: 4, outputs: 3 }, 127)
  for (let o = 0; o < 3; o++) {
    for (let i = 0; i < 4; i++) {
      expect(Math.abs(data[i * 3 + o] * scales[o] - weight[o * 4 + i])).toBeLessThanOrEqual(
        scales[o] / 2 + 1e-7,
      )
    }
  }
  expect([...transpose(Float32Array.of(1, 2, 3, 4, 5, 6), 2, 3)]).toEqual([1, 4, 2, 5, 3, 6])
})

test('only channels that stand out are treated apart', () => {
  const flat = new Float32Array(100).fill(1)
  expect(smoothingDivisors(flat)).toBeUndefined()
  expect(channelsApart(flat)).toEqual([])
  const outlying = flat.slice()
  outlying[7] = 24
  outlying[3] = 3.5
  expect(channelsApart(outlying)).toEqual([7])
  expect([...(smoothingDivisors(outlying) as Float32Array)].filter((divisor) => divisor !== 1)).toEqual([
    2, 8,
  ])
  expect(smoothingDivisors(new Float32Array(10))).toBeUndefined()
})
