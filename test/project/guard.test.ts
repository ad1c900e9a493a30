import { expect, test } from 'vitest'
import { type Contender, decide } from '#src/project/guard.js'

/** A contender whose people all reached the same figures, a little apart. */
function contender(name: string, overall: number, cold: number | undefined): Contender {
  const trial = (value: number) => {
    const perPerson = Float64Array.from({ length: 50 }, (_, i) => value + 0.001 * (i % 5))
    return { text: name, share: 0, value: perPerson.reduce((sum, one) => sum + one, 0) / 50, perPerson }
  }
  return {
    name,
    share: 0,
    overall: trial(overall),
    cold: cold === undefined ? undefined : trial(cold),
  }
}

const frozen = contender('frozen', 0.05, 0.1)
const collaborative = contender('collaborative', 0.07, 0)

test('the best of those that beat everything is published', () => {
  const candidates = [contender('a', 0.075, 0.1), contender('b', 0.09, 0.12), contender('c', 0.08, 0.2)]
  const decision = decide(candidates, [frozen, collaborative], 1)
  expect(decision).toMatchObject({ publish: true, candidate: { name: 'b' } })
  expect(decision.contests.map(({ against, won }) => [against, won])).toEqual([
    ['frozen', true],
    ['collaborative', true],
  ])
  expect(decision.contests[0].overall.mean).toBeCloseTo(0.04, 9)
  expect(decision.contests[0].overall.significant).toBe(true)
})

test('one that is worse on new items gives way to a lesser one that is not', () => {
  const candidates = [contender('warm', 0.2, 0.09), contender('both', 0.08, 0.1)]
  expect(decide(candidates, [frozen, collaborative], 1)).toMatchObject({
    publish: true,
    candidate: { name: 'both' },
  })
  expect(decide(candidates.slice(0, 1), [frozen, collaborative], 1)).toMatchObject({
    publish: false,
    why: 'Published nothing: warm did not beat frozen on new items.',
  })
})

test('to be as good as what is live is not enough', () => {
  const candidate = contender('adapter', 0.09, 0.12)
  const live = { ...candidate, name: 'what is live', cold: undefined }
  const decision = decide([candidate], [frozen, collaborative, live], 1)
  expect(decision).toMatchObject({
    publish: false,
    why: 'Published nothing: adapter did not beat what is live.',
  })
  expect(decision.contests.at(-1)).toMatchObject({ won: false, overall: { mean: 0 } })
  expect(decision.contests.at(-1)?.cold).toBeUndefined()
})

test('nothing is said of new items where there are none to judge by', () => {
  const without = (one: typeof frozen) => ({ ...one, cold: undefined })
  expect(decide([contender('a', 0.09, 0.1)].map(without), [frozen].map(without), 1)).toMatchObject({
    publish: true,
    why: 'Published a: better than frozen; new items could not be judged.',
  })
})

test('a win that chance would explain is called so, and published', () => {
  const noisy = contender('adapter', 0.08, 0.1)
  const perPerson = Float64Array.from({ length: 50 }, (_, i) => 0.071 + (i % 2 === 0 ? 0.05 : -0.045))
  const candidate = { ...noisy, overall: { ...noisy.overall, value: 0.0735, perPerson } }
  const decision = decide([candidate], [frozen, collaborative], 1)
  expect(decision).toMatchObject({
    publish: true,
    why: 'Published adapter: better than frozen, collaborative (perhaps by chance), and not worse on new items.',
  })
  expect(decision.contests.map(({ verdict }) => verdict)).toEqual(['better', 'better, perhaps by chance'])
  expect(decide([frozen], [candidate], 1).contests[0].verdict).toBe('not better')
})
