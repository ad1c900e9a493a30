import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Recommender } from 'textrec'
import { random } from '../../src/math/random.js'
import { fillProject, type RealVectors, realVectors } from './catalogue.js'
import { embedInChild } from './encode-memory.js'
import { fittedExponent } from './figures.js'
import { timedImport } from './import.js'
import type { Built, IndexJob } from './index-child.js'
import { inChild, timed } from './measure.js'
import type { BenchContext, BenchPart, BenchTable, Cell } from './part.js'

const INDEX_CHILD = new URL('./index-child.js', import.meta.url)
/** What n log n comes to as an exponent over the sizes measured here, with room for noise. */
const N_LOG_N = 1.2

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
  measure(size: number): Promise<Taken>
}

export const part: BenchPart = {
  name: 'growth',
  summary: 'time and memory at three sizes, with the exponents that fit them',
  async run(context): Promise<readonly BenchTable[]> {
    const real = await realVectors(undefined, join(context.work, 'real'))
    const rows: Cell[][] = []
    for (const grower of growers(context, real)) {
      const taken: Taken[] = []
      for (const size of grower.sizes) {
        context.log(`${grower.name}, ${size} ${grower.counted}`)
        taken.push(await grower.measure(size))
      }
      rows.push(rowOf(grower, taken))
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
          'Exponents by least squares over logarithms: 1 is linear. Memory is that of the whole process, Node included.',
        ],
      },
    ]
  },
}

function rowOf({ name, counted, sizes }: Grower, taken: readonly Taken[]): Cell[] {
  const times = taken.map(({ milliseconds }) => milliseconds)
  const peaks = taken.flatMap(({ peakBytes }) => (peakBytes === undefined ? [] : [peakBytes]))
  const exponent = fittedExponent(sizes, times)
  return [
    name,
    `${sizes.map((size) => size.toLocaleString('en-US')).join(' / ')} ${counted}`,
    times.map((time) => time.toPrecision(3)).join(' / '),
    exponent.toFixed(2),
    peaks.map((bytes) => Math.round(bytes / 2 ** 20)).join(' / '),
    peaks.length === sizes.length ? fittedExponent(sizes, peaks).toFixed(2) : undefined,
    exponent > N_LOG_N ? 'yes' : '',
  ]
}

function growers(context: BenchContext, real: RealVectors): Grower[] {
  const { quick, work, threads } = context
  const sizes = (largest: number) => [largest / 16, largest / 4, largest]
  const path = join(work, 'real.bin')
  writeFileSync(path, new Uint8Array(real.vectors.data.buffer as ArrayBuffer))
  const job = (kind: IndexJob['kind'], items: number): IndexJob => ({
    real: path,
    dim: real.vectors.dim,
    items,
    kind,
    folder: join(work, `index-${items}`),
    queries: 100,
  })
  const indexes = (['exact', 'hnsw'] as const).flatMap((kind): Grower[] => {
    const common = { counted: 'items', sizes: sizes(quick ? 4000 : 32_000) }
    return [
      {
        ...common,
        name: `building an index, ${kind}`,
        measure: async (items) => {
          const { result, peakBytes } = await inChild<Built>(INDEX_CHILD, 'build', job(kind, items))
          return { milliseconds: result.seconds * 1000, peakBytes }
        },
      },
      {
        ...common,
        name: `one query, ${kind}`,
        measure: async (items) => {
          const { result, peakBytes } = await inChild<number>(INDEX_CHILD, 'ask', job(kind, items))
          return { milliseconds: result, peakBytes }
        },
      },
    ]
  })
  const imports = (['by person', 'by time'] as const).map(
    (order): Grower => ({
      name: `importing interactions ${order}`,
      counted: 'rows',
      sizes: sizes(quick ? 64_000 : 1_600_000),
      measure: async (rows) => {
        const { seconds, peakMegabytes } = await timedImport(context, rows, order)
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
      sizes: sizes(quick ? 1600 : 16_000),
      measure: (texts) => embedInChild({ work, threads, texts }),
    },
    ...imports,
    ...indexes,
    ...answers.map(
      (question): Grower => ({
        name: asked[question],
        counted: 'items and people',
        sizes: sizes(quick ? 3200 : 32_000),
        measure: async (items) => {
          const folder = join(work, `project-${items}`)
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
