import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Recommender } from 'textrec'
import { random } from '../../src/math/random.js'
import { fillProject, type RealVectors, realVectors } from './catalogue.js'
import { embedInChild } from './encode-memory.js'
import { fittedGrowth, type Growth, growthText, median } from './figures.js'
import { timedImport } from './import.js'
import type { Built, IndexJob } from './index-child.js'
import { inChild, timed } from './measure.js'
import type { BenchContext, BenchPart, BenchTable, Cell } from './part.js'
import type { EpochInput, EpochResult } from './train-epoch.js'

const INDEX_CHILD = new URL('./index-child.js', import.meta.url)
const EPOCH_CHILD = new URL('./train-epoch.js', import.meta.url)
/** Every size is measured so often, all sizes in turn: an exponent without its interval says little. */
const RUNS = 2
/** What n log n comes to as an exponent over the sizes measured here, with room for noise. */
const N_LOG_N = 1.2
const WRITTEN_AGAIN =
  'every half million rows touch all pages of the table, so bytes written grow as the square of n beyond that: the part import shows them for each row, with --size up to ten million'

interface Taken {
  readonly milliseconds: number
  /** Absent where the time is that of one question in a process that does other things. */
  readonly peakBytes?: number
}

/** Something that takes longer the more there is of it. */
interface Grower {
  readonly name: string
  readonly counted: string
  readonly sizes: readonly number[]
  /** What is known of a growth that is worse than n log n. */
  readonly why?: string
  /** @param run from 0; runs of one size begin alike */
  measure(size: number, run: number): Promise<Taken>
}

/** All measurements of one grower: size i beside what it took. */
interface Series {
  readonly sizes: number[]
  readonly taken: Taken[]
}

export const part: BenchPart = {
  name: 'growth',
  summary: 'time and memory at three sizes, with the exponents that fit them',
  async run(context): Promise<readonly BenchTable[]> {
    const real = await realVectors(undefined, join(context.work, 'real'))
    const rows: Cell[][] = []
    const reasons: string[] = []
    for (const grower of growers(context, real)) {
      const series: Series = { sizes: [], taken: [] }
      for (let run = 0; run < RUNS; run++) {
        for (const size of grower.sizes) {
          context.log(`${grower.name}, ${size} ${grower.counted}, run ${run + 1}`)
          series.sizes.push(size)
          series.taken.push(await grower.measure(size, run))
        }
      }
      rows.push(rowOf(grower, series))
      if (grower.why !== undefined) reasons.push(`${grower.name}: ${grower.why}`)
    }
    return [
      {
        title: 'Growth',
        columns: [
          { name: 'what' },
          { name: 'sizes' },
          { name: 'times', unit: 'ms' },
          { name: 'time grows as n to the' },
          { name: 'peak memory', unit: 'MB' },
          { name: 'memory as n to the' },
          { name: 'worse than n log n' },
        ],
        rows,
        notes: [
          `Exponents by least squares over logarithms, with their 95 % intervals from ${RUNS} runs of each size: 1 is linear, n log n comes to about 1.1 here. Memory is that of the whole process, Node included. Named as worse where the exponent is beyond ${N_LOG_N}, with a question mark where its interval is not.`,
          ...reasons,
        ],
      },
    ]
  },
}

function rowOf({ name, counted, sizes }: Grower, series: Series): Cell[] {
  const times = series.taken.map(({ milliseconds }) => milliseconds)
  const peaks = series.taken.flatMap(({ peakBytes }) => (peakBytes === undefined ? [] : [peakBytes]))
  const time = fittedGrowth(series.sizes, times)
  const memory = peaks.length === times.length ? fittedGrowth(series.sizes, peaks) : undefined
  const of = (values: readonly number[], size: number) =>
    median(values.filter((_, i) => series.sizes[i] === size))
  return [
    name,
    `${sizes.map((size) => size.toLocaleString('en-US')).join(' / ')} ${counted}`,
    sizes.map((size) => of(times, size).toPrecision(3)).join(' / '),
    growthText(time),
    memory && sizes.map((size) => Math.round(of(peaks, size) / 2 ** 20)).join(' / '),
    memory && growthText(memory),
    [worse('time', time), memory && worse('memory', memory)].filter(Boolean).join(' '),
  ]
}

