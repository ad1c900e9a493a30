import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Graph } from '../../src/onnx/graph.js'
import { type Batch, Training } from '../../src/onnx/optimizer-session.js'
import { serializeModel } from '../../src/onnx/protobuf.js'
import { Session, tensor } from '../../src/onnx/session.js'
import { median, pairedRatio, ratioText } from './figures.js'
import { inChild, interleaved, type Subject } from './measure.js'
import type { BenchContext, BenchPart, BenchTable, Cell } from './part.js'
import { startTorch } from './torch.js'
import { hasTorch } from './torch-process.js'
import type { EpochInput, EpochResult } from './train-epoch.js'
import { inBatchCase, matrixOperations, sequenceCase, type TrainingCase } from './train-models.js'
import { profileStep } from './train-profile.js'

/** Training: the in-batch step beside PyTorch and beside the machine's ceiling, and the sequence model. */
export const part: BenchPart = {
  name: 'train',
  summary: 'training steps and epochs, their share of the fp32 ceiling, beside PyTorch',
  run: async (context) => [await inBatch(context), await sequences(context), await losses(context)],
}

const IN_BATCH = { batch: 1024, dim: 384, hidden: 256 } as const
const SEQUENCE = {
  rows: 32,
  dropout: 0.3,
  shape: { textDim: 256, dim: 128, hidden: 256, layers: 2, heads: 2, length: 32 },
} as const
const UNROLLED = 4
/** Place of the plain matrix product among the subjects. */
const PRODUCT = 2
/** Steps in one timed run of each subject. */
const STEPS = 4

/** Warm items, people and mean history of the two shared sets that are trained on most. */
const SHOPS = [
  { name: 'like amazon-industrial', items: 3477, people: 3283, events: 6 },
  { name: 'like movielens-small', items: 6109, people: 605, events: 78 },
] as const

async function inBatch({ threads, ceilings, quick, work, log }: BenchContext): Promise<BenchTable> {
  const one = inBatchCase(IN_BATCH)
  const single = await Training.create(one.model, { threads })
  const unrolled = await Training.create(one.model, { threads, unroll: UNROLLED })
  const product = await squareProduct(threads)
  const torch = hasTorch() ? await startTorch(one, folderOf(work, 'torch'), threads) : undefined
  if (torch === undefined) log("Debian's python3-torch is not installed: PyTorch is left out.")
  const operations = matrixOperations(single.definition.graph)
  try {
    const { loss } = await single.step(one.batch, 1e-3)
    const copies = Array.from({ length: UNROLLED }, (_, i) =>
      Object.entries(one.batch).map(([name, data]) => [`${name}#${i}`, data]),
    )
    const several: Batch = Object.fromEntries(copies.flat())
    const subjects: Subject[] = [
      { name: 'textrec', run: () => repeat(STEPS, () => single.step(one.batch, 1e-3)) },
      {
        name: `textrec, ${UNROLLED} steps in one graph`,
        run: () => repeat(STEPS / UNROLLED, () => unrolled.step(several, 1e-3)),
      },
      {
        name: 'a matrix product of as many operations',
        run: () => repeat(STEPS, product.run),
      },
      ...(torch === undefined ? [] : [{ name: `PyTorch ${torch.version}`, run: () => torch.run(STEPS) }]),
    ]
    // The product's time is stretched to as many operations as a step has.
    const scale = subjects.map((_, at) => (at === PRODUCT ? operations / product.operations : 1) / STEPS)
    const times = (await interleaved(subjects, quick ? 6 : 30)).map((all, at) =>
      all.map((ms) => ms * scale[at]),
    )
    const rows = subjects.map(({ name }, at): Cell[] => {
      const ms = median(times[at])
      return [
        name,
        ms,
        (one.examples / ms) * 1000,
        (100 * operations) / ms / 1e6 / ceilings.fp32Gflops,
        100 * pairedRatio(times[PRODUCT], times[at]).ratio,
        at === 0 ? undefined : ratioText(pairedRatio(times[at], times[0])),
      ]
    })
    return {
      title: `In-batch softmax step: ${IN_BATCH.batch} examples, ${IN_BATCH.dim} numbers, residual head of ${IN_BATCH.hidden}, logQ`,
      columns: [
        { name: 'step' },
        { name: 'time', unit: 'ms' },
        { name: 'examples', unit: '/s' },
        { name: 'of the fp32 ceiling', unit: '%' },
        { name: 'of the product beside it', unit: '%' },
        { name: 'time / textrec' },
      ],
      rows,
      notes: [
        `${(operations / 1e9).toFixed(2)} GFLOP of matrix products a step: forward, backward, clipping and AdamW. Medians of rounds in turn; ratios are paired, with 95 % intervals.`,
        ...(torch === undefined
          ? ["PyTorch is left out: Debian's python3-torch is not installed."]
          : [
              `First loss from the same weights and batch: ${loss.toFixed(5)} here, ${torch.firstLoss.toFixed(5)} in PyTorch, with ${torch.products}.`,
            ]),
      ],
    }
  } finally {
    for (const held of [single, unrolled, product, torch]) await held?.close()
  }
}

