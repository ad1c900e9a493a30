import { describe, expect, test } from 'vitest'
import { PairSampler } from '#src/families/batches.js'
import { CandidateSampler } from '#src/families/candidates.js'
import { random } from '#src/math/random.js'

// 30 people, 40 items; person u has the items u, u + 1 and u + 2.
const users = Int32Array.from({ length: 90 }, (_, i) => Math.floor(i / 3))
const taken = users.map((user, i) => user + (i % 3))
const data = { people: 30, items: 40, users, taken }

describe('batches of pairs', () => {
  test('a pass has each pair once before any comes again, in an order of its own', () => {
    const sampler = new PairSampler(data, 40, 2)
    const pass = (seed: number) =>
      [...sampler.batches(data, random(seed))].flatMap(({ people, items }) =>
        Array.from(people, (user, i) => `${user} ${items[i]}`),
      )
    const first = pass(1)
    expect(first).toHaveLength(12 * 40)
    expect(new Set(first.slice(0, 90)).size).toBe(90)
    expect(first.slice(90, 180)).toEqual(first.slice(0, 90))
    expect(pass(1)).toEqual(first)
    expect(pass(2)).not.toEqual(first)
  })

  test('what is drawn beside a pair is nothing that the person has', () => {
    const sampler = new PairSampler(data, 40, 3)
    for (const { people, items } of sampler.batches(data, random(3))) {
      expect(items).toHaveLength(160)
      for (let i = 40; i < items.length; i++) {
        const distance = items[i] - people[i % 40]
        expect(distance < 0 || distance > 2).toBe(true)
      }
    }
  })

  test('someone who has everything is given something all the same', () => {
    const all = { people: 1, items: 2, users: Int32Array.of(0, 0), taken: Int32Array.of(0, 1) }
    const sampler = new PairSampler(all, 10, 1)
    const [{ people, items }] = sampler.batches(all, random(1))
    expect(people).toHaveLength(2)
    for (const item of items) expect(item === 0 || item === 1).toBe(true)
  })

  test('validation pairs are passed over once', () => {
    const sampler = new PairSampler(data, 20, 1)
    const asked = { users: Int32Array.of(0, 1, 2), taken: Int32Array.of(9, 9, 9) }
    const batches = [...sampler.batches(asked, random(1))]
    expect(batches).toHaveLength(1)
    expect(batches[0].people).toHaveLength(20)
  })
})

test('candidates are the different items of a step, each with how likely a step has it', () => {
  const sampler = new CandidateSampler(data, new PairSampler(data, 40, 0))
  for (const { people, candidates, targets, offsets } of sampler.batches(data, random(4))) {
    const named = offsets.filter((offset) => offset < 1e8).length
    expect(new Set(candidates.slice(0, named)).size).toBe(named)
    for (const [i, place] of targets.entries()) {
      expect(place).toBeLessThan(named)
      expect(candidates[place] - people[i]).toBeGreaterThanOrEqual(0)
      expect(candidates[place] - people[i]).toBeLessThanOrEqual(2)
    }
    for (let place = 0; place < named; place++) {
      const share = taken.filter((item) => item === candidates[place]).length / taken.length
      expect(offsets[place]).toBeCloseTo(Math.log(1 - (1 - share) ** 40), 5)
    }
  }
})
