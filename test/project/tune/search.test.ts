import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { aborted } from '#src/errors.js'
import { Budget, secondsOf } from '#src/project/tune/budget.js'
import { halve, pooled, sharesFor } from '#src/project/tune/halving.js'
import { BASELINES } from '#src/project/tune/judge.js'
import { Search } from '#src/project/tune/search.js'
import { drawCandidates, drawSettings, TUNED_MODELS } from '#src/project/tune/space.js'
import { TuneTable } from '#src/project/tune/table.js'
import { random } from '../../../src/math/random.js'
import type { TextGround } from '../../../src/project/tune/ground.js'
import type { Candidate, TunedModel } from '../../../src/project/tune/space.js'
import { temporaryFolder } from '../shelf.js'

describe('a length of time', () => {
  test.each([
    ['90s', 90],
    ['20m', 1200],
    ['1.5h', 5400],
  ])('%s', (text, seconds) => expect(secondsOf(text)).toBe(seconds))

  test.each(['', '45', '0s', '-3m', '20 minutes', '9999h', 'm', '1e3s'])('%j is none', (text) => {
    expect(secondsOf(text)).toBeUndefined()
  })
})

describe('successive halving', () => {
  test('16 candidates are compared at an eighth, a quarter, a half and the whole', () => {
    expect(sharesFor(16)).toEqual([1 / 8, 1 / 4, 1 / 2, 1])
    expect(sharesFor(2)).toEqual([1])
    expect(sharesFor(1)).toEqual([1])
  })

  test('keeps the better half of each round, whatever the number of workers', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 1, max: 5 }),
        async (values, workers) => {
          const asked: string[] = []
          const rounds = await halve(
            [...values.keys()],
            async (at, share) => {
              asked.push(`${at} ${share}`)
              // Later candidates are done sooner.
              for (let wait = values.length - at; wait > 0; wait--) await undefined
              return values[at]
            },
            workers,
          )
          let left = [...values.keys()]
          for (const [round, share] of sharesFor(values.length).entries()) {
            for (const at of left) expect(asked).toContain(`${at} ${share}`)
            left = left.sort((a, b) => values[b] - values[a] || a - b).slice(0, Math.ceil(left.length / 2))
            expect(rounds[round]).toEqual(left)
          }
          expect(asked).toHaveLength(new Set(asked).size)
          expect(values[left[0]]).toBe(Math.max(...values))
        },
      ),
    )
  })

  test('a failure ends the round after what is under way, and begins nothing more', async () => {
    const begun: number[] = []
    const ended: number[] = []
    const failing = pooled([0, 1, 2, 3, 4], 2, async (task) => {
      begun.push(task)
      await new Promise((resolve) => setImmediate(resolve))
      if (task === 0) throw new Error('the first')
      await new Promise((resolve) => setImmediate(resolve))
      ended.push(task)
    })
    await expect(failing).rejects.toThrow('the first')
    expect(begun).toEqual([0, 1])
    expect(ended).toEqual([1])
  })
})

test('the same seed draws the same settings, all of them options of the model', () => {
  for (const model of TUNED_MODELS) {
    const drawn = drawSettings(model, random(3))
    expect(drawSettings(model, random(3))).toEqual(drawn)
    expect(drawSettings(model, random(4))).not.toEqual(drawn)
  }
  const like = [{ model: 'sasrec', encoder: 'e', settings: { dim: 64 } }] as const
  for (const { model, settings } of drawCandidates(20, like, random(1))) {
    expect(model).toBe('sasrec')
    expect(Number(settings.dim) % Number(settings.heads)).toBe(0)
  }
})

const TEXTS = [{ encoder: 'e', digest: 'd' }] as unknown as TextGround[]
const FIGURES = { alone: 0, share: 0, low: 0, high: 0 }

