import type { Linear } from './bert-weights.js'

/** 8-bit weights laid out for `x W`: data [inputs, outputs], one scale per output column. */
export interface QuantizedLinear {
  readonly data: Int8Array
  /** [outputs] weight = data * scale */
  readonly scales: Float32Array
}

/** [outputs, inputs] to [inputs, outputs], in tiles that stay in the cache. */
export function transpose(weight: Float32Array, outputs: number, inputs: number): Float32Array {
  const result = new Float32Array(weight.length)
  const tile = 32
  for (let o0 = 0; o0 < outputs; o0 += tile) {
    for (let i0 = 0; i0 < inputs; i0 += tile) {
      const oEnd = Math.min(o0 + tile, outputs)
      const iEnd = Math.min(i0 + tile, inputs)
      for (let o = o0; o < oEnd; o++) {
        for (let i = i0; i < iEnd; i++) result[i * outputs + o] = weight[o * inputs + i]
      }
    }
  }
  return result
}

/**
 * Symmetric per-output-channel quantization: the largest weight of a channel becomes `limit`.
 * @param limit 127, or 63 for processors that add pairs of 8-bit products in 16 bits and would saturate.
 */
export function quantizeLinear(linear: Linear, limit: number): QuantizedLinear {
  const { weight, inputs, outputs } = linear
  const data = new Int8Array(weight.length)
  const scales = new Float32Array(outputs)
  for (let o = 0; o < outputs; o++) {
    const row = weight.subarray(o * inputs, (o + 1) * inputs)
    let largest = 0
    for (let i = 0; i < inputs; i++) largest = Math.max(largest, Math.abs(row[i]))
    // A channel of zeros has no scale of its own; any positive one gives zeros back.
    const scale = Math.fround(largest > 0 ? largest / limit : 1)
    scales[o] = scale
    for (let i = 0; i < inputs; i++) {
      data[i * outputs + o] = Math.max(-limit, Math.min(limit, Math.round(row[i] / scale)))
    }
  }
  return { data, scales }
}
