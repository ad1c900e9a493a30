import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { random, shuffle } from '#src/math/random.js'
import { cosineCrossEntropy, geluPerceptron, linear, productCrossEntropy } from '#src/onnx/ops-layers.js'
import { type TrainingModel, trainingStep } from '#src/onnx/optimizer.js'
import { type Batch, Training, type TrainingOptions } from '#src/onnx/optimizer-session.js'
import { skipSoftwareGpu, useSoftwareGpu } from '../software-gpu.js'

interface Recorded {
  readonly options: { readonly weightDecay: number; readonly clipNorm: number; readonly rate: number }
  readonly x: number[]
  readonly y: number[]
  readonly shapes: { readonly [name: string]: number[] }
  readonly start: { readonly [name: string]: number[] }
  readonly losses: number[]
  readonly norms: number[]
  readonly end: { readonly [name: string]: number[] }
}
const recorded = JSON.parse(
  readFileSync(new URL('../fixtures/adamw.json', import.meta.url), 'utf8'),
) as Recorded

/** The classifier of scripts/fixtures/adamw.py. Class embeddings are looked up by target. */
const classifier: TrainingModel = {
  name: 'classifier',
  loss: ({ ops, parameter, batch }) => {
    const of = (name: string) =>
      parameter(name, recorded.shapes[name], { data: Float32Array.from(recorded.start[name]) })
    const [w1, b1, w2, t] = ['w1', 'b1', 'w2', 't'].map(of)
    const hidden = ops.gelu(linear(ops, batch('x', 'float32', [8, 4]), w1, b1))
    const weights = ops.graph.constant('weights', new Float32Array(8).fill(1), [8, 1])
    const classes = ops.transpose(w2, [1, 0])
    return productCrossEntropy(ops, ops.mul(hidden, t), classes, batch('y', 'int32', [8]), weights)
  },
}
const batch: Batch = { x: Float32Array.from(recorded.x), y: Int32Array.from(recorded.y) }
const { rate, ...adam } = recorded.options

/** An embedding table with duplicates in the batch, a shared matrix and a loss: what a real model has. */
const embeddings: TrainingModel = {
  name: 'embeddings',
  loss: ({ ops, parameter, batch }) => {
    const table = parameter('table', [20, 8], { deviation: 0.5 })
    const w = parameter('w', [8, 8], { deviation: 0.3 })
    const picked = ops.gatherRows(table, batch('from', 'int32', [32]))
    const hidden = ops.tanh(ops.matmul(ops.relu(ops.matmul(picked, w)), w))
    const weights = ops.graph.constant('weights', new Float32Array(32).fill(1), [32, 1])
    return productCrossEntropy(ops, hidden, table, batch('to', 'int32', [32]), weights)
  },
}
function embeddingBatch(step: number): Batch {
  const source = random(100 + step)
  const draw = () => Int32Array.from({ length: 32 }, () => source.integer(source.next() < 0.7 ? 3 : 20))
  return { from: draw(), to: draw() }
}
async function losses(steps: number, options: Partial<TrainingOptions>) {
  const training = await Training.create(embeddings, { threads: 1, seed: 4, ...options })
  const seen: number[] = []
  for (let i = training.steps; i < steps; i++) {
    seen.push((await training.step(embeddingBatch(i), 0.05)).loss)
  }
  const state = await training.state()
  await training.close()
  return { seen, state }
}

test('AdamW with clipping takes the same steps as PyTorch', async () => {
  const training = await Training.create(classifier, { threads: 1, adam })
  for (const [i, loss] of recorded.losses.entries()) {
    const step = await training.step(batch, rate)
    expect(step.loss).toBeCloseTo(loss, 5)
    expect(step.norm).toBeCloseTo(recorded.norms[i], 4)
  }
  const weights = await training.weights()
  for (const [name, end] of Object.entries(recorded.end)) {
    for (const [i, value] of end.entries()) expect(weights[name][i]).toBeCloseTo(value, 4)
  }
  await training.close()
})

test('with clipping every state is written in place, and that changes no bit', async () => {
  const clipped = trainingStep(embeddings)
  expect(clipped.inPlace.size).toBe(3 * clipped.parameters.length)
  const [inPlace, apart] = [
    await losses(12, { threads: 2 }),
    await losses(12, { threads: 2, inPlace: false }),
  ]
  expect(inPlace.seen).toEqual(apart.seen)
  expect(inPlace.state).toEqual(apart.state)
  expect(inPlace.seen.at(-1)!).toBeLessThan(inPlace.seen[0] * 0.9)
})

