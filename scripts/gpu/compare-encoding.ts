import { readFileSync } from 'node:fs'
import { Encoder } from '../../src/encode/encoder.js'
import { dot, row } from '../../src/math/matrix.js'
import { sampleFiles } from '../../src/sample/index.js'
import type { Device, Matrix } from '../../src/types.js'

/** The same texts on two devices. */
export interface EncodingAgreement {
  readonly texts: number
  /** Cosine between the two vectors of a text. */
  readonly worst: number
  readonly mean: number
  readonly agrees: boolean
  readonly cpuTextsPerSecond: number
  readonly deviceTextsPerSecond: number
}

/** With fp32 on both sides only the order of sums differs; fp16 has three decimal digits. */
const LEAST_COSINE = { fp32: 0.9999, fp16: 0.999 }

export interface EncodingOptions {
  /** What the device computes in; the CPU beside it always takes fp32. */
  readonly dtype: keyof typeof LEAST_COSINE
  readonly texts: number
  /** Titles alone, and only once: a software GPU takes seconds for each. */
  readonly tiny: boolean
  /** Where the encoder's graph is built. */
  readonly cacheDirectory: string
  readonly threads: number
}

/**
 * Encodes texts of the built-in sample on the CPU and on the device.
 * @throws DEVICE_MISSING for fp16 on a device that has none.
 */
export async function compareEncoding(
  device: Device,
  { dtype, texts: count, tiny, cacheDirectory, threads }: EncodingOptions,
): Promise<EncodingAgreement> {
  const texts = sampleTexts(count, tiny)
  const encode = async (where: Device): Promise<{ vectors: Matrix; rate: number }> => {
    const encoder = await Encoder.open('all-MiniLM-L6-v2', {
      ...{ device: where, dtype: where === 'cpu' ? 'fp32' : dtype, cacheDirectory },
      threads: where === 'cpu' ? threads : 0,
    })
    try {
      // The first texts of each length compile kernels on a GPU: the second time is timed.
      if (!tiny) await encoder.encode(texts)
      const started = performance.now()
      const vectors = await encoder.encode(texts)
      return { vectors, rate: count / ((performance.now() - started) / 1000) }
    } finally {
      await encoder.close()
    }
  }
  const [cpu, other] = [await encode('cpu'), await encode(device)]
  const cosines = texts.map((_, i) => dot(row(cpu.vectors, i), row(other.vectors, i)))
  const worst = Math.min(...cosines)
  return {
    texts: count,
    worst,
    mean: cosines.reduce((sum, cosine) => sum + cosine, 0) / count,
    agrees: worst >= LEAST_COSINE[dtype],
    cpuTextsPerSecond: cpu.rate,
    deviceTextsPerSecond: other.rate,
  }
}

/** Titles, descriptions and reviews of the sample, over and over with a number in front where there are not enough. */
function sampleTexts(count: number, titles: boolean): string[] {
  const { items, reviews } = sampleFiles()
  const own = [items, reviews].flatMap((file) =>
    readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const { title, description, text } = JSON.parse(line) as { [field: string]: string | undefined }
        const parts = titles ? [title] : [title, description ?? text]
        return parts.filter((part) => part !== undefined).join('. ')
      }),
  )
  return Array.from({ length: count }, (_, i) =>
    i < own.length ? own[i] : `${Math.floor(i / own.length)}. ${own[i % own.length]}`,
  )
}
