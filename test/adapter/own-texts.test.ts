import { expect, test } from 'vitest'
import { fullCandidates } from '#src/adapter/candidates.js'
import { type AdapterData, trainAdapter } from '#src/adapter/index.js'
import { packEpoch } from '#src/adapter/sequences.js'
import { matrix, normalize, row } from '#src/math/matrix.js'
import { random } from '#src/math/random.js'
import type { TestCase } from '#src/ranking.js'
import { SMALL, tableOf } from '../../dist/scripts/toys/toy-shop.js'
import type { Matrix } from '../../src/types.js'

const [PEOPLE, ITEMS, PARTS, GROUPS, DIM] = [150, 240, 5, 6, 64]

/**
 * People take items of one group, and write of each: half about the group, half in a manner of their own.
 * What validation asks for is in no text, as the split says; what else a person wrote is, and with it an easy way to
 * tell which items were theirs, that is of no use for the next one.
 */
function writersShop(): { readonly leaky: AdapterData; readonly honest: AdapterData } {
  const source = random(5)
  const direction = () => normalize(Float32Array.from({ length: DIM }, () => source.normal()))
  const groups = Array.from({ length: GROUPS }, direction)
  const manners = Array.from({ length: PEOPLE }, direction)
  const histories = manners.map((_, person) => {
    const mine = new Set<number>()
    while (mine.size < 5) mine.add((person % GROUPS) + GROUPS * source.integer(ITEMS / GROUPS))
    return [...mine]
  })
  const fitting = histories.map((history) => history.slice(0, -1))
  const textsOf = (writes: (person: number) => boolean): Matrix => {
    const texts = matrix(ITEMS, DIM)
    for (const [person, items] of fitting.entries()) {
      if (!writes(person)) continue
      for (const item of items) {
        const text = row(texts, item)
        for (let d = 0; d < DIM; d++) text[d] += groups[item % GROUPS][d] + manners[person][d]
      }
    }
    for (let item = 0; item < ITEMS; item++) normalize(row(texts, item))
    return texts
  }
  const validation: TestCase[] = histories.map((history, user) => ({
    user,
    person: { user, items: Int32Array.from(fitting[user]) },
    targets: Int32Array.of(history.at(-1)!),
  }))
  const leaky: AdapterData = {
    texts: textsOf(() => true),
    textSpace: 'toy',
    training: tableOf(histories, ITEMS),
    fitting: tableOf(fitting, ITEMS),
    validation,
  }
  const textsWithout = Array.from({ length: PARTS }, (_, part) => textsOf((p) => p % PARTS !== part))
  return { leaky, honest: { ...leaky, textsWithout } }
}

test('who learns to tell the writer does worse than who never sees what a person wrote', async () => {
  const shop = writersShop()
  const options = { ...SMALL, textDim: 40, epochs: 12, patience: 12, refit: false, dropout: 0 }
  const reached = async (data: AdapterData) => {
    const { report } = await trainAdapter(data, options)
    const last = report.epochs.filter(({ stage }) => stage === 'text').at(-1)!
    return { validation: last.validation!, loss: last.loss }
  }
  const [leaky, honest] = [await reached(shop.leaky), await reached(shop.honest)]
  // The planted leak: training looks better than it should, and what it learned is of no use.
  expect(leaky.loss).toBeLessThan(honest.loss - 0.5)
  expect(honest.validation).toBeGreaterThan(leaky.validation)
}, 60_000)

test('each step is shown the texts of its own part of the people', () => {
  const texts = [1, 2].map((value) => matrix(3, 2, new Float32Array(6).fill(value)))
  const candidates = fullCandidates(texts, Int32Array.of(0, 2))
  const part = packEpoch([Int32Array.of(2, 0)], 4, random(1))
  for (const [which, value] of [1, 2].entries()) {
    const { texts: shown, events, targets } = candidates.of(part, random(1), which)
    expect(shown).toEqual(new Float32Array(4).fill(value))
    expect([events[0], targets[0]]).toEqual([1, 0])
  }
})