test('without clipping, a weight that other gradients still need is not overwritten', async () => {
  const free = trainingStep(embeddings, { clipNorm: 0 })
  // The gradient of the table flows back through w after w's own update could have run.
  expect(free.inPlace.has('w:w')).toBe(false)
  expect(free.inPlace.has('m:w')).toBe(true)
  const options = { adam: { clipNorm: 0 }, threads: 2 }
  expect((await losses(6, options)).seen).toEqual((await losses(6, { ...options, inPlace: false })).seen)
})

test('a run resumed from its state takes the very same steps', async () => {
  const whole = await losses(8, {})
  const first = await losses(5, {})
  const rest = await losses(8, { state: first.state })
  expect([...first.seen, ...rest.seen]).toEqual(whole.seen)
  expect(rest.state).toEqual(whole.state)
})

/** A table of which a step looks at few rows, and layers of which it looks at all: what sampled candidates are trained with. */
const lookups: TrainingModel = {
  name: 'lookups',
  loss: ({ ops, parameter, rows, batch }) => {
    const table = rows('table', [50, 8], { deviation: 0.5 }, 'ids', 12)
    const events = ops.gatherRows(table, batch('from', 'int32', [16]))
    const [w, v] = ['w', 'v'].map((name) => parameter(name, [8, 8], { deviation: 0.3 }))
    const [b, c] = ['b', 'c'].map((name) => parameter(name, [8], { fill: 0 }))
    const persons = geluPerceptron(ops, events, [w, b, v, c], (hidden) => ops.mul(hidden, 2))
    const weights = ops.graph.constant('weights', new Float32Array(16).fill(1), [16, 1])
    const logQ = Float32Array.from({ length: 12 }, (_, i) => -i / 10)
    const offsets = ops.graph.constant('logQ', logQ, [1, 12])
    const targets = batch('to', 'int32', [16])
    const length = parameter('length', [], { fill: 3 })
    return cosineCrossEntropy(ops, persons, length, { table, targets, weights, offsets })
  },
}
function lookupBatch(step: number): Batch {
  const source = random(200 + step)
  const draw = () => Int32Array.from({ length: 16 }, () => source.integer(12))
  const ids = Int32Array.from(
    shuffle(
      Array.from({ length: 50 }, (_, i) => i),
      source,
    ).slice(0, 12),
  )
  return { ids, from: draw(), to: draw() }
}
const UNROLL = 3
const rateOf = (step: number) => 0.01 * (step + 1)

async function lossesOf(
  [model, batchOf]: readonly [TrainingModel, (step: number) => Batch],
  { groups, ...options }: Partial<TrainingOptions> & { readonly groups: readonly number[] },
) {
  const training = await Training.create(model, { threads: 1, seed: 4, ...options })
  const seen: { loss: number; norm: number }[] = []
  for (const size of groups) {
    const steps = Array.from({ length: size }, (_, i) => training.steps + i)
    seen.push(...(await training.several(steps.map(batchOf), steps.map(rateOf))))
  }
  const state = await training.state()
  await training.close()
  return { seen, state }
}

describe.each([
  ['whole tables', [embeddings, embeddingBatch] as const],
  ['few rows of a table', [lookups, lookupBatch] as const],
])('steps in one graph, %s', (_, subject) => {
  test.each([1, 2])('give the losses, norms and state of single steps (%i threads)', async (threads) => {
    const apart = await lossesOf(subject, { threads, groups: [1, 1, 1, 1, 1, 1, 1] })
    const together = await lossesOf(subject, { threads, unroll: UNROLL, groups: [3, 1, 3] })
    expect(together).toEqual(apart)
    expect(together.state.steps).toBe(7)
    expect(together.seen.at(-1)!.loss).not.toBe(together.seen[0].loss)
  })

  test('a run resumed between two graphs takes the very same steps', async () => {
    const whole = await lossesOf(subject, { unroll: UNROLL, groups: [3, 3, 1] })
    const first = await lossesOf(subject, { unroll: UNROLL, groups: [3] })
    const rest = await lossesOf(subject, { unroll: UNROLL, state: first.state, groups: [3, 1] })
    expect([...first.seen, ...rest.seen]).toEqual(whole.seen)
    expect(rest.state).toEqual(whole.state)
  })

  test('write state in place, and that changes no bit', async () => {
    const { inPlace, parameters } = trainingStep(subject[0], {}, UNROLL)
    expect(inPlace.size).toBe(3 * parameters.length)
    const options = { threads: 2, unroll: UNROLL, groups: [3, 3] }
    const apart = await lossesOf(subject, { ...options, inPlace: false })
    expect(await lossesOf(subject, options)).toEqual(apart)
  })
})

