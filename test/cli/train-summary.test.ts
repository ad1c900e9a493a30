import { expect, test } from 'vitest'
import { trainSummary } from '#src/cli/commands/train.js'
import type { TrainReport } from '#src/index.js'
import { type Contender, decide, judged } from '#src/project/guard.js'
import { trainingPage } from '#src/project/training-page.js'

function contender(name: string, share: number, overall: number, cold: number): Contender {
  const trial = (value: number) => ({
    text: name,
    share,
    value,
    perPerson: Float64Array.from({ length: 20 }, () => value),
  })
  return { name, share, overall: trial(overall), cold: trial(cold) }
}

/** What a training says of contenders like these. */
function reportOn(candidates: readonly Contender[], against: readonly Contender[]): TrainReport {
  const decision = decide(candidates, against, 1)
  return {
    published: decision.publish,
    why: decision.why,
    validation: { split: 'hold-last', people: 20, cases: 20, coldCases: 20, notes: [] },
    candidate: decision.candidate,
    contests: decision.contests,
    judged: [...candidates, ...against]
      .sort((a, b) => b.overall.value - a.overall.value)
      .map((one) => judged(one, 1)),
    notes: [],
    collaborative: { kind: 'ease', lambda: 100 },
    device: 'cpu',
    model: undefined,
    withdrawn: false,
    seconds: 1,
  } as unknown as TrainReport
}

const frozen = contender('frozen', 0, 0.05, 0.1)
const collaborative = contender('collaborative', 1, 0.07, 0)
/** The best on validation, but worse than frozen text on new items. */
const warm = contender('adapter + 50 % collaborative', 0.5, 0.09, 0.09)
const both = contender('adapter + 30 % collaborative', 0.3, 0.08, 0.11)
const lesser = contender('adapter + 20 % collaborative', 0.2, 0.075, 0.11)

test('the table has a row for what was published, also where it is not the best of its kind', async () => {
  const report = reportOn([warm, both, lesser], [frozen, collaborative])
  expect(report.candidate.name).toBe(both.name)
  const [about, contests, all] = trainSummary(report).split('\n\n')
  expect(about).toContain('Published adapter + 30 % collaborative')
  expect(contests.split('\n')[0]).toContain('adapter + 30 % collaborative less')
  const rows = all.split('\n')
  expect(rows.filter((line) => line.startsWith('adapter'))).toEqual([
    expect.stringMatching(/^adapter \+ 50 % collaborative +0\.0900 .* 0\.0900$/),
    expect.stringMatching(/^adapter \+ 30 % collaborative +0\.0800 .* 0\.1100 +published$/),
  ])
  expect(await trainingPage(report)).toMatch(/adapter \+ 30 % collaborative<.*published/)
})

test('what was compared is marked where nothing was published', () => {
  const report = reportOn([warm], [frozen, collaborative])
  expect(report.published).toBe(false)
  expect(trainSummary(report)).toMatch(/\nadapter \+ 50 % collaborative .* compared above/)
})