/** Knows how good each model is; more epochs are better. */
class FakeJudge {
  readonly asked: string[] = []
  constructor(
    private readonly worth: (model: string) => number,
    private readonly before: () => void = () => undefined,
  ) {}
  epochsFor(_: Candidate, share: number): number {
    return Math.round(8 * share)
  }
  async baseline(name: string) {
    this.asked.push(name)
    return { ...FIGURES, ndcg: 0 }
  }
  async candidate({ model, settings }: Candidate, _: TextGround, epochs: number) {
    this.before()
    this.asked.push(`${model} ${JSON.stringify(settings)} ${epochs}`)
    return { ...FIGURES, ndcg: this.worth(model) + epochs / 1000 }
  }
}

interface Run {
  readonly folder: string
  readonly judge: FakeJudge
  readonly brackets?: number
  readonly budget?: Budget
}

async function run({ folder, judge, brackets = 2, budget }: Run) {
  const table = await TuneTable.open(folder, 'key')
  const models: TunedModel[] = ['sasrec', 'two-tower', 'neumf', 'mf-warp']
  const limit = budget ?? new Budget(3600, table.spentBefore, undefined)
  const search = new Search(judge, table, TEXTS, limit, {
    models,
    settings: 8,
    brackets,
    seed: 5,
    workers: 2,
  })
  try {
    const finished = await search.run()
    return { finished, rows: table.all() }
  } finally {
    limit.close()
  }
}

describe('a search', () => {
  const worth = (model: string) => (model === 'neumf' ? 0.2 : 0.1)

  test('begins with every model as it stands and goes on with those that survive', async () => {
    const judge = new FakeJudge(worth)
    const { finished, rows } = await run({ folder: `${temporaryFolder()}/tuning`, judge })
    expect(finished).toBe(true)
    expect(judge.asked.slice(0, BASELINES.length).sort()).toEqual([...BASELINES].sort())
    const first = judge.asked.slice(BASELINES.length, BASELINES.length + 4)
    expect(first).toEqual(['sasrec {} 2', 'two-tower {} 2', 'neumf {} 2', 'mf-warp {} 2'])
    expect(rows[0]).toMatchObject({ model: 'neumf', epochs: 8, servable: false })
    expect(rows.find(({ servable }) => servable)).toMatchObject({ epochs: expect.any(Number) })
    expect(rows).toHaveLength(judge.asked.length)
  })

  test('that was stopped goes on where it was, and ends with the same rows', async () => {
    const whole = await run({ folder: `${temporaryFolder()}/tuning`, judge: new FakeJudge(worth) })
    const folder = `${temporaryFolder()}/tuning`
    let left = 5
    const stopping = new FakeJudge(worth, () => {
      if (left-- === 0) throw aborted('The search')
    })
    await expect(run({ folder, judge: stopping })).rejects.toMatchObject({ code: 'ABORTED' })
    const kept = (await TuneTable.open(folder, 'key')).all()
    expect(kept).toHaveLength(stopping.asked.length)
    const second = new FakeJudge(worth)
    const { rows } = await run({ folder, judge: second })
    expect([...stopping.asked, ...second.asked].sort()).toHaveLength(rows.length)
    expect(second.asked.some((one) => stopping.asked.includes(one))).toBe(false)
    const untimed = (all: typeof rows) => all.map(({ seconds: _, ...row }) => row)
    expect(untimed(rows)).toEqual(untimed(whole.rows))
    // Nothing is left to do.
    const third = new FakeJudge(worth)
    expect((await run({ folder, judge: third })).rows).toEqual(rows)
    expect(third.asked).toEqual([])
  })

  test('whose time is up keeps what it has and says so', async () => {
    const folder = `${temporaryFolder()}/tuning`
    const budget = new Budget(1, 2, undefined)
    const judge = new FakeJudge(worth)
    const { finished, rows } = await run({ folder, judge, budget })
    expect(finished).toBe(false)
    // Baselines take no part in the budget.
    expect(rows.map(({ model }) => model).sort()).toEqual([...BASELINES].sort())
    expect(judge.asked).toHaveLength(BASELINES.length)
  })

  test('on other data finds no rows, and replaces them', async () => {
    const folder = `${temporaryFolder()}/tuning`
    await run({ folder, judge: new FakeJudge(worth) })
    const other = await TuneTable.open(folder, 'another key')
    expect(other.all()).toEqual([])
    expect(other.spentBefore).toBe(0)
  })
})
