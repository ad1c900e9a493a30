/** Half-precision numbers, as weights are stored and GPUs compute, and single precision. */

let table: Float32Array | undefined

/** Every IEEE 754 binary16 value by its 16 bits: 256 KiB that make conversion one look-up per weight. */
function halfTable(): Float32Array {
  if (table !== undefined) return table
  table = new Float32Array(65536)
  for (let bits = 0; bits < 65536; bits++) {
    const sign = bits & 0x8000 ? -1 : 1
    const exponent = (bits >> 10) & 31
    const fraction = bits & 1023
    if (exponent === 31) table[bits] = fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
    else if (exponent === 0) table[bits] = sign * fraction * 2 ** -24
    else table[bits] = sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
  }
  return table
}

/** IEEE 754 binary16 to float32, exactly. */
export function halfToFloat(bits: Uint16Array): Float32Array {
  const values = halfTable()
  const out = new Float32Array(bits.length)
  for (let i = 0; i < bits.length; i++) out[i] = values[bits[i]]
  return out
}

/** bfloat16 (the upper half of a float32) to float32, exactly. */
export function bfloatToFloat(bits: Uint16Array): Float32Array {
  const words = new Uint32Array(bits.length)
  for (let i = 0; i < bits.length; i++) words[i] = bits[i] << 16
  return new Float32Array(words.buffer)
}

/**
 * float32 to the nearest IEEE 754 binary16, of two equally near ones to the even one.
 * @throws RangeError for a number beyond 65,504, the largest that binary16 has
 */
export function floatToHalf(values: Float32Array): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length)
  const out = new Uint16Array(values.length)
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(values[i])
    // 65,520 is half way to what would be the next number: from there on it would be infinity.
    if (!(size < 65_520)) throw new RangeError(`${values[i]} is no half-precision number`)
    out[i] = ((words[i] >>> 16) & 0x8000) | halfBits(size, words[i])
  }
  return out
}

/**
 * The 15 bits of a number that is not negative.
 * @param word its float32 bits
 */
function halfBits(size: number, word: number): number {
  // Below 2^-14 all numbers are 2^-24 apart.
  if (size < 2 ** -14) return roundedEven(size * 2 ** 24)
  // Above, 13 bits of the fraction go, and exponents count from 15 instead of 127; rounding up carries into them.
  const rebased = (word & 0x7fffffff) - ((127 - 15) << 23)
  return (rebased + 0xfff + ((rebased >>> 13) & 1)) >>> 13
}

function roundedEven(value: number): number {
  const below = Math.floor(value)
  const rest = value - below
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below
}
