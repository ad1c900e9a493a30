import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runKey } from '#src/adapter/checkpoint.js'
import { hideItems, holdOutLast } from '#src/adapter/hidden-items.js'
import { Adapter, adapterScorer, timedHistories, trainAdapter } from '#src/adapter/index.js'
import { Inference } from '#src/adapter/inference.js'
import { adapterModel } from '#src/adapter/model.js'
import { TRAIN_OPTIONS } from '#src/adapter/options.js'
import { packEpoch, rowsOf } from '#src/adapter/sequences.js'
import { matrix, row } from '#src/math/matrix.js'
import { random } from '#src/math/random.js'
import { trainingStep } from '#src/onnx/optimizer.js'
import { resolveOptions } from '#src/options.js'
import { ITEMS, SMALL, toyShop } from '../../dist/scripts/toys/toy-shop.js'
import type { AdapterData } from '../../src/adapter/index.js'
import type { AdapterShape } from '../../src/adapter/model.js'
import type { InteractionTable, Person, TimeKind } from '../../src/types.js'

const DAY = 86_400_000
const LONG = { ...SMALL, encoder: 'sasrec-long', epochs: 1, patience: 1 } as const

/** The toy shop, its events so long after each other. */
function datedShop(gap: (event: number) => number, start = Date.UTC(2020, 0)): AdapterData {
  const { training, fitting, validation, ...rest } = toyShop()
  const dated = (table: InteractionTable): InteractionTable => ({
    ...table,
    timeKind: 'date',
    times: table.times.map((place) => start + gap(place)),
  })
  const cases = validation.map((one) => {
    const times = Float64Array.from(one.person.items, (_, i) => start + gap(i + 1))
    return { ...one, person: { ...one.person, times } }
  })
  return { ...rest, training: dated(training), fitting: dated(fitting), validation: cases }
}
const daily = (event: number) => event * DAY
const bursts = (event: number) => event * (event % 2 === 0 ? 3 * DAY : DAY / 24)

async function fingerprint(data: AdapterData, options: object = LONG): Promise<string> {
  const { adapter, judged, hidden } = await trainAdapter(data, { ...options, refit: false })
  for (const one of [adapter, judged, hidden.adapter]) await one.close()
  return adapter.fingerprint
}

test('the intervals decide what is learnt, not the moment that they begin at; other encoders look at neither', async () => {
  const first = await fingerprint(datedShop(daily))
  expect(await fingerprint(datedShop(daily, Date.UTC(1999, 5)))).toBe(first)
  expect(await fingerprint(datedShop(bursts))).not.toBe(first)
  const plain = { ...LONG, encoder: 'mean' }
  expect(await fingerprint(datedShop(bursts), plain)).toBe(await fingerprint(toyShop(), plain))
})

test('a checkpoint is of the same times, where they are read', () => {
  const { texts, training, fitting, validation } = datedShop(daily)
  const [all, some] = [timedHistories(training), timedHistories(fitting)]
  const data = { texts, training: all.histories, fitting: some.histories, validation }
  const options = resolveOptions('test', TRAIN_OPTIONS, LONG)
  const keyOf = (kind: TimeKind, by: number) => {
    const later = (times: readonly Float64Array[]) => times.map((one) => one.map((time) => time * by))
    return runKey({ ...data, times: { kind, training: later(all.times), fitting: some.times } }, options)
  }
  expect(keyOf('date', 1)).toBe(keyOf('date', 1))
  expect(new Set([runKey(data, options), keyOf('date', 1), keyOf('order', 1), keyOf('date', 2)]).size).toBe(4)
})

