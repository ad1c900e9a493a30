import { Training } from '../../src/onnx/optimizer-session.js'
import { median, pairedRatio, ratioText } from './figures.js'
import { inChild, interleaved } from './measure.js'
import type { BenchContext, BenchPart, BenchTable, Cell } from './part.js'
import { startTorch } from './torch.js'
import { hasTorch } from './torch-process.js'
import type { EpochInput, EpochResult } from './train-epoch.js'
import {
  folderOf,
  IN_BATCH,
  IN_ONE_GRAPH,
  inBatch,
  ONE_A_GRAPH,
  repeat,
  stepsOf,
  UNROLLED,
} from './train-in-batch.js'
import { inBatchCase, matrixOperations, sampledCase, sequenceCase, type TimedCase } from './train-models.js'
import { profileStep } from './train-profile.js'

/** Training: the in-batch step beside PyTorch and beside the machine's ceiling, and the sequence model. */
export const part: BenchPart = {
  name: 'train',
  summary: 'training steps and epochs, their share of the fp32 ceiling, beside PyTorch',
  run: async (context) => [
    ...(await inBatch(context)),
    await sequences(context),
    await largeCatalogue(context),
    await losses(context),
  ],
}

const SEQUENCE = {
  rows: 32,
  dropout: 0.3,
  shape: { textDim: 256, dim: 128, hidden: 256, layers: 2, heads: 2, length: 32 },
} as const
/** Warm items, people and mean history of the two shared sets that are trained on most. */
const SHOPS = [
  { name: 'like amazon-industrial', items: 3477, people: 3283, events: 6 },
  { name: 'like movielens-small', items: 6109, people: 605, events: 78 },
] as const
/** Beyond what a softmax over all items is taken of. */
const LARGE = { name: 'large catalogue', items: 60_000, people: 5_000, events: 20 } as const

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
        ...(torch === undefined
          ? []
          : [{ name: `PyTorch ${torch.version}`, run: () => torch.run(1), settled: () => torch.settled() }]),
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
  const cases: readonly TimedCase[] = [
    inBatchCase(IN_BATCH),
    ...SHOPS.slice(0, quick ? 1 : 2).map(({ name, items }) => ({
      ...sequenceCase({ ...SEQUENCE, items }),
      name: `sequence model ${name}`,
    })),
    sampledCase({ ...SEQUENCE, items: LARGE.items }),
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

/**
 * Steps of a catalogue too large for every item to be a candidate of every step, as training takes them: several in one
 * graph, candidates a sample, and of the table of IDs the rows that the steps look at.
 */
async function largeCatalogue({ threads, ceilings, quick, log }: BenchContext): Promise<BenchTable> {
  const { name, ...shop } = LARGE
  log(name)
  const one = sampledCase({ ...SEQUENCE, items: shop.items })
  const training = await Training.create(one.model, { threads, unroll: UNROLLED })
  const operations = matrixOperations(training.definition.graph)
  const several = stepsOf(training, one.batch, UNROLLED)
  const single = stepsOf(training, one.batch, 1)
  const times = await interleaved(
    [
      { name: IN_ONE_GRAPH, run: several },
      { name: ONE_A_GRAPH, run: () => repeat(UNROLLED, single) },
    ],
    quick ? 3 : 12,
  )
  await training.close()
  const input: EpochInput = { ...shop, people: quick ? shop.people / 10 : shop.people, threads, epochs: 1 }
  const epoch = await inChild<EpochResult>(new URL('./train-epoch.js', import.meta.url), 'trainEpochs', input)
  const rows = [IN_ONE_GRAPH, ONE_A_GRAPH].map((subject, at): Cell[] => {
    const ms = median(times[at]) / UNROLLED
    return [
      subject,
      ms,
      (one.examples / ms) * 1000,
      (100 * operations) / ms / 1e6 / ceilings.fp32Gflops,
      at === 0 ? undefined : ratioText(pairedRatio(times[at], times[0])),
    ]
  })
  const seconds = median(epoch.result.seconds)
  return {
    title: `Large catalogue (${shop.items} items, ${one.candidates} of them candidates of a step of ${one.examples} events)`,
    columns: [
      { name: 'step' },
      { name: 'time', unit: 'ms' },
      { name: 'events of full rows', unit: '/s' },
      { name: 'of the fp32 ceiling', unit: '%' },
      { name: 'time / as training takes them' },
    ],
    rows,
    notes: [
      `An epoch of ${epoch.result.events} events in ${epoch.result.steps} runs of a graph takes ${seconds.toFixed(1)} s and at most ${Math.round(epoch.peakBytes / 2 ** 20)} MiB, in a process of its own.`,
      'ONNX Runtime copies out what a run of a graph gives out, also what it wrote in place: several steps in one graph pay for that once. The table of IDs is beside the graph; its rows that the steps look at go in and out.',
    ],
  }
}
