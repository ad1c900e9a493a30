import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bfloatToFloat, halfToFloat } from '#src/encode/half.js'
import { jsonProblem, nestsDeeper } from '#src/encode/json-keys.js'
import { requireSoundHeader, Safetensors } from '#src/encode/safetensors.js'
import { withHeader } from '../../dist/scripts/toys/safetensors.js'
import { codeOf } from './support.js'

const f32 = (values: number[]) => new Uint8Array(Float32Array.from(values).buffer)
const one = (fields: object = {}) => ({ a: { dtype: 'F32', shape: [2], data_offsets: [0, 8], ...fields } })

describe('Safetensors', () => {
  test('reads what is sound', () => {
    const file = Safetensors.parse(
      withHeader({ __metadata__: { format: 'pt' }, ...one() }, f32([1, -2])),
      'x',
    )
    expect(file.names()).toEqual(['a'])
    expect([...file.read('a', [2])]).toEqual([1, -2])
  })

  const many = Object.fromEntries(
    Array.from({ length: 100_000 }, (_, i) => [`t${i}`, { dtype: 'F32', shape: [0], data_offsets: [0, 0] }]),
  )
  const hostile: [string, Uint8Array][] = [
    ['no bytes', new Uint8Array(0)],
    ['seven bytes', new Uint8Array(7)],
    ['header of 2^63 bytes', withHeader(one(), f32([1, 2]), 2n ** 63n)],
    ['header of 2^64 - 1 bytes', withHeader(one(), f32([1, 2]), 2n ** 64n - 1n)],
    ['header of 2^32 + 10 bytes', withHeader(one(), f32([1, 2]), 2n ** 32n + 10n)],
    ['header beyond the file', withHeader(one(), f32([1, 2]), 4096n)],
    ['not JSON', withHeader('{"a":', f32([1, 2]))],
    ['an array', withHeader('[]')],
    ['not UTF-8', withHeader('{"\u0000').fill(0xff, 9)],
    ['deep nesting', withHeader(`{"a":${'['.repeat(100_000)}`)],
    [
      'the same name twice',
      withHeader(
        '{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}',
      ),
    ],
    ['the same name in two spellings', withHeader('{"a":1,"\\u0061":2}')],
    [
      'the same field twice',
      withHeader('{"a":{"dtype":"F32","dtype":"F16","shape":[0],"data_offsets":[0,0]}}'),
    ],
    ['100,000 names', withHeader(many)],
    ['data beyond the file', withHeader(one({ data_offsets: [0, 16] }), f32([1, 2]))],
    ['data that ends before it begins', withHeader(one({ data_offsets: [8, 0] }), f32([1, 2]))],
    ['negative offsets', withHeader(one({ data_offsets: [-8, 0] }), f32([1, 2]))],
    ['fractional sizes', withHeader(one({ shape: [1.5] }), f32([1, 2]))],
    ['a negative size', withHeader(one({ shape: [-2] }), f32([1, 2]))],
    ['a size above 2^53', withHeader(one({ shape: [2 ** 60] }), f32([1, 2]))],
    ['sizes whose product overflows', withHeader(one({ shape: [2 ** 32, 2 ** 32] }), f32([1, 2]))],
    ['sizes whose product wraps to 2', withHeader(one({ shape: [2 ** 33 + 1, 2 ** 32] }), f32([1, 2]))],
    ['the wrong number of bytes', withHeader(one({ shape: [3] }), f32([1, 2]))],
    ['an unknown type', withHeader(one({ dtype: 'F99' }), f32([1, 2]))],
    [
      'overlapping tensors',
      withHeader({ ...one(), b: { dtype: 'F32', shape: [1], data_offsets: [4, 8] } }, f32([1, 2])),
    ],
    ['a hole', withHeader(one({ shape: [1], data_offsets: [4, 8] }), f32([1, 2]))],
    ['bytes left over', withHeader(one({ shape: [1], data_offsets: [0, 4] }), f32([1, 2]))],
    ['a tensor that is a number', withHeader({ a: 1 })],
    ['nine dimensions', withHeader(one({ shape: [2, 1, 1, 1, 1, 1, 1, 1, 1] }), f32([1, 2]))],
  ]
  test.each(hostile)('refuses %s', async (_, bytes) => {
    expect(await codeOf(() => Safetensors.parse(bytes, 'hostile'))).toBe('MODEL_INVALID')
    const read = async (count: number, from: number) => bytes.subarray(from, from + count)
    expect(await codeOf(() => requireSoundHeader(read, bytes.length, 'hostile'))).toBe('MODEL_INVALID')
  })

  test('refuses weights that are not numbers, in every type', async () => {
    const read = (dtype: string, data: Uint8Array, count: number) => () =>
      Safetensors.parse(
        withHeader({ a: { dtype, shape: [count], data_offsets: [0, data.length] } }, data),
        'x',
      ).read('a', [count])
    expect(await codeOf(read('F32', f32([1, Number.NaN]), 2))).toBe('MODEL_INVALID')
    expect(await codeOf(read('F32', f32([1, Number.NEGATIVE_INFINITY]), 2))).toBe('MODEL_INVALID')
    expect(await codeOf(read('F16', new Uint8Array([0, 0x7c]), 1))).toBe('MODEL_INVALID')
    expect(await codeOf(read('BF16', new Uint8Array([0xc0, 0x7f]), 1))).toBe('MODEL_INVALID')
    expect(await codeOf(read('I64', new Uint8Array(8), 1))).toBe('MODEL_INVALID')
    expect(await codeOf(read('F32', f32([1, 2]), 2))).toBeUndefined()
  })

  test('refuses a shape other than the one asked for', async () => {
    const file = Safetensors.parse(withHeader(one(), f32([1, 2])), 'x')
    expect(await codeOf(() => file.read('a', [1, 2]))).toBe('MODEL_INVALID')
    expect(await codeOf(() => file.read('b', [2]))).toBe('MODEL_INVALID')
  })

  test('never ends with anything but a typed error, whatever bit is flipped', async () => {
    const sound = withHeader(
      { ...one(), b: { dtype: 'F16', shape: [2, 1], data_offsets: [8, 12] } },
      new Uint8Array(12),
    )
    await fc.assert(
      fc.asyncProperty(fc.nat(sound.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const bytes = sound.slice()
        bytes[at] ^= change
        const code = await codeOf(() => Safetensors.parse(bytes, 'x'))
        return code === undefined || code === 'MODEL_INVALID'
      }),
      { seed: 3, numRuns: 500 },
    )
  })
})

