import { beforeAll, describe, expect, test } from 'vitest'
import { fullCandidates, sampledCandidates } from '#src/adapter/candidates.js'
import { bucketsOf } from '#src/adapter/intervals.js'
import { type AdapterShape, adapterModel } from '#src/adapter/model.js'
import { packEpoch, rowsOf } from '#src/adapter/sequences.js'
import { AdapterSteps } from '#src/adapter/steps.js'
import { matrix } from '#src/math/matrix.js'
import { random } from '#src/math/random.js'
import { type Batch, Training } from '#src/onnx/optimizer-session.js'
import type { Device } from '#src/types.js'
import { skipSoftwareGpu, useSoftwareGpu } from '../software-gpu.js'

const [ITEMS, ROWS] = [10, 3]
const shape: AdapterShape = {
  textDim: 4,
  dim: 4,
  hidden: 4,
  layers: 1,
  heads: 2,
  length: 4,
  idCount: ITEMS,
  encoder: 'sasrec',
}
const source = random(11)
const text = matrix(
  ITEMS,
  4,
  Float32Array.from({ length: ITEMS * 4 }, () => source.normal()),
)
const warm = Int32Array.from({ length: ITEMS }, (_, i) => i)
const histories = [
  [0, 1, 2, 3, 4],
  [5, 6, 7],
  [8, 9],
  [1, 3, 5],
].map((h) => Int32Array.from(h))
const candidates = fullCandidates([text], warm)
const part = rowsOf(packEpoch(histories, 4, random(1)), 0, ROWS, ROWS)
const pool = Float32Array.from({ length: 200 }, () => (source.next() < 0.2 ? 0 : 1.25))

async function train(device: Device, encoder: AdapterShape['encoder'], steps: number) {
  const sizes = {
    rows: ROWS,
    candidates: ITEMS,
    dropout: 0.2,
    pool,
    texts: candidates.texts,
    corrected: false,
  }
  const training = await Training.create(adapterModel({ ...shape, encoder }, sizes), { device, threads: 1 })
  const times = Float64Array.from(part.positions, (place) => place ** 3)
  const batch: { [name: string]: Batch[string] } = {
    ...candidates.of(part, source, 0),
    segments: part.segments,
    positions: part.positions,
    weights: part.weights,
    idMask: new Float32Array(ITEMS).fill(1),
    ...(encoder === 'sasrec-long' && { intervals: bucketsOf(times, part.segments, part.length, 'order') }),
  }
  for (const { name } of training.definition.batch) {
    if (name.startsWith('dropout')) batch[name] = BigInt64Array.of(7n)
  }
  const losses: number[] = []
  for (let i = 0; i < steps; i++) losses.push((await training.step(batch, 0.01)).loss)
  const { inPlace, parameters } = training.definition
  await training.close()
  return { losses, inPlace: inPlace.size, states: 3 * parameters.length }
}

// The way back through time reads the recurrent matrix late: one state of it is kept twice.
test.each([
  ['sasrec', 0],
  ['sasrec-long', 0],
  ['gru', 1],
  ['mean', 0],
] as const)(
  '%s: the loss starts near chance, falls, state is written in place (but for %i)',
  async (encoder, twice) => {
    const { losses, inPlace, states } = await train('cpu', encoder, 60)
    expect(losses[0]).toBeGreaterThan(1)
    expect(losses.at(-1)!).toBeLessThan(losses[0] / 2)
    expect(inPlace).toBe(states - twice)
  },
)

test('a sample offers each item once, its targets among them, with the chance that it is offered', () => {
  const sampled = sampledCandidates([text], warm, histories, 2 * ROWS * 4)
  const batch = sampled.of(part, random(3), 0) as { [name: string]: Float32Array | Int32Array }
  const ids = Array.from(batch.ids)
  // 24 places for 10 items: all are offered, so no logit is corrected.
  expect(sampled.count).toBe(ITEMS)
  expect([...ids].sort((a, b) => Number(a) - Number(b))).toEqual([...warm])
  for (const logQ of batch.logQ) expect(Number(logQ)).toBeCloseTo(0, 6)
  for (let i = 0; i < part.weights.length; i++) {
    if (part.weights[i] === 0) continue
    expect(ids[Number(batch.targets[i])]).toBe(part.targets[i])
    expect(ids[Number(batch.events[i])]).toBe(part.events[i])
  }
})

test('a small sample weighs popular items down', () => {
  const many = 1000
  const wide = matrix(many, 1)
  const everyone = Int32Array.from({ length: many }, (_, i) => i)
  const popular = Array.from({ length: 500 }, (_, i) => Int32Array.of(0, 1 + (i % (many - 1))))
  const sampled = sampledCandidates([wide], everyone, popular, 64)
  const rows = rowsOf(packEpoch(popular, 4, random(1)), 0, 8, 8)
  const batch = sampled.of(rows, random(1), 0) as { [name: string]: Float32Array | Int32Array }
  const logQ = new Map(Array.from(batch.ids, (id, i) => [Number(id), Number(batch.logQ[i])]))
  expect(logQ.get(0)).toBeCloseTo(0, 3) // half of all events: it is in every batch
  expect(Math.max(...[...logQ].filter(([id]) => id !== 0).map(([, value]) => value))).toBeLessThan(-2)
})

test.each([
  ['a sample', 4],
  ['all items', ITEMS],
])(
  'several steps in one graph learn what single steps learn, bit for bit (%s)',
  async (_, fullSoftmaxItems) => {
    const many = Array.from({ length: 20 }, (_person, i) => histories[i % histories.length])
    async function learned(unroll: number | undefined) {
      const options = {
        ...{ seed: 3, rows: 1, learningRate: 0.01, weightDecay: 0.01, dropout: 0.2, idDropout: 0.3 },
        ...{ fullSoftmaxItems, device: 'cpu' as const, threads: 1, unroll },
      }
      const steps = await AdapterSteps.create(shape, text, warm, many, options)
      const epochs: { loss: number; events: number }[] = []
      const shares: number[][] = []
      for (const epoch of [0, 1]) {
        const seen: number[] = []
        const around = <T>(work: () => Promise<T>) => work()
        epochs.push(await steps.epoch(epoch, around, (share) => seen.push(share)))
        shares.push(seen)
      }
      const state = await steps.state()
      await steps.close()
      return { epochs, state, shares }
    }
    const [single, several, unasked] = [await learned(1), await learned(3), await learned(undefined)]
    expect(several.epochs).toEqual(single.epochs)
    expect(several.state).toEqual(single.state)
    expect(unasked.state).toEqual(single.state)
    // Of an epoch's steps, as many as fill a graph are taken at once, and the rest one by one.
    const runs = (steps: number, unroll: number) => Math.floor(steps / unroll) + (steps % unroll)
    for (const [epoch, seen] of several.shares.entries()) {
      expect(seen.length).toBe(runs(single.shares[epoch].length, 3))
      expect(seen.at(-1)).toBe(1)
    }
  },
)

describe.skipIf(skipSoftwareGpu)('webgpu on a software GPU', () => {
  beforeAll(useSoftwareGpu)

  test('the whole adapter takes the same steps as on the CPU', async () => {
    const [cpu, gpu] = [await train('cpu', 'sasrec', 2), await train('webgpu', 'sasrec', 2)]
    for (const [i, loss] of cpu.losses.entries()) expect(Math.abs(gpu.losses[i] - loss)).toBeLessThan(1e-3)
  }, 180_000)
})
