import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { HeldOut, requireHonestSplit, requireNoLeak } from '#src/evaluate/held-out.js'
import { splitTable } from '#src/evaluate/split.js'
import type { InteractionTable } from '../../src/types.js'
import { tableOf } from '../support/tables.js'

const pairsOf = ({ users, items }: InteractionTable) => [...users].map((user, row) => `${user}:${items[row]}`)

/** One person with items 0..n-1 in order, and a second one like it. */
function twoReaders(n: number): InteractionTable {
  return tableOf(
    [0, 1].flatMap((u) => Array.from({ length: n }, (_, i): [number, number, number] => [u, i, i + 1])),
  )
}

describe('hold-last', () => {
  test('asks for the last item from all before it, and validation for the one before that', () => {
    const split = splitTable(twoReaders(5), { split: 'hold-last' })
    expect(split.test.map(({ targets, person }) => [[...person.items], [...targets]])).toEqual([
      [[0, 1, 2, 3], [4]],
      [[0, 1, 2, 3], [4]],
    ])
    expect(split.validation.map(({ targets, person }) => [[...person.items], [...targets]])).toEqual([
      [[0, 1, 2], [3]],
      [[0, 1, 2], [3]],
    ])
    expect(pairsOf(split.training)).toEqual(['0:0', '0:1', '0:2', '0:3', '1:0', '1:1', '1:2', '1:3'])
    expect(pairsOf(split.fitting)).toEqual(['0:0', '0:1', '0:2', '1:0', '1:1', '1:2'])
  })

  test('merges repeats into the first before it looks for the last', () => {
    const table = tableOf([
      [0, 0, 1],
      [0, 1, 2],
      [0, 2, 3],
      [0, 3, 4],
      [0, 0, 5],
    ])
    const [{ targets, person }] = splitTable(table, { split: 'hold-last' }).test
    expect([...targets]).toEqual([3])
    expect([...person.items]).toEqual([0, 1, 2])
  })

  test('people with few distinct items teach and are not tested', () => {
    const table = tableOf(
      [
        [0, 0],
        [0, 1],
        [0, 2],
        [1, 0],
        [1, 1],
        [1, 2],
        [1, 3],
      ].map(([u, i], t) => [u, i, t + 1]),
    )
    const split = splitTable(table, { split: 'hold-last' })
    expect(split.test.map(({ user }) => user)).toEqual([1])
    expect(pairsOf(split.training)).toContain('0:2')
    expect(splitTable(table, { split: 'hold-last', minItems: 3 }).test).toHaveLength(2)
  })

  test('minRating drops what was rated below it and keeps what was not rated', () => {
    const values = [5, 2, 4, Number.NaN, 4, 5]
    const table = tableOf(values.map((value, i) => [0, i, i + 1, value]))
    const split = splitTable(table, { split: 'hold-last', minRating: 4 })
    expect([...split.table.items]).toEqual([0, 2, 3, 4, 5])
    expect(split.notes[0]).toBe('1 of 6 interactions are repeats or rated too low.')
  })
})

describe('last-five', () => {
  test('asks for each of the last five in turn, each from what came before it', () => {
    const split = splitTable(twoReaders(12), { split: 'last-five' })
    const mine = split.test.filter(({ user }) => user === 0)
    expect(mine.map(({ targets }) => targets[0])).toEqual([7, 8, 9, 10, 11])
    expect(mine.map(({ person }) => person.items.length)).toEqual([7, 8, 9, 10, 11])
    expect(split.training.items.filter((item) => item >= 7)).toHaveLength(0)
    const asked = split.validation.filter(({ user }) => user === 0)
    expect(asked.map(({ targets }) => targets[0])).toEqual([2, 3, 4, 5, 6])
  })

  test('short histories keep two items', () => {
    const split = splitTable(twoReaders(4), { split: 'last-five' })
    expect(split.test.filter(({ user }) => user === 0).map(({ targets }) => targets[0])).toEqual([2, 3])
  })
})

