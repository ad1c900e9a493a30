import { expect, test } from 'vitest'
import { splitTable } from '#src/evaluate/index.js'
import { runTrial, type TrialSource } from '#src/project/training-trial.js'
import type { Split } from '../../src/evaluate/index.js'
import { tableOf } from '../support/tables.js'

/** Ten people with six items each. */
const split = splitTable(
  tableOf(
    Array.from({ length: 60 }, (_, at): [number, number, number] => [at % 10, (at * 7) % 13, at + 1]),
    { timeKind: 'date' },
  ),
  { split: 'hold-last' },
)

/** Nothing else of a training may be touched before the leak is found. */
function sourceOf(planted: Partial<Split>): TrialSource {
  const untouched = new Proxy({}, { get: () => expect.unreachable('something was learned from a leak') })
  return {
    ...{ store: untouched, live: untouched, encoder: untouched },
    options: {},
    split: { ...split, ...planted },
  } as unknown as TrialSource
}

test.each<[string, Partial<Split>]>([
  ['what validation asks for among what is learned from', { training: split.table }],
  ['a target at the end of its own history', { test: withTarget() }],
  ['a target that was never held out', { test: unheld() }],
])('training refuses %s', async (_, planted) => {
  await expect(runTrial(sourceOf(planted))).rejects.toMatchObject({ code: 'LEAK_FOUND' })
})

function withTarget(): Split['test'] {
  const [first, ...rest] = split.test
  const items = Int32Array.of(...first.person.items, ...first.targets)
  return [{ ...first, person: { ...first.person, items } }, ...rest]
}

function unheld(): Split['test'] {
  const [first, ...rest] = split.test
  const { items } = first.person
  return [
    { ...first, person: { ...first.person, items: items.slice(0, -2) }, targets: items.slice(-2, -1) },
    ...rest,
  ]
}
