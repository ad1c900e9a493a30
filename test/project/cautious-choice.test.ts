import { expect, test } from 'vitest'
import { random } from '#src/math/random.js'
import { cautiousChoice } from '#src/project/cautious-choice.js'
import { bestTrial, type FusionTrial } from '#src/project/fusion-choice.js'

const PEOPLE = 300

/** Figures of people, by the share that they are of. */
function trialOf(share: number, figure: (person: number) => number): FusionTrial {
  const perPerson = Float64Array.from({ length: PEOPLE }, (_, person) => figure(person))
  return { text: 'text', share, perPerson, value: perPerson.reduce((sum, one) => sum + one, 0) / PEOPLE }
}

/** Ten shares that are worth `gain` more than the safe one, for everybody and give or take much. */
function trials(seed: number, gain: (share: number) => number): FusionTrial[] {
  const source = random(seed)
  const safe = Array.from({ length: PEOPLE }, () => source.next())
  return Array.from({ length: 11 }, (_, share) =>
    trialOf(share, (person) => safe[person] + (share === 0 ? 0 : gain(share) + 0.3 * source.normal())),
  )
}

test('takes what is better for everybody', () => {
  const all = trials(1, (share) => (share === 4 ? 0.2 : 0))
  expect(cautiousChoice(all, all[0], 1).share).toBe(4)
})

test('refuses what is best by luck alone', () => {
  const seeds = Array.from({ length: 24 }, (_, seed) => seed + 1)
  const lucky = seeds.map((seed) => trials(seed, () => 0))
  // The best of ten that are worth the same looks better than the safe one nearly always.
  expect(lucky.filter((all) => bestTrial(all).share > 0).length).toBeGreaterThan(16)
  expect(lucky.filter((all) => cautiousChoice(all, all[0], 1).share > 0).length).toBeLessThan(4)
})

test('refuses what hurts, and what is only as good', () => {
  const worse = trials(3, () => -0.1)
  expect(cautiousChoice(worse, worse[0], 1)).toBe(worse[0])
  const same = Array.from({ length: 3 }, (_, share) => trialOf(share, (person) => person / PEOPLE))
  expect(cautiousChoice(same, same[0], 1)).toBe(same[0])
})

test('nobody and one person decide nothing', () => {
  const one = (share: number, figure: number) => ({
    ...trialOf(share, () => figure),
    perPerson: Float64Array.of(figure),
  })
  const all = [one(0, 0), one(1, 1)]
  expect(cautiousChoice(all, all[0], 1)).toBe(all[0])
  const none = all.map((trial) => ({ ...trial, perPerson: new Float64Array(0) }))
  expect(cautiousChoice(none, none[0], 1)).toBe(none[0])
})
