import { describe, expect, test } from 'vitest'
import { PairSampler } from '#src/families/batches.js'
import { FAMILIES } from '#src/families/catalogue.js'
import { convMf } from '#src/families/convmf.js'
import { FAMILY_OPTIONS } from '#src/families/options.js'
import { QUERIES, TaskSampler } from '#src/families/tasks.js'
import { matrix, normalize, row } from '#src/math/matrix.js'
import { random } from '#src/math/random.js'
import { Training } from '#src/onnx/optimizer-session.js'
import { resolveOptions } from '#src/options.js'
import type { Family } from '../../src/families/family.js'
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

  test('have tasks of one part of them each, whose likes and queries are different things of one person', () => {
    const options = resolveOptions('maml', FAMILY_OPTIONS, { support: 2, batch: 4 })
    const sampler = new TaskSampler(reviewed, options)
    const histories = Array.from(
      { length: PEOPLE },
      (_, user) => new Set(taken.filter((_item, i) => users[i] === user)),
    )
    for (const { part, batch } of sampler.steps(reviewed, random(1))) {
      for (let i = 0; i < sampler.people; i++) {
        const likes = batch.likes.subarray(2 * i, 2 * i + 2).filter((_, n) => batch.shares[2 * i + n] > 0)
        const queries = batch.queries
          .subarray(QUERIES * i, QUERIES * (i + 1))
          .filter((_, n) => batch.weights[QUERIES * i + n] > 0)
        const all = [...likes, ...queries]
        expect(likes.length).toBeGreaterThan(0)
        expect(queries.length).toBeGreaterThan(0)
        expect(new Set(all).size).toBe(all.length)
        const owners = histories.flatMap((history, user) =>
          all.every((item) => history.has(item)) ? [user] : [],
        )
        expect(owners.some((user) => user % PARTS === part)).toBe(true)
      }
    }
  })

  test('name places in a sample of the catalogue where that is too large', () => {
    const options = resolveOptions('maml', FAMILY_OPTIONS, { support: 2, batch: 3, fullSoftmaxItems: 20 })
    const sampler = new TaskSampler(plain, options)
    expect(sampler.candidates).toBe(20)
    for (const { batch } of sampler.steps(plain, random(1))) {
      expect(new Set(batch.candidates)).toHaveLength(20)
      const item = (place: number) => batch.candidates![place]
      expect(taken).toContain(item(batch.likes[0]))
      expect(Math.max(...batch.likes, ...batch.queries)).toBeLessThan(20)
    }
  })
})

test("models of words are fed the words without those of their step's own people", () => {
  const length = 5
  // Everybody's only word has their own number, behind the one of the item's description.
  const tokensOf = (writes: (person: number) => boolean) => {
    const tokens = new Int32Array(ITEMS * length)
    for (const [i, user] of users.entries())
      if (writes(user)) tokens[taken[i] * length + (user % length)] = 1 + user
    return tokens
  }
  const words = {
    table: matrix(PEOPLE + 1, 3),
    length,
    tokens: tokensOf(() => true),
    without: without.map((_, part) => tokensOf((person) => person % PARTS !== part)),
  }
  const options = resolveOptions('convmf', FAMILY_OPTIONS, { batch: 6, factors: 4, words: length })
  for (const batch of convMf.prepare({ ...plain, words }, options).batches(plain, random(1))) {
    const fed = batch as { readonly [name: string]: Int32Array }
    const own = new Set(Array.from(fed.people, (person) => person % PARTS))
    expect(own.size).toBe(1)
    for (const word of fed.tokens) if (word > 0) expect(own.has((word - 1) % PARTS)).toBe(false)
  }
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
    for (const part of [0, 3]) {
      const others = without.map((texts, p) => (p === part ? texts : matrix(ITEMS, DIM)))
      const changed = { ...reviewed, vectors: matrix(ITEMS, DIM), vectorsWithout: others }
      const [before, after] = [reviewed, changed].map((data) =>
        [...(FAMILIES[name] as Family).prepare(data, options).batches(data, random(2))].filter(
          ({ people }) => Number(people[0]) % PARTS === part,
        ),
      )
      expect(before.length).toBeGreaterThan(0)
      expect(after).toEqual(before)
    }
  })
})

describe.each([...TEXTUAL, ['sasrec', { length: 4 }], ['maml', {}]] as const)('%s %o', (name, settings) => {
  const options = resolveOptions(name, FAMILY_OPTIONS, { ...settings, factors: DIM, batch: 6, layers: 2 })

  test('learns the same whether its start is one table or one for each part that says the same', async () => {
    const everywhere = { ...plain, vectors: whole, vectorsWithout: without.map(() => whole) }
    const losses: number[][] = []
    for (const data of [{ ...plain, vectors: whole }, everywhere]) {
      const training = await Training.create((FAMILIES[name] as Family).prepare(data, options).training, {
        threads: 1,
      })
      const found: number[] = []
      for (const batch of (FAMILIES[name] as Family)
        .prepare(everywhere, options)
        .batches(everywhere, random(2))) {
        found.push((await training.step(batch, 0.01)).loss)
      }
      await training.close()
      losses.push(found)
    }
    expect(losses[0].length).toBeGreaterThan(4)
    for (const [i, loss] of losses[1].entries()) expect(loss).toBeCloseTo(losses[0][i], 5)
    expect(losses[0].at(-1)!).not.toBeCloseTo(losses[0][0], 3)
  })
})
