import { describe, expect, test } from 'vitest'
import { blendItems, blendPerson, splitItems, textPerson, trainedPerson } from '#src/adapter/blend.js'
import { chooseBlend } from '#src/adapter/choose-blend.js'
import { askedAmong, hideItems, holdOutLast } from '#src/adapter/hidden-items.js'
import { Adapter, trainAdapter } from '#src/adapter/index.js'
import { dot, matrix, normalize, row } from '#src/math/matrix.js'
import { random } from '#src/math/random.js'
import type { Matrix } from '#src/types.js'
import { SMALL, tableOf, toyShop } from '../../dist/scripts/toys/toy-shop.js'

function unitRows(rows: number, dim: number, seed: number): Matrix {
  const source = random(seed)
  const m = matrix(rows, dim)
  for (let i = 0; i < rows; i++) {
    for (let d = 0; d < dim; d++) row(m, i)[d] = source.normal()
    normalize(row(m, i))
  }
  return m
}

describe('blend', () => {
  const [white, head] = [unitRows(4, 5, 1), unitRows(4, 3, 2)]
  const isWarm = Uint8Array.of(1, 0, 1, 0)
  const blended = blendItems(white, head, isWarm, { warm: 0.8, cold: 0.2 })

  test('one inner product mixes both: sqrt(1 - share) of the text and sqrt(share) of the trained part', () => {
    const person = new Float32Array(8)
    blendPerson(row(white, 2), row(head, 1), person)
    expect(dot(person, person)).toBeCloseTo(1, 6)
    for (const [i, share] of [0.8, 0.2, 0.8, 0.2].entries()) {
      expect(dot(row(blended, i), row(blended, i))).toBeCloseTo(1, 6)
      const text = Math.sqrt(1 - share) * dot(row(white, i), row(white, 2))
      const trained = Math.sqrt(share) * dot(row(head, i), row(head, 1))
      expect(dot(row(blended, i), person)).toBeCloseTo((text + trained) / Math.SQRT2, 5)
    }
  })

  test('both parts can be read back', () => {
    const parts = splitItems(blended, 5)
    for (const [i, value] of parts.white.data.entries()) expect(value).toBeCloseTo(white.data[i], 5)
    for (const [i, value] of parts.head.data.entries()) expect(value).toBeCloseTo(head.data[i], 5)
  })

  test("a person's text half is the mean of what they took", () => {
    const mean = textPerson(white, Int32Array.of(1, 3))
    const sum = normalize(row(white, 1).map((value, d) => value + row(white, 3)[d]))
    for (const [d, value] of sum.entries()) expect(mean[d]).toBeCloseTo(value, 6)
  })
})

test("a person's trained half is mixed from the encoder's vector and the mean of their items", () => {
  const head = unitRows(4, 3, 2)
  const encoded = row(unitRows(1, 3, 7), 0)
  const history = Int32Array.of(1, 3, 3)
  const mean = normalize(row(head, 1).map((value, d) => value + 2 * row(head, 3)[d]))
  const half = normalize(encoded.map((value, d) => 0.5 * value + 0.5 * mean[d]))
  const close = (actual: Float32Array, expected: Float32Array) => {
    for (const [d, value] of expected.entries()) expect(actual[d]).toBeCloseTo(value, 6)
  }
  close(trainedPerson(encoded.slice(), head, history, 0), encoded)
  close(trainedPerson(encoded.slice(), head, history, 0.5), half)
  close(trainedPerson(encoded.slice(), head, history, 1), mean)
})

test('of the blends that cost nothing on validation, the best one for cold items is chosen', () => {
  const people = Array.from({ length: 100 }, (_, i) => i % 2)
  const best = Float64Array.from(people, (value) => value + 0.2)
  const near = best.map((value, i) => value - (i % 2 === 0 ? 0.3 : -0.29)) // 0.005 worse, spread of 0.3
  const far = best.map((value) => value - 0.1)
  const recalls = (value: number) => Float64Array.of(value, value)
  const blends = [0.2, 0.5, 0.8].map((warm) => ({ warm, cold: 0.5, neighbours: 0, mean: 0 }))
  const [low, mid, high] = [recalls(0.1), recalls(0.2), recalls(0.3)]
  const choice = (ndcg: Float64Array[], cold: Float64Array[], text = 0) =>
    chooseBlend(blends, ndcg, cold, text).chosen.warm
  expect(choice([far, near, best], [high, mid, low])).toBe(0.5)
  expect(choice([far, near, best], [high, low, mid])).toBe(0.8)
  expect(choice([best, far, near], [low, high, mid])).toBe(0.8)
  // Finding fewer cold items than text alone does is no bargain, unless nothing else is to be had.
  expect(choice([far, near, best], [high, mid, low], 0.25)).toBe(0.2)
  expect(choice([far, near, best], [high, mid, low], 0.9)).toBe(0.5)
  // Nothing hidden, nothing to choose by: the best on validation.
  const none = new Float64Array(0)
  expect(choice([far, near, best], [none, none, none])).toBe(0.8)
})