describe('times stay with their events', () => {
  // The time of every event is its person and item.
  const histories = Array.from({ length: 30 }, (_, user) =>
    Int32Array.from({ length: user % 13 }, (_event, i) => (7 * user + 3 * i) % 50),
  )
  const when = (user: number, item: number) => 1000 * user + item
  const times = histories.map((items, user) => Float64Array.from(items, (item) => when(user, item)))

  test('in packed rows', () => {
    const packed = packEpoch(histories, 5, random(3), times)
    expect(packed.times).toHaveLength(packed.events.length)
    const part = rowsOf(packed, 1, packed.rows, packed.rows)
    for (const one of [packed, part]) {
      for (const [at, segment] of one.segments.entries()) {
        if (segment >= 0) expect(one.times![at] % 1000).toBe(one.events[at])
        else expect(one.times![at]).toBe(0)
        const isNext = at % 5 > 0 && segment >= 0 && segment === one.segments[at - 1]
        if (isNext) expect(Math.floor(one.times![at] / 1000)).toBe(Math.floor(one.times![at - 1] / 1000))
      }
    }
    expect(packEpoch(histories, 5, random(3)).times).toBeUndefined()
  })

  test('when items are hidden, and when the last ones are', () => {
    const hiding = hideItems(histories, 0.3, 4, times)
    for (const { visible, visibleTimes, cases } of [hiding, holdOutLast(histories, times)]) {
      for (const [user, items] of visible.entries())
        expect([...visibleTimes![user]]).toEqual(Array.from(items, (item) => when(user, item)))
      for (const { user, person } of cases)
        expect([...person.times!]).toEqual(Array.from(person.items, (item) => when(user, item)))
    }
  })

  test('when somebody takes a thing again: the first time counts', () => {
    const again: InteractionTable = {
      ...{ userIds: ['a', 'b', 'c'], itemIds: ['x', 'y'], timeKind: 'date' },
      users: Int32Array.of(0, 0, 0, 2),
      items: Int32Array.of(1, 0, 1, 0),
      times: Float64Array.of(5, 6, 7, 8),
      values: new Float32Array(4),
    }
    const { histories: taken, times: first } = timedHistories(again)
    expect(taken.map((one) => [...one])).toEqual([[1, 0], [], [0]])
    expect(first.map((one) => [...one])).toEqual([[5, 6], [], [8]])
  })
})

