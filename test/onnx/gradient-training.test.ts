import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { random } from '#src/math/random.js'
import { linear, productCrossEntropy } from '#src/onnx/ops-layers.js'
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

test.each([1, 2])('three steps in one graph end where three graphs do (%i threads)', async (threads) => {
  const apart = await losses(6, { threads })
  const training = await Training.create(embeddings, { threads, seed: 4, unroll: 3 })
  for (const first of [0, 3]) {
    const each = [0, 1, 2].map((i) => embeddingBatch(first + i))
    const fed = each.flatMap((one, i) => Object.entries(one).map(([name, data]) => [`${name}#${i}`, data]))
    const { loss } = await training.step(Object.fromEntries(fed), 0.05)
    const wanted = apart.seen.slice(first, first + 3).reduce((sum, one) => sum + one, 0) / 3
    expect(loss).toBeCloseTo(wanted, 5)
  }
  const state = await training.state()
  await training.close()
  expect(state.steps).toBe(6)
  for (const [name, values] of Object.entries(apart.state.tensors)) {
    for (const [i, value] of values.entries()) expect(state.tensors[name][i]).toBeCloseTo(value, 5)
  }
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