test('jsonProblem agrees with JSON.parse about keys', () => {
  fc.assert(
    fc.property(fc.json(), (text) => jsonProblem(text, 1000) === undefined),
    { seed: 5, numRuns: 300 },
  )
})

test('jsonProblem sees a key twice however it is written, and only then', () => {
  const key = fc.string({ unit: fc.constantFrom('a', 'b', '"', '\\', '\n', '{', 'é', '猫'), maxLength: 2 })
  const spelt = fc
    .tuple(key, fc.boolean())
    .map(([text, escaped]) =>
      escaped
        ? `"${[...text].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')}"`
        : JSON.stringify(text),
    )
  fc.assert(
    fc.property(fc.array(spelt, { maxLength: 4 }), (keys) => {
      const text = `{${keys.map((name) => `${name}: ["a", {"a": 0}]`).join(',')}}`
      const differ = new Set(keys.map((name) => JSON.parse(name))).size === keys.length
      return (jsonProblem(text, 1000) === undefined) === differ
    }),
    { seed: 7, numRuns: 500 },
  )
})

test('nesting is seen in the bytes as it is in the text', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 6 }), fc.integer({ min: 0, max: 5 }), (text, depth) => {
      const tooDeep = jsonProblem(text, depth)?.startsWith('nesting') ?? false
      return nestsDeeper(Buffer.from(text), depth) === tooDeep
    }),
    { seed: 6, numRuns: 500 },
  )
})

test('half-precision numbers become what they mean', () => {
  const bits = Uint16Array.from([0x0000, 0x3c00, 0xc000, 0x7bff, 0x0001, 0x3555, 0x8400])
  expect([...halfToFloat(bits)]).toEqual([0, 1, -2, 65504, 2 ** -24, 0.333251953125, -(2 ** -14)])
  expect([...bfloatToFloat(Uint16Array.from([0x3f80, 0xc000, 0x4049]))]).toEqual([1, -2, 3.140625])
})
