import { describe, expect, test } from 'vitest'
import { inChild, interleaved, latencies } from '../../../dist/scripts/bench/measure.js'

const JOBS = new URL('./jobs.js', import.meta.url)

describe('a job in a process of its own', () => {
  test('gives its result and a peak that the parent has no part in', async () => {
    const ballast = Buffer.alloc(400 * 2 ** 20, 1)
    const { peakBytes, result, startBytes } = await inChild<number>(JOBS, 'sum', [1, 2, 3])
    expect(ballast.length).toBeGreaterThan(peakBytes)
    expect(result).toBe(6)
    expect(peakBytes).toBeGreaterThanOrEqual(startBytes)
  })

  test('counts what the job held for a while only', async () => {
    const { peakBytes, startBytes } = await inChild<number>(JOBS, 'hold', 200 * 2 ** 20)
    expect(peakBytes - startBytes).toBeGreaterThan(150 * 2 ** 20)
  })

  test('says why it failed, and that it ended without an answer', async () => {
    await expect(inChild(JOBS, 'fail', 'so it is')).rejects.toThrow(/fail.*so it is/s)
    await expect(inChild(JOBS, 'die', 3)).rejects.toThrow('die ended with exit code 3')
  })
})

describe('interleaved rounds', () => {
  test('run every subject as often, each round beginning with another, the first round uncounted', async () => {
    const order: string[] = []
    const subject = (name: string) => ({ name, run: () => order.push(name) })
    const times = await interleaved([subject('a'), subject('b')], 3)
    expect(order.join('')).toBe('ababbaab')
    expect(times.map((each) => each.length)).toEqual([3, 3])
  })

  test('go on once what was run has come to rest', async () => {
    const order: string[] = []
    await interleaved(
      [
        {
          name: 'a',
          run: () => order.push('a'),
          settled: async () => {
            await new Promise((resolve) => setTimeout(resolve, 1))
            order.push('.')
          },
        },
        { name: 'b', run: () => order.push('b') },
      ],
      1,
    )
    expect(order.join('')).toBe('a.ba.b')
  })

  test('latencies count each call but those to warm up', async () => {
    const calls: number[] = []
    const times = await latencies(10, (i) => calls.push(i), 2)
    expect(times).toHaveLength(10)
    expect(calls).toEqual([0, 1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })
})