test('another number of steps than there is a graph for is refused', async () => {
  const training = await Training.create(embeddings, { threads: 1, unroll: UNROLL })
  const two = [embeddingBatch(0), embeddingBatch(1)]
  await expect(training.several(two, [0.1, 0.1])).rejects.toThrow(/no graph of 2 steps/)
  await expect(training.several(two.slice(1), [])).rejects.toThrow(/1 steps with 0 rates/)
  await training.close()
})

test('rows that a step does not look at stay as they are, those it does are trained as a whole table is', async () => {
  const dense: TrainingModel = {
    name: 'dense',
    loss: (scope) =>
      lookups.loss({
        ...scope,
        rows: (name, shape, initial, index, count) =>
          scope.ops.gatherRows(scope.parameter(name, shape, initial), scope.batch(index, 'int32', [count])),
      }),
  }
  const one = { groups: [1] }
  const [whole, few] = [
    await lossesOf([dense, lookupBatch], one),
    await lossesOf([lookups, lookupBatch], one),
  ]
  expect(few.seen[0].loss).toBeCloseTo(whole.seen[0].loss, 6)
  expect(few.seen[0].norm).toBeCloseTo(whole.seen[0].norm, 6)
  const start = await lossesOf([lookups, lookupBatch], { groups: [] })
  const ids = new Set(lookupBatch(0).ids as Int32Array)
  for (const kind of ['w', 'm', 'v']) {
    const [was, is, dense] = [start, few, whole].map(({ state }) => state.tensors[`${kind}:table`])
    for (let at = 0; at < is.length; at++) {
      if (ids.has(Math.floor(at / 8))) expect(is[at]).toBeCloseTo(dense[at], 6)
      else expect(is[at]).toBe(was[at])
    }
    expect(is).not.toEqual(was)
  }
})

test('a step that names a row of a table twice is refused', async () => {
  const training = await Training.create(lookups, { threads: 1 })
  const batch = { ...lookupBatch(0), ids: Int32Array.from({ length: 12 }, (_, i) => Math.min(i, 10)) }
  await expect(training.step(batch, 0.1)).rejects.toThrow(/row twice in 'ids'/)
  await training.close()
})

test('the seed decides the start', async () => {
  const [a, b, c] = [await losses(1, { seed: 7 }), await losses(1, { seed: 7 }), await losses(1, { seed: 8 })]
  expect(a.seen).toEqual(b.seen)
  expect(a.seen).not.toEqual(c.seen)
})

test('a batch or a state of the wrong size is refused', async () => {
  const training = await Training.create(embeddings, { threads: 1 })
  await expect(training.step({ from: new Int32Array(3), to: new Int32Array(32) }, 0.1)).rejects.toThrow(
    /3 numbers for 'from' of shape \[32\]/,
  )
  await training.close()
  const state = { steps: 1, tensors: { 'w:table': new Float32Array(3) } }
  await expect(Training.create(embeddings, { state })).rejects.toThrow(/3 numbers for 'w:table'/)
})

describe.skipIf(skipSoftwareGpu)('webgpu on a software GPU', () => {
  beforeAll(useSoftwareGpu)

  test('steps in one graph, with rows of a table, give the losses of the CPU', async () => {
    const subject = [lookups, lookupBatch] as const
    const groups = [UNROLL, 1]
    const cpu = await lossesOf(subject, { groups, unroll: UNROLL })
    const gpu = await lossesOf(subject, { groups, unroll: UNROLL, device: 'webgpu' })
    for (const [i, { loss }] of cpu.seen.entries())
      expect(Math.abs(gpu.seen[i].loss - loss)).toBeLessThan(1e-3)
    for (const [name, values] of Object.entries(cpu.state.tensors)) {
      for (const [i, value] of values.entries()) {
        expect(Math.abs(gpu.state.tensors[name][i] - value)).toBeLessThan(1e-3)
      }
    }
  }, 240_000)

  test('the same steps give the same losses as on the CPU, with the state on the device', async () => {
    const [cpu, gpu] = [await losses(3, {}), await losses(3, { device: 'webgpu' })]
    for (const [i, loss] of cpu.seen.entries()) expect(Math.abs(gpu.seen[i] - loss)).toBeLessThan(1e-3)
    for (const [name, values] of Object.entries(cpu.state.tensors)) {
      if (!name.startsWith('w:')) continue
      for (const [i, value] of values.entries()) {
        expect(Math.abs(gpu.state.tensors[name][i] - value)).toBeLessThan(1e-3)
      }
    }
  }, 120_000)
})