async function sequences(context: BenchContext): Promise<BenchTable> {
  const { threads, ceilings, quick, work, log } = context
  const rows: Cell[][] = []
  const firstLosses: string[] = []
  for (const { name, ...shop } of quick ? SHOPS.slice(0, 1) : SHOPS) {
    log(`sequence model ${name}`)
    const one = sequenceCase({ ...SEQUENCE, items: shop.items })
    const training = await Training.create(one.model, { threads })
    const torch = hasTorch() ? await startTorch(one, folderOf(work, `torch ${name}`), threads) : undefined
    const operations = matrixOperations(training.definition.graph)
    const { loss } = await training.step(one.batch, 1e-3)
    const [times, others] = await interleaved(
      [
        { name, run: () => training.step(one.batch, 1e-3) },
        ...(torch === undefined ? [] : [{ name: `PyTorch ${torch.version}`, run: () => torch.run(1) }]),
      ],
      quick ? 4 : 15,
    )
    await training.close()
    await torch?.close()
    if (torch !== undefined) {
      firstLosses.push(
        `${name} ${loss.toFixed(5)} here, ${torch.firstLoss.toFixed(5)} in PyTorch with ${torch.products}`,
      )
    }
    const ms = median(times)
    const input: EpochInput = { ...shop, threads, epochs: quick ? 1 : 3 }
    const epoch = await inChild<EpochResult>(
      new URL('./train-epoch.js', import.meta.url),
      'trainEpochs',
      input,
    )
    rows.push([
      name,
      ms,
      (one.examples / ms) * 1000,
      (100 * operations) / ms / 1e6 / ceilings.fp32Gflops,
      others === undefined ? undefined : ratioText(pairedRatio(others, times)),
      median(epoch.result.seconds),
      epoch.result.events / median(epoch.result.seconds),
      epoch.peakBytes / 2 ** 20,
    ])
  }
  return {
    title: 'Sequence model (2 layers of 128, rows of 32 events, full softmax over warm items)',
    columns: [
      { name: 'shop' },
      { name: 'step', unit: 'ms' },
      { name: 'events of full rows', unit: '/s' },
      { name: 'of the fp32 ceiling', unit: '%' },
      { name: 'PyTorch / textrec' },
      { name: 'epoch', unit: 's' },
      { name: 'events of an epoch', unit: '/s' },
      { name: 'peak memory', unit: 'MiB' },
    ],
    rows,
    notes: [
      'An epoch packs short histories together; its events are those that were predicted. Memory is that of a process which does nothing else.',
      ...(firstLosses.length === 0
        ? ["PyTorch is left out: Debian's python3-torch is not installed."]
        : [`First loss from the same weights, batch and dropout: ${firstLosses.join('; ')}.`]),
    ],
  }
}

/** Where a step's time goes. */
async function losses({ threads, ceilings, quick, work }: BenchContext): Promise<BenchTable> {
  const cases: readonly TrainingCase[] = [
    inBatchCase(IN_BATCH),
    ...SHOPS.slice(0, quick ? 1 : 2).map(({ name, items }) => ({
      ...sequenceCase({ ...SEQUENCE, items }),
      name: `sequence model ${name}`,
    })),
  ]
  const rows: Cell[][] = []
  const notes: string[] = []
  for (const [i, one] of cases.entries()) {
    const times = await profileStep(one, folderOf(work, `profile-${i}`), { threads, steps: quick ? 5 : 20 })
    for (const { operator, count, share, gflops } of times.slice(0, 6)) {
      rows.push([one.name, operator, count, 100 * share, gflops])
    }
    const lost = times.map(({ operator, share, gflops }) => ({
      operator: gflops === undefined ? operator : 'matrix products below the ceiling',
      share: gflops === undefined ? share : share * Math.max(0, 1 - gflops / ceilings.fp32Gflops),
    }))
    const largest = lost.reduce((most, kind) => (kind.share > most.share ? kind : most))
    notes.push(
      `${one.name}: the largest loss is ${largest.operator}, ${(100 * largest.share).toFixed(0)} % of the time.`,
    )
  }
  return {
    title: 'Where the time of a step goes (ONNX Runtime profile, fastest run of each kernel)',
    columns: [
      { name: 'step' },
      { name: 'operator' },
      { name: 'nodes' },
      { name: 'of the time', unit: '%' },
      { name: 'reached', unit: 'GFLOP/s' },
    ],
    rows,
    notes,
  }
}

/** A product of 1,024 x 1,024 matrices, over and over. */
async function squareProduct(threads: number) {
  const size = 1024
  const graph = new Graph('product')
  const x = graph.input('x', 'float32', [size, size])
  const weight = graph.constant('w', new Float32Array(size * size).fill(0.5), [size, size])
  graph.output('y', graph.node('MatMul', [x, weight], { shape: [size, size] }))
  const session = await Session.create(serializeModel(graph), { threads })
  const feeds = { x: tensor('float32', new Float32Array(size * size).fill(0.5), [size, size]) }
  return {
    /** Operations of one product. */
    operations: 2 * size ** 3,
    run: () => session.run(feeds),
    close: () => session.close(),
  }
}

async function repeat(times: number, job: () => Promise<unknown>): Promise<void> {
  for (let i = 0; i < times; i++) await job()
}

function folderOf(work: string, name: string): string {
  const folder = join(work, name)
  mkdirSync(folder, { recursive: true })
  return folder
}