describe('time', () => {
  const dated = (rows: [number, number, number][]) => tableOf(rows, { timeKind: 'date' })

  test('everything from a moment on is to be found, as one set per person', () => {
    const table = dated([
      [0, 0, 10],
      [0, 1, 20],
      [0, 2, 90],
      [0, 3, 95],
      [1, 0, 15],
      [1, 1, 30],
      [1, 2, 40],
      [1, 3, 50],
      [2, 0, 85],
      [2, 1, 99],
    ])
    const split = splitTable(table, { split: 'time=70%', minItems: 2 })
    // The eighth of ten times is 90; the three times from then on belong to persons 0 and 2.
    expect(split.test.map(({ user, targets }) => [user, [...targets]])).toEqual([
      [0, [2, 3]],
      [2, [1]],
    ])
    expect(Math.max(...split.training.times)).toBeLessThan(90)
    expect(split.heldOut.moment).toBe(90)
    expect(split.heldOut.allows({ user: 1, item: 0, time: 89 })).toBe(true)
    expect(split.heldOut.allows({ user: 1, item: 0, time: 90 })).toBe(false)
    expect(split.heldOut.allows({ user: 1, item: 0 })).toBe(false)
  })

  test('people without a history before it are counted, not tested', () => {
    const table = dated([
      [0, 0, 10],
      [0, 1, 20],
      [0, 2, 30],
      [0, 3, 40],
      [1, 0, 90],
      [1, 1, 95],
      [0, 4, 99],
    ])
    const split = splitTable(table, { split: 'time=60%', minItems: 2 })
    expect(split.test.map(({ user }) => user)).toEqual([0])
    expect(split.notes.join(' ')).toMatch(/1 people with no history/)
  })

  test('refuses times that are no dates', () => {
    for (const timeKind of ['order', 'none'] as const) {
      expect(() =>
        splitTable(
          tableOf(
            [
              [0, 0, 1],
              [0, 1, 2],
            ],
            { timeKind },
          ),
          {},
        ),
      ).toThrowError(expect.objectContaining({ code: 'SPLIT_REFUSED', remedy: "Use 'hold-last'." }))
    }
  })
})

describe('cold items', () => {
  const rows = Array.from({ length: 12 }, (_, u) =>
    Array.from({ length: 10 }, (_, i): [number, number, number] => [u, (u + i) % 20, i + 1]),
  ).flat()

  test('every interaction with a hidden item is a target, and nothing of it is in training', () => {
    const split = splitTable(tableOf(rows), { split: 'cold-items=20%', seed: 3 })
    const warm = new Set(split.training.items)
    const hidden = [...new Set(split.table.items)].filter((item) => !warm.has(item))
    expect(hidden).toHaveLength(4)
    const wanted = rows.filter(([, item]) => hidden.includes(item)).map(([user, item]) => `${user}:${item}`)
    const asked = split.test.map(({ user, targets }) => `${user}:${targets[0]}`)
    expect(asked.sort()).toEqual(wanted.sort())
    for (const { user, targets, leaveOut, person } of split.test) {
      const mine = rows.filter(([one]) => one === user).map(([, item]) => item)
      expect([...person.items]).toEqual(mine.filter((item) => !hidden.includes(item)))
      expect([...leaveOut!].sort()).toEqual(
        mine.filter((item) => hidden.includes(item) && item !== targets[0]).sort(),
      )
    }
    expect(split.validation.length).toBeGreaterThan(0)
    for (const { targets } of split.validation) expect(split.fitting.items.includes(targets[0])).toBe(false)
  })

  test('the seed decides which', () => {
    const hidden = (seed: number) =>
      [
        ...new Set(
          splitTable(tableOf(rows), { split: 'cold-items', seed }).test.map(({ targets }) => targets[0]),
        ),
      ].sort()
    expect(hidden(1)).toEqual(hidden(1))
    expect([1, 2, 3, 4].some((seed) => hidden(seed).join() !== hidden(5).join())).toBe(true)
  })
})

test('cold users are strangers to training, and have no user number', () => {
  const table = tableOf(
    Array.from({ length: 20 }, (_, u) =>
      [0, 1, 2, 3, 4].map((i): [number, number, number] => [u, i, i]),
    ).flat(),
  )
  const split = splitTable(table, { split: 'cold-users=25%' })
  expect(split.test).toHaveLength(5)
  for (const { user, person, targets } of split.test) {
    expect(split.training.users.includes(user)).toBe(false)
    expect(person.user).toBeUndefined()
    expect([...person.items]).toEqual([0, 1, 2, 3])
    expect([...targets]).toEqual([4])
  }
})