test('hidden items are in no history, and each of their events is asked for once', () => {
  const histories = [
    [1, 2, 3],
    [4, 1],
    [5, 6, 7, 8],
    [2, 9],
  ].map((h) => Int32Array.from(h))
  const { visible, cases } = hideItems(histories, 0.3, 4)
  const seen = new Set(visible.flatMap((history) => [...history]))
  for (const { user, person, targets, leaveOut } of cases) {
    expect(seen.has(targets[0])).toBe(false)
    expect(person.items).toEqual(visible[user])
    expect([...targets, ...leaveOut!, ...person.items].sort()).toEqual([...histories[user]].sort())
  }
  const asked = cases.length + visible.reduce((sum, history) => sum + history.length, 0)
  // Histories that were hidden whole are neither asked for nor learned from.
  const lost = histories.filter((_, u) => visible[u].length === 0).flatMap((h) => [...h]).length
  expect(asked + lost).toBe(11)
})

test('the last item of each history is held out, and only what training knows is asked for', () => {
  const { visible, cases } = holdOutLast([[1, 2, 3], [4], [5, 1]].map((h) => Int32Array.from(h)))
  expect(visible.map((h) => [...h])).toEqual([[1, 2], [4], [5]])
  expect(cases.map(({ user, person, targets }) => [user, [...person.items], [...targets]])).toEqual([
    [0, [1, 2], [3]],
    [2, [5], [1]],
  ])
  const asked = askedAmong([...cases, { ...cases[0], targets: Int32Array.of(9, 5) }], Int32Array.of(1, 5))
  expect(asked.map(({ targets }) => [...targets])).toEqual([[1], [5]])
})

test('validation that asks for new items only chooses no epoch, and its items are the hidden ones', async () => {
  const shop = toyShop()
  const isNew = (item: number) => item % 9 === 0
  const histories = shop.validation.map(({ person, targets }) => [...person.items, ...targets])
  const validation = histories.flatMap((history, user) => {
    const known = history.filter((item) => !isNew(item))
    return history.filter(isNew).map((item) => ({
      user,
      person: { user, items: Int32Array.from(known) },
      targets: Int32Array.of(item),
    }))
  })
  const fitting = tableOf(histories.map((history) => history.filter((item) => !isNew(item))))
  const data = { ...shop, fitting, training: fitting, validation }
  const { adapter, hidden, report } = await trainAdapter(data, { ...SMALL, refit: false })
  const stages = new Map(report.epochs.map(({ stage, epoch }) => [stage, epoch + 1]))
  expect([...stages.keys()]).toEqual(['text', 'judged'])
  expect(stages.get('judged')).toBe(report.bestEpoch)
  // The order of events can be learned, text says nothing: more than an epoch pays, whatever new items say.
  expect(report.bestEpoch).toBeGreaterThan(2)
  expect([...hidden.items].sort((a, b) => a - b)).toEqual([0, 9, 18, 27, 36, 45])
  expect(adapter.idIndex(['i9', 'i10'])[0]).toBe(-1)
})

test('a cold item takes after its nearest warm neighbours, and needs no others to be computed', async () => {
  const shop = toyShop()
  const { adapter } = await trainAdapter(shop, { ...SMALL, epochs: 4, refit: false })
  const { parts } = adapter
  const blend = { warm: 0.5, cold: 0.9, neighbours: 5, mean: 0.5 }
  const borrowing = new Adapter({ ...parts, fitted: { ...parts.fitted, blend } }, 1)
  expect(borrowing.fingerprint).not.toBe(adapter.fingerprint)
  const warm = await borrowing.itemVectors(shop.texts, borrowing.idIndex(shop.training.itemIds))
  // A new item with the text of item 3: nearest to it is item 3, above all others.
  const twin = { data: row(shop.texts, 3).slice(), rows: 1, dim: shop.texts.dim }
  const cold = await borrowing.itemVectors(twin)
  const cosines = Array.from({ length: warm.rows }, (_, i) => dot(row(cold, 0), row(warm, i)))
  expect(cosines.indexOf(Math.max(...cosines))).toBe(3)
  // Without text there is nothing to go by.
  const blank = await borrowing.itemVectors({ data: new Float32Array(32), rows: 1, dim: 32 })
  expect(blank.data.every((value) => value === 0)).toBe(true)
  await Promise.all([adapter.close(), borrowing.close()])
})
