#!/usr/bin/env node
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { isTextrecError } from '../src/errors.js'
import type { Device } from '../src/types.js'
import { inBatchCase, sequenceCase } from './bench/train-models.js'
import { compareEncoding, type EncodingAgreement } from './gpu/compare-encoding.js'
import { compareTraining, type TrainingAgreement } from './gpu/compare-training.js'
import { matrixRate } from './gpu/matrix-rate.js'

/**
 * Does a GPU give what the CPU gives, and how fast? Texts encoded and training steps taken on both, after the rate
 * of matrix products that the device reaches at all. Ends with 1 where they disagree.
 *
 *     node dist/scripts/gpu-check.js [--device webgpu] [--tiny] [--threads N] [--json FILE]
 *
 * Needs no network and nothing but the compiled files, onnxruntime-node, the tokenizer and the default encoder;
 * gpu-pack.ts puts these in one folder. `--tiny` is for software GPUs, which are a thousand times slower.
 */

const FULL = {
  texts: 2048,
  rate: { sizes: [1024, 2048, 4096], links: 16, rounds: 10 },
  steps: 5,
  timed: 50,
  inBatch: { batch: 1024, dim: 384, hidden: 256 },
  sequence: {
    items: 3500,
    rows: 32,
    dropout: 0,
    shape: { textDim: 256, dim: 128, hidden: 256, layers: 2, heads: 2, length: 32 },
  },
}
const TINY: typeof FULL = {
  texts: 2,
  rate: { sizes: [64], links: 2, rounds: 2 },
  steps: 3,
  timed: 1,
  inBatch: { batch: 16, dim: 32, hidden: 16 },
  sequence: {
    items: 20,
    rows: 2,
    dropout: 0,
    shape: { textDim: 16, dim: 8, hidden: 16, layers: 1, heads: 2, length: 6 },
  },
}

const { values } = parseArgs({
  options: {
    device: { type: 'string', default: 'webgpu' },
    tiny: { type: 'boolean', default: false },
    threads: { type: 'string', default: String(Math.min(8, availableParallelism())) },
    json: { type: 'string' },
  },
})
const device = values.device as Device
const threads = Number(values.threads)
const sizes = values.tiny ? TINY : FULL
const say = (line: string) => process.stdout.write(`${line}\n`)

const cacheDirectory = mkdtempSync(join(tmpdir(), 'textrec-gpu-'))
try {
  say(
    `node ${process.version}, ${process.platform} ${process.arch}, ${device} beside cpu with ${threads} threads`,
  )
  const rates = {
    cpu: await matrixRate('cpu', [Math.min(1024, ...sizes.rate.sizes)], { ...sizes.rate, threads }),
    device: await matrixRate(device, sizes.rate.sizes, { ...sizes.rate, threads }),
  }
  say(`matrix products, fp32: ${device} ${gflops(rates.device)}, cpu ${gflops(rates.cpu)}`)
  const compare = (dtype: 'fp32' | 'fp16') =>
    compareEncoding(device, {
      ...{ dtype, texts: sizes.texts, tiny: values.tiny },
      ...{ cacheDirectory, threads },
    })
  const tell = (dtype: string, encoding: EncodingAgreement) =>
    say(
      `encoding, ${dtype}, ${encoding.texts} texts: cosine worst ${encoding.worst.toFixed(7)}, mean ${encoding.mean.toFixed(7)}; ` +
        `${device} ${rate(encoding.deviceTextsPerSecond)} texts/s, cpu ${rate(encoding.cpuTextsPerSecond)}: ${verdict(encoding.agrees)}`,
    )
  const encoding = await compare('fp32')
  tell('fp32', encoding)
  // Not every GPU has fp16, and none needs it; software ones have none.
  const halfOrNone = () =>
    compare('fp16').catch((error: unknown) => {
      if (isTextrecError(error) && error.code === 'DEVICE_MISSING') return undefined
      throw error
    })
  const half = values.tiny ? undefined : await halfOrNone()
  if (half === undefined) say(`encoding, fp16: ${device} has none here`)
  else tell('fp16', half)
  const training: TrainingAgreement[] = []
  for (const one of [inBatchCase(sizes.inBatch), sequenceCase(sizes.sequence)]) {
    const result = await compareTraining(one, device, { ...sizes, ceiling: rates.device, threads })
    training.push(result)
    say(
      `${result.name}, ${result.steps} steps: losses differ by ${result.worst.toExponential(1)} at most ` +
        `(${result.from.toFixed(4)} to ${result.to.toFixed(4)}); state ${result.onDevice ? 'stays on the device' : 'is COPIED'}; ` +
        `${rate(result.examplesPerSecond)} examples/s, ${(100 * result.share).toFixed(1)} % of the matrix rate: ${verdict(result.agrees)}`,
    )
  }
  const document = { device, threads, tiny: values.tiny, gflops: rates, encoding, half, training }
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(document, undefined, 2)}\n`)
  const right =
    encoding.agrees &&
    half?.agrees !== false &&
    training.every(({ agrees, onDevice }) => agrees && (onDevice || device !== 'webgpu'))
  say(right ? 'Both agree.' : 'They DISAGREE.')
  process.exitCode = right ? 0 : 1
} finally {
  rmSync(cacheDirectory, { recursive: true, force: true })
}

function gflops(value: number): string {
  return `${value.toPrecision(3)} GFLOP/s`
}

function rate(value: number): string {
  return value < 10 ? value.toFixed(2) : Math.round(value).toLocaleString('en')
}

function verdict(agrees: boolean): string {
  return agrees ? 'agree' : 'DISAGREE'
}
