import { describe, expect, test } from 'vitest'
import type { RankerRecipe } from '../../src/ranking.js'
import type { InteractionTable, Person, Ranker } from '../../src/types.js'
import { checkerboard, tableOf } from '../support/tables.js'

export interface RankerSuite {
  readonly name: string
  /** A fresh recipe for a catalogue of that many items; it must cope with the tables below. */
  readonly recipe: (itemCount: number) => RankerRecipe
  /** On the checkerboard it finds the withheld item first: true of everything that learns who takes what. */
  readonly solvesCheckerboard: boolean
  /** A table without interactions: refused as NOT_ENOUGH_DATA, or ranked all the same. */
  readonly withoutInteractions: 'refused' | 'ranked'
  /** One person with one item: too little for what learns the order of events. Ranked when absent. */
  readonly oneItem?: 'refused'
}

/**
 * One suite for everything that ranks: what `Ranker` in src/types.ts promises, in tests. A new ranker gets a call
 * of this function in rankers.test.ts or evaluated.test.ts.
 */
export function rankerConformance({
  name,
  recipe,
  solvesCheckerboard,
  withoutInteractions,
  oneItem,
}: RankerSuite): void {
  const fit = (table: InteractionTable): Promise<Ranker> =>
    recipe(table.itemIds.length).fit({ training: table, fitting: table, validation: [], seed: 1 })

  async function withRanker(table: InteractionTable, use: (ranker: Ranker) => Promise<void>): Promise<void> {
    const ranker = await fit(table)
    try {
      await use(ranker)
    } finally {
      await ranker.close?.()
    }
  }

  /** What a person of the table has. */
  function person(table: InteractionTable, user: number): Person {
    return { user, items: table.items.filter((_, row) => table.users[row] === user) }
  }

  describe(`ranker ${name}`, () => {
    const board = checkerboard(8)

    test('gives k items of the catalogue, each once, scores descending, ties by the smaller number', async () => {
      await withRanker(board, async (ranker) => {
        expect(ranker.itemCount).toBe(8)
        const rankings = await ranker.rank(
          [0, 1, 2, 3].map((user) => person(board, user)),
          { k: 3 },
        )
        expect(rankings).toHaveLength(4)
        for (const { items, scores } of rankings) {
          expect(items).toHaveLength(3)
          expect(scores).toHaveLength(3)
          expect(new Set(items).size).toBe(3)
          for (const item of items) expect(item >= 0 && item < 8).toBe(true)
          for (let i = 1; i < items.length; i++) {
            expect(
              scores[i - 1] > scores[i] || (scores[i - 1] === scores[i] && items[i - 1] < items[i]),
            ).toBe(true)
          }
          for (const score of scores) expect(Number.isFinite(score)).toBe(true)
        }
      })
    })

    test('never ranks what the person has, unless asked to', async () => {
      await withRanker(board, async (ranker) => {
        const people = [0, 1, 2, 3].map((user) => person(board, user))
        for (const [i, { items }] of (await ranker.rank(people, { k: 8 })).entries()) {
          expect(items).toHaveLength(8 - people[i].items.length)
          for (const item of items) expect(people[i].items.includes(item)).toBe(false)
        }
        for (const { items } of await ranker.rank(people, { k: 8, excludeSeen: false })) {
          expect([...items].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
        }
      })
    })

    test('k beyond the catalogue gives all there is, and a shorter k its beginning', async () => {
      await withRanker(board, async (ranker) => {
        const [all] = await ranker.rank([person(board, 0)], { k: 1000 })
        const [two] = await ranker.rank([person(board, 0)], { k: 2 })
        expect(all.items).toHaveLength(5)
        expect([...two.items]).toEqual([...all.items.slice(0, 2)])
      })
    })

    test('gives the same answer twice, alone and in company, and after being made again', async () => {
      const once: number[][] = []
      for (let round = 0; round < 2; round++) {
        await withRanker(board, async (ranker) => {
          const company = await ranker.rank([person(board, 1), person(board, 2)], { k: 8 })
          const [alone] = await ranker.rank([person(board, 2)], { k: 8 })
          expect([...alone.items]).toEqual([...company[1].items])
          once.push([...alone.items])
        })
      }
      expect(once[0]).toEqual(once[1])
    })

    test('ranks only what is allowed', async () => {
      await withRanker(board, async (ranker) => {
        const allowed = Uint8Array.of(1, 1, 0, 0, 1, 0, 0, 1)
        const [{ items }] = await ranker.rank([person(board, 0)], { k: 8, allowed })
        expect([...items].sort()).toEqual([0, 1, 7]) // item 4 is allowed, but person 0 has it
        const [none] = await ranker.rank([person(board, 0)], { k: 8, allowed: new Uint8Array(8) })
        expect(none.items).toHaveLength(0)
      })
    })

    test('refuses numbers out of range by name', async () => {
      await withRanker(board, async (ranker) => {
        for (const item of [8, -1]) {
          await expect(ranker.rank([{ items: Int32Array.of(item) }], { k: 3 })).rejects.toMatchObject({
            code: 'NOT_FOUND',
          })
        }
        for (const k of [0, -1, 1.5, Number.NaN]) {
          await expect(ranker.rank([person(board, 0)], { k })).rejects.toMatchObject({
            code: 'OPTION_INVALID',
          })
        }
        await expect(
          ranker.rank([person(board, 0)], { k: 1, allowed: new Uint8Array(7) }),
        ).rejects.toMatchObject({
          code: 'OPTION_INVALID',
        })
      })
    })

    test('serves nobody, a stranger, and someone without a history', async () => {
      await withRanker(board, async (ranker) => {
        expect(await ranker.rank([], { k: 3 })).toEqual([])
        const [stranger, newcomer] = await ranker.rank(
          [{ items: Int32Array.of(1, 3) }, { items: new Int32Array(0) }],
          { k: 3 },
        )
        expect(stranger.items).toHaveLength(3)
        expect(newcomer.items).toHaveLength(3)
      })
    })

    test('an empty catalogue gives empty rankings or is refused as too little data', async () => {
      const nothing = tableOf([], { users: 1, items: 0 })
      if (withoutInteractions === 'refused') {
        await expect(fit(nothing)).rejects.toMatchObject({ code: 'NOT_ENOUGH_DATA' })
        return
      }
      await withRanker(nothing, async (ranker) => {
        const [{ items }] = await ranker.rank([{ items: new Int32Array(0) }], { k: 3 })
        expect(items).toHaveLength(0)
      })
    })

    test('a catalogue of one item', async () => {
      const table = tableOf([[0, 0]], { users: 2 })
      if (oneItem === 'refused') {
        await expect(fit(table)).rejects.toMatchObject({ code: 'NOT_ENOUGH_DATA' })
        return
      }
      await withRanker(table, async (ranker) => {
        const rankings = await ranker.rank([{ items: Int32Array.of(0) }, { items: new Int32Array(0) }], {
          k: 3,
        })
        expect(rankings.map(({ items }) => [...items])).toEqual([[], [0]])
      })
    })

    test('everyone likes everything: nothing is left, and nothing breaks', async () => {
      const rows = [0, 1, 2].flatMap((user) => [0, 1, 2, 3].map((item): [number, number] => [user, item]))
      const table = tableOf(rows)
      await withRanker(table, async (ranker) => {
        const [{ items }] = await ranker.rank([person(table, 0)], { k: 3 })
        expect(items).toHaveLength(0)
        const [all] = await ranker.rank([person(table, 0)], { k: 9, excludeSeen: false })
        expect([...all.items].sort()).toEqual([0, 1, 2, 3])
        for (const score of all.scores) expect(Number.isFinite(score)).toBe(true)
      })
    })

    if (solvesCheckerboard) {
      test('finds the withheld item of the checkerboard', async () => {
        await withRanker(board, async (ranker) => {
          const people = Array.from({ length: 8 }, (_, user) => person(board, user))
          const rankings = await ranker.rank(people, { k: 1 })
          expect(rankings.map(({ items }) => items[0])).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
        })
      })
    }
  })
}