describe('refusals', () => {
  test.each(['holdlast', 'time', 'time=0%', 'time=100%', 'hold-last=5%', 'toString', ''])('%s', (split) => {
    const call = () => splitTable(twoReaders(5), { split })
    if (split === 'time') expect(call).toThrowError(expect.objectContaining({ code: 'SPLIT_REFUSED' }))
    else expect(call).toThrowError(expect.objectContaining({ code: 'OPTION_INVALID' }))
  })

  test('too little to learn from', () => {
    const tooLittle = expect.objectContaining({ code: 'NOT_ENOUGH_DATA' })
    expect(() => splitTable(tableOf([]), { split: 'hold-last' })).toThrowError(tooLittle)
    const rated = tableOf([[0, 1, 1]], { timeKind: 'date' })
    expect(() => splitTable(rated, { split: 'time=80%', minRating: 99 })).toThrowError(tooLittle)
  })
})

describe('the leakage guard', () => {
  const worlds = fc.record({
    rows: fc.array(fc.tuple(fc.nat(5), fc.nat(11), fc.integer({ min: 1, max: 60 })), {
      minLength: 60,
      maxLength: 120,
    }),
    split: fc.constantFrom('time=70%', 'hold-last', 'last-five', 'cold-items=20%', 'cold-users=30%'),
    seed: fc.nat(50),
  })

  test('finds every split of any table honest', () => {
    fc.assert(
      fc.property(worlds, ({ rows, split, seed }) => {
        let made: ReturnType<typeof splitTable>
        try {
          made = splitTable(tableOf(rows, { timeKind: 'date' }), { split, seed, minItems: 3 })
        } catch (error) {
          fc.pre((error as { code?: string }).code !== 'NOT_ENOUGH_DATA')
          throw error
        }
        requireHonestSplit(made)
        const known = new Set(pairsOf(made.training))
        for (const { user, targets } of made.test) {
          for (const item of targets) expect(known.has(`${user}:${item}`)).toBe(false)
        }
      }),
      { numRuns: 150 },
    )
  })

  test('catches a test pair that is planted in the training table', () => {
    const split = splitTable(twoReaders(6), { split: 'hold-last' })
    expect(() => requireHonestSplit({ ...split, training: split.table })).toThrowError(
      expect.objectContaining({ code: 'LEAK_FOUND', fact: expect.stringContaining('person u0, item i5') }),
    )
  })

  test('catches a validation pair in the fitting table', () => {
    const split = splitTable(twoReaders(6), { split: 'hold-last' })
    expect(() => requireHonestSplit({ ...split, fitting: split.training })).toThrowError(/The fitting table/)
  })

  test('catches a target in its own history', () => {
    const split = splitTable(twoReaders(6), { split: 'hold-last' })
    const [first, ...rest] = split.test
    const leaky = { ...first, person: { ...first.person, items: Int32Array.of(0, 5) } }
    expect(() => requireHonestSplit({ ...split, test: [leaky, ...rest] })).toThrowError(/A test history/)
  })

  test('catches a target that the split forgot to hold out', () => {
    const split = splitTable(twoReaders(6), { split: 'hold-last' })
    const [first, ...rest] = split.test
    const other = {
      ...first,
      targets: Int32Array.of(2),
      person: { ...first.person, items: Int32Array.of(0) },
    }
    expect(() => requireHonestSplit({ ...split, test: [other, ...rest] })).toThrowError(/does not hold out/)
  })

  test('catches a review of the person under test, and one that was written later', () => {
    const split = splitTable(twoReaders(6), { split: 'hold-last' })
    const honest = [
      { user: 0, item: 2, time: 3 },
      { user: -1, item: 5, time: 9 },
    ]
    requireNoLeak(split.heldOut, honest, 'The review texts', split.table)
    expect(() =>
      requireNoLeak(
        split.heldOut,
        [...honest, { user: 1, item: 5, time: 6 }],
        'The review texts',
        split.table,
      ),
    ).toThrowError(/The review texts holds what is to be predicted: person u1, item i5/)
    const late = HeldOut.from(split.table, 4)
    expect(() =>
      requireNoLeak(late, [{ user: -1, item: 0, time: 4 }], 'The review texts', split.table),
    ).toThrowError(expect.objectContaining({ code: 'LEAK_FOUND' }))
  })
})