describe('a person as they are served', () => {
  const shape: AdapterShape = {
    ...{ textDim: 3, dim: 8, hidden: 4, layers: 2, heads: 2, length: 6, idCount: 0 },
    ...{ encoder: 'sasrec-long', timeKind: 'date' },
  }
  const items = matrix(20, 8)
  const source = random(5)
  for (let i = 0; i < items.data.length; i++) items.data[i] = source.normal() / 3
  const weights: { [name: string]: Float32Array } = {}
  const opened: Inference[] = []
  const history = Int32Array.of(3, 1, 4, 15, 9, 2, 6, 5)
  const times = Float64Array.of(0, 1, 5, 5.01, 40, 300, 301, 302).map((day) => Date.UTC(2015, 0) + day * DAY)

  beforeAll(async () => {
    for (const timeKind of ['date', 'order'] as const)
      opened.push(await Inference.open({ ...shape, timeKind }, 1))
    // Every parameter of the pass, named by what training would make.
    const sizes = { rows: 1, candidates: 5, dropout: 0, pool: new Float32Array(0), corrected: false }
    for (const { name, shape: size } of trainingStep(adapterModel(shape, sizes)).parameters) {
      const count = size.reduce((product, one) => product * one, 1)
      weights[name] = Float32Array.from({ length: count }, () => source.normal() / 2)
    }
  })
  afterAll(async () => {
    for (const one of opened) await one.close()
  })

  const personOf = async (kind: 'date' | 'order', of: Int32Array, at?: Float64Array) =>
    row(await opened[kind === 'date' ? 0 : 1].personVectors(weights, items, [of], [at]), 0)

  test('other intervals make another person, a later start does not', async () => {
    const person = await personOf('date', history, times)
    expect(
      await personOf(
        'date',
        history,
        times.map((time) => time + 400 * DAY),
      ),
    ).toEqual(person)
    const spread = times.map((time, i) => time + i * DAY)
    expect(await personOf('date', history, spread)).not.toEqual(person)
  })

  test('as many events as training read count, with their own times', async () => {
    expect(await personOf('date', history.slice(-6), times.slice(-6))).toEqual(
      await personOf('date', history, times),
    )
  })

  test('without times, dates are one moment and positions the order itself', async () => {
    expect(await personOf('date', history)).toEqual(await personOf('date', history, times.slice().fill(7)))
    const places = Float64Array.from(history.keys())
    expect(await personOf('order', history)).toEqual(await personOf('order', history, places))
    expect(
      await personOf(
        'order',
        history,
        places.map((place) => 3 * place),
      ),
    ).not.toEqual(await personOf('order', history, places))
  })

  test('few events are read in a short row, as they are in a long one', async () => {
    const long = await Inference.open({ ...shape, length: 40 }, 1)
    try {
      const places = Float32Array.from({ length: 40 * shape.dim }, () => source.normal() / 2)
      const given = { ...weights, 'person.positions': places }
      const sizes = [1, 31, 32, 33, 40]
      const people = sizes.map((size) => Int32Array.from({ length: size }, (_, i) => (size + 3 * i) % 20))
      const moments = sizes.map((size) => Float64Array.from({ length: size }, (_, i) => size * i * i * DAY))
      const together = await long.personVectors(given, items, people, moments)
      for (const [p, one] of people.entries()) {
        const alone = await long.personVectors(given, items, [one], [moments[p]])
        for (const [d, value] of alone.data.entries()) expect(value).toBeCloseTo(row(together, p)[d], 5)
      }
    } finally {
      await long.close()
    }
  })

  test('everybody gets their own times, whoever they are asked about with', async () => {
    const lengths = [8, 1, 0, 3, 6, 2, 7, 4, 5, 8, 8, 8]
    const people = lengths.map((length) => history.slice(8 - length))
    const moments = lengths.map((length, p) =>
      p % 3 === 1 ? undefined : times.slice(8 - length).map((time, i) => time + i * p * DAY),
    )
    const together = await opened[0].personVectors(weights, items, people, moments)
    for (const [p, one] of people.entries()) {
      const alone = await personOf('date', one, moments[p])
      for (const [d, value] of row(together, p).entries()) expect(value).toBeCloseTo(alone[d], 5)
    }
  })
})

test('saved and opened again it feels the same intervals; an encoder from another version is refused', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'textrec-intervals-'))
  const { adapter, hidden } = await trainAdapter(datedShop(bursts), { ...LONG, refit: false })
  try {
    const ids = Array.from({ length: ITEMS }, (_, i) => `i${i}`)
    const person = { items: Int32Array.of(0, 7, 14), times: Float64Array.of(0, DAY, 9 * DAY) }
    const scoresOf = async (one: Adapter, asked: Person) =>
      (await (await adapterScorer(one, toyShop().texts, ids)).scores([asked])).data
    const path = join(folder, 'adapter')
    await adapter.save(path)
    const again = await Adapter.load(path, { threads: 1 })
    const scores = await scoresOf(again, person)
    expect(scores).toEqual(await scoresOf(adapter, person))
    expect(scores).not.toEqual(await scoresOf(again, { ...person, times: Float64Array.of(0, DAY, DAY) }))
    // Where times are of another kind than in training they say nothing.
    const elsewhere = await adapterScorer(again, toyShop().texts, ids, 'elsewhere', 'order')
    expect((await elsewhere.scores([person])).data).toEqual(
      await scoresOf(again, { ...person, times: undefined }),
    )
    await again.close()
    const { fitted } = adapter.parts
    const shape = { ...fitted.shape, encoder: 'transformer-2040' as 'sasrec' }
    await new Adapter({ ...adapter.parts, fitted: { ...fitted, shape } }).save(path)
    await expect(Adapter.load(path)).rejects.toThrow(/reads histories by 'transformer-2040'/)
  } finally {
    await adapter.close()
    await hidden.adapter.close()
    await rm(folder, { recursive: true, force: true })
  }
})
