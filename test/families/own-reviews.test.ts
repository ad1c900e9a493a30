import { describe, expect, test } from 'vitest'
import { PairSampler } from '#src/families/batches.js'
import { FAMILIES } from '#src/families/catalogue.js'
import { FAMILY_OPTIONS } from '#src/families/options.js'
import { matrix, normalize, row } from '#src/math/matrix.js'
import { random } from '#src/math/random.js'
import { Training } from '#src/onnx/optimizer-session.js'
import { resolveOptions } from '#src/options.js'
import type { FamilyName, FamilyOptions } from '../../src/families/index.js'
import type { Matrix } from '../../src/types.js'

const [PEOPLE, ITEMS, PARTS, DIM] = [20, 30, 5, 24]
const source = random(3)
const users = Int32Array.from({ length: PEOPLE * 3 }, (_, i) => Math.floor(i / 3))
const taken = users.map((user, i) => (user * 7 + (i % 3) * 11) % ITEMS)
const manners = Array.from({ length: PEOPLE }, () =>
  normalize(Float32Array.from({ length: DIM }, () => source.normal())),
)

/** What people wrote of what they took, each in a manner of their own. */
function textsOf(writes: (person: number) => boolean): Matrix {
  const texts = matrix(ITEMS, DIM)
  for (const [i, user] of users.entries()) {
    if (!writes(user)) continue
    for (let d = 0; d < DIM; d++) row(texts, taken[i])[d] += manners[user][d]
  }
  for (let item = 0; item < ITEMS; item++) normalize(row(texts, item))
  return texts
}
const whole = textsOf(() => true)
const without = Array.from({ length: PARTS }, (_, part) => textsOf((person) => person % PARTS !== part))
const plain = { people: PEOPLE, items: ITEMS, users, taken }
const reviewed = { ...plain, vectors: whole, vectorsWithout: without }

describe('steps about people who wrote some of the texts', () => {
  test('are about one part of them each, and together about every pair', () => {
    const sampler = new PairSampler(reviewed, 4, 1)
    const seen = new Set<string>()
    for (const { part, batch } of sampler.steps(reviewed, random(1))) {
      for (const [i, user] of batch.people.entries()) {
        expect(user % PARTS).toBe(part)
        seen.add(`${user} ${batch.items[i]}`)
      }
    }
    expect(seen).toEqual(new Set(Array.from(users, (user, i) => `${user} ${taken[i]}`)))
  })
})

const TEXTUAL: readonly (readonly [FamilyName, Partial<FamilyOptions>])[] = [
  ['lightgcn-text', {}],
  ['lightgcn-flow', {}],
  ['recommendernet', {}],
  ['recommendernet', { start: 'frozen' }],
]

describe.each(TEXTUAL)('%s %o', (name, settings) => {
  const options = resolveOptions(name, FAMILY_OPTIONS, { ...settings, factors: DIM, batch: 6, layers: 2 })

  test('no step is fed a number that one of its own people wrote', () => {
    // The same, had the people of one part written something else altogether.
    for (let part = 0; part < PARTS; part++) {
      const others = without.map((texts, p) => (p === part ? texts : matrix(ITEMS, DIM)))
      const changed = { ...reviewed, vectors: matrix(ITEMS, DIM), vectorsWithout: others }
      const [before, after] = [reviewed, changed].map((data) =>
        [...FAMILIES[name].prepare(data, options).batches(data, random(2))].filter(
          ({ people }) => Number(people[0]) % PARTS === part,
        ),
      )
      expect(before.length).toBeGreaterThan(0)
      expect(after).toEqual(before)
    }
  })

  test('learns the same whether its start is one table or one for each part that says the same', async () => {
    const everywhere = { ...plain, vectors: whole, vectorsWithout: without.map(() => whole) }
    const losses: number[][] = []
    for (const data of [{ ...plain, vectors: whole }, everywhere]) {
      const training = await Training.create(FAMILIES[name].prepare(data, options).training, { threads: 1 })
      const found: number[] = []
      for (const batch of FAMILIES[name].prepare(everywhere, options).batches(everywhere, random(2))) {
        found.push((await training.step(batch, 0.01)).loss)
      }
      await training.close()
      losses.push(found)
    }
    expect(losses[0].length).toBeGreaterThan(10)
    for (const [i, loss] of losses[1].entries()) expect(loss).toBeCloseTo(losses[0][i], 5)
    expect(losses[0].at(-1)!).not.toBeCloseTo(losses[0][0], 3)
  })
})