/** What is said of an exponent beyond that of n log n: 'time', 'time?' where its interval reaches below, or nothing. */
function worse(name: string, { exponent, low }: Growth): string {
  if (exponent <= N_LOG_N) return ''
  return low > N_LOG_N ? name : `${name}?`
}

function growers(context: BenchContext, real: RealVectors): Grower[] {
  const { quick, work, threads } = context
  const sizes = (largest: number) => [largest / 16, largest / 4, largest]
  const path = join(work, 'real.bin')
  writeFileSync(path, new Uint8Array(real.vectors.data.buffer as ArrayBuffer))
  const job = (kind: IndexJob['kind'], items: number, run: number): IndexJob => ({
    real: path,
    dim: real.vectors.dim,
    items,
    kind,
    folder: join(work, `index-${items}-${run}`),
    queries: 100,
  })
  const indexes = (['exact', 'hnsw'] as const).flatMap((kind): Grower[] => {
    const common = { counted: 'items', sizes: sizes(quick ? 2000 : 32_000) }
    return [
      {
        ...common,
        name: `building an index, ${kind}`,
        measure: async (items, run) => {
          const { result, peakBytes } = await inChild<Built>(INDEX_CHILD, 'build', job(kind, items, run))
          return { milliseconds: result.seconds * 1000, peakBytes }
        },
      },
      {
        ...common,
        name: `one query, ${kind}`,
        measure: async (items, run) => {
          const { result, peakBytes } = await inChild<number>(INDEX_CHILD, 'ask', job(kind, items, run))
          return { milliseconds: result, peakBytes }
        },
      },
    ]
  })
  const imports = (['by person', 'by time'] as const).map(
    (order): Grower => ({
      name: `importing interactions ${order}`,
      ...(order === 'by time' && { why: WRITTEN_AGAIN }),
      counted: 'rows',
      sizes: sizes(quick ? 32_000 : 1_600_000),
      measure: async (rows, run) => {
        const folder = join(work, `import-${run}`)
        mkdirSync(folder, { recursive: true })
        const { seconds, peakMegabytes } = await timedImport({ work: folder }, rows, order)
        return { milliseconds: seconds * 1000, peakBytes: peakMegabytes * 2 ** 20 }
      },
    }),
  )
  const answers = ['learn', 'first', 'known'] as const
  const asked = {
    learn: 'the first answer of all',
    first: 'open and first answer',
    known: 'one recommendation',
  }
  return [
    {
      name: 'encoding texts',
      counted: 'texts',
      sizes: sizes(quick ? 800 : 16_000),
      measure: (texts, run) => embedInChild({ work, threads, texts, run }),
    },
    ...imports,
    ...indexes,
    {
      name: 'a training epoch',
      counted: 'items and people',
      sizes: sizes(quick ? 400 : 8000),
      why: 'every step scores every warm item, so people times items; beyond 50,000 items it scores a sample of fixed size',
      measure: async (items) => {
        const input: EpochInput = { items, people: items, events: 10, threads, epochs: 1 }
        const { result, peakBytes } = await inChild<EpochResult>(EPOCH_CHILD, 'trainEpochs', input)
        return { milliseconds: result.seconds[0] * 1000, peakBytes }
      },
    },
    ...answers.map(
      (question): Grower => ({
        name: asked[question],
        counted: 'items and people',
        sizes: sizes(quick ? 1600 : 32_000),
        measure: async (items, run) => {
          const folder = join(work, `project-${items}-${run}`)
          // Each question leaves behind what the next one starts from.
          if (question === 'learn') {
            await fillProject(folder, real, { items, people: items, events: 10 }, random(1))
          }
          const { result, peakBytes } = await inChild<number>(new URL(import.meta.url), 'answer', {
            folder,
            repeat: question === 'known' ? 200 : 0,
          })
          return { milliseconds: result, peakBytes }
        },
      }),
    ),
  ]
}

/** Runs in a process of its own. @returns milliseconds of opening and the first answer, or of one of `repeat` others */
export async function answer(input: { folder: string; repeat: number }): Promise<number> {
  let shop!: Recommender
  const ask = (i: number) => shop.recommend({ user: `person-${i}`, k: 10 })
  const first = await timed(async () => {
    shop = await Recommender.open(input.folder)
    await ask(0)
  })
  const rest = await timed(async () => {
    for (let i = 1; i <= input.repeat; i++) await ask(i % 100)
  })
  await shop.close()
  return input.repeat === 0 ? first : rest / input.repeat
}
