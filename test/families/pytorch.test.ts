import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { FAMILIES } from '#src/families/catalogue.js'
import { FAMILY_OPTIONS } from '#src/families/options.js'
import { matrix } from '#src/math/matrix.js'
import { Training } from '#src/onnx/optimizer-session.js'
import { resolveOptions } from '#src/options.js'
import { meanNdcg, rankerOf } from '#src/ranking.js'
import type { Family } from '../../src/families/family.js'
import type { FamilyName } from '../../src/families/index.js'
import type { FamilyOptions } from '../../src/families/options.js'

interface Recorded {
  readonly options: Partial<FamilyOptions>
  readonly rate: number
  readonly start: { readonly [name: string]: { readonly shape: number[]; readonly data: number[] } }
  readonly batches: readonly { readonly [name: string]: number[] }[]
  readonly losses: number[]
  readonly gradients: { readonly [name: string]: number[] }
  readonly end: { readonly [name: string]: number[] }
  readonly scores: number[]
  readonly ndcg: number
}
const { table, ...cases } = JSON.parse(
  readFileSync(new URL('../fixtures/families.json', import.meta.url), 'utf8'),
) as {
  readonly table: {
    readonly people: number
    readonly items: number
    readonly users: number[]
    readonly taken: number[]
    readonly withheld: number[]
    readonly batch: number
    readonly times: number[]
    readonly texts: number[]
    readonly words: number[]
    readonly tokens: number[]
  }
} & { readonly [name in FamilyName]: Recorded }
const data = {
  people: table.people,
  items: table.items,
  users: Int32Array.from(table.users),
  taken: Int32Array.from(table.taken),
  times: Float64Array.from(table.times),
  timeKind: 'date' as const,
  vectors: matrix(table.items, table.texts.length / table.items, Float32Array.from(table.texts)),
  words: {
    table: matrix(7, table.words.length / 7, Float32Array.from(table.words)),
    tokens: Int32Array.from(table.tokens),
    length: table.tokens.length / table.items,
  },
}
/** Numbers of a batch that are no indices. */
const FLOATS = ['weights', 'idMask', 'shares', 'offsets']

function expectClose(found: Float32Array, wanted: readonly number[], digits: number): void {
  expect(found).toHaveLength(wanted.length)
  for (const [i, value] of wanted.entries()) expect(found[i]).toBeCloseTo(value, digits)
}

test.each(['lightgcn', 'neumf', 'sasrec', 'sasrec-long', 'gru', 'maml', 'convmf', 'gru-text'] as const)(
  '%s has the losses, gradients, weights, scores and metric of PyTorch',
  async (name) => {
    const recorded = cases[name]
    const options = resolveOptions(name, FAMILY_OPTIONS, { batch: table.batch, ...recorded.options })
    const model = (FAMILIES[name] as Family).prepare(data, options)
    const tensors = Object.fromEntries(
      Object.entries(recorded.start).flatMap(([parameter, { data: start }]) => [
        [`w:${parameter}`, Float32Array.from(start)],
        [`m:${parameter}`, new Float32Array(start.length)],
        [`v:${parameter}`, new Float32Array(start.length)],
      ]),
    )
    const { weightDecay, clipNorm } = options
    const adam = { weightDecay, clipNorm }
    const training = await Training.create(model.training, { threads: 1, adam, state: { steps: 0, tensors } })
    for (const [step, fed] of recorded.batches.entries()) {
      const typed = ([part, numbers]: [string, number[]]) =>
        [part, FLOATS.includes(part) ? Float32Array.from(numbers) : Int32Array.from(numbers)] as const
      const batch = Object.fromEntries(Object.entries(fed).map(typed))
      const { loss } = await training.step(batch, recorded.rate)
      expect(loss).toBeCloseTo(recorded.losses[step], 4)
      if (step > 0) continue
      // After one step from zero, Adam's mean is a tenth of the gradient.
      const { tensors: after } = await training.state()
      for (const [parameter, gradient] of Object.entries(recorded.gradients)) {
        expectClose(
          after[`m:${parameter}`].map((value) => value / 0.1),
          gradient,
          5,
        )
      }
    }
    const weights = await training.weights()
    await training.close()
    for (const [parameter, end] of Object.entries(recorded.end)) {
      // A bias of keys moves all logits of a softmax alike: its gradient is rounding, which Adam makes steps of.
      if (!parameter.endsWith('key.bias')) expectClose(weights[parameter], end, 3)
    }
    const scorer = await model.scorer(weights)
    const people = Array.from({ length: table.people }, (_, user) => ({
      user,
      items: data.taken.filter((_, i) => data.users[i] === user),
      times: data.times.filter((_, i) => data.users[i] === user),
    }))
    expectClose((await scorer.scores(people)).data, recorded.scores, 3)
    const asked = people.map((person, user) => ({
      user,
      person,
      targets: Int32Array.of(table.withheld[user]),
    }))
    expect(await meanNdcg(rankerOf(scorer), asked, 3)).toBeCloseTo(recorded.ndcg, 6)
    await scorer.close?.()
  },
)
