/** Model folders that mean harm, one function each: what is written into the folder, and what is asked for. */
import { closeSync, ftruncateSync, mkdirSync, openSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Random } from '../../src/math/random.js'
import { safetensorsBytes, withHeader } from '../toys/safetensors.js'
import { tinyLetterModel, writeTinyModel } from '../toys/tiny-folder.js'

export interface HostileCase {
  readonly what: string
  /** Fills a folder that holds a sound model. @returns the name to open, where it is not the folder */
  readonly prepare: (folder: string, outside: string) => string | undefined
}

const MEGABYTES = 2 ** 20

type Header = { readonly [name: string]: unknown }
const tensor = (shape: readonly number[], offsets: readonly number[], dtype = 'F32') => ({
  dtype,
  shape,
  data_offsets: offsets,
})

/** Cases of a safetensors file. */
function weights(what: string, bytes: () => Buffer): HostileCase {
  return {
    what: `safetensors: ${what}`,
    prepare: (folder) => {
      writeFileSync(join(folder, 'model.safetensors'), bytes())
      return undefined
    },
  }
}

const header = (what: string, json: Header | string, data = 8) =>
  weights(what, () => withHeader(json, Buffer.alloc(data)))

/** The tiny model with one of its tensors changed. */
const changed = (what: string, change: (data: Float32Array) => void) =>
  weights(what, () => {
    const { tensors } = tinyLetterModel()
    const [bias] = [...tensors].filter(([name]) => name.endsWith('LayerNorm.bias')).map(([, value]) => value)
    change(bias.data)
    return safetensorsBytes(tensors)
  })

/** A file of zeros that takes no room on the disk. */
const sparse = (
  what: string,
  file: string,
  bytes: number,
  start: Uint8Array = Buffer.alloc(0),
): HostileCase => ({
  what,
  prepare: (folder) => {
    const path = join(folder, file)
    rmSync(path, { force: true })
    const descriptor = openSync(path, 'w')
    writeFileSync(descriptor, start)
    ftruncateSync(descriptor, bytes)
    closeSync(descriptor)
    if (file.endsWith('.onnx')) rmSync(join(folder, 'model.safetensors'))
    return undefined
  },
})

const names = (count: number): Header =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`t${i}`, tensor([0], [0, 0])]))

const length64 = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(value)
  return bytes
}

const SAFETENSORS: readonly HostileCase[] = [
  weights('a header of 2^63 bytes', () => withHeader('{}', Buffer.alloc(64), 2n ** 63n)),
  weights('a header of 2^64 - 1 bytes', () => withHeader('{}', Buffer.alloc(64), 2n ** 64n - 1n)),
  weights('a header beyond the file', () => withHeader('{}', Buffer.alloc(8), 1000n)),
  weights('no bytes', () => Buffer.alloc(0)),
  weights('seven bytes', () => Buffer.alloc(7)),
  header('tensors that overlap', { a: tensor([2], [0, 8]), b: tensor([1], [4, 8]) }),
  header('a tensor beyond the file', { a: tensor([1000], [0, 4000]) }),
  header('a negative place', { a: tensor([1], [-4, 0]) }),
  header('a product that overflows', { a: tensor([2 ** 40, 2 ** 40], [0, 8]) }),
  header('a product that wraps to 8', { a: tensor([2 ** 32, 2 ** 32, 2], [0, 8]) }),
  header('sizes that are no numbers', { a: { dtype: 'F32', shape: ['2'], data_offsets: [0, 8] } }),
  header(
    'duplicate keys',
    '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}',
  ),
  header(
    'duplicate keys, one escaped',
    '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"\\u0061":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}',
  ),
  header('100,000 names', names(100_000), 0),
  header('9,000 names', names(9000), 0),
  header('nesting', '['.repeat(MEGABYTES - 8), 0),
  header('a name that is the prototype', '{"__proto__":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'),
  header('no tensors', {}, 0),
  header('another model', { a: tensor([2], [0, 8]) }),
  changed('NaN weights', (data) => data.fill(Number.NaN)),
  changed('one infinite weight', (data) => {
    data[3] = Number.POSITIVE_INFINITY
  }),
  sparse('safetensors: 3 GB', 'model.safetensors', 3 * 2 ** 30),
  sparse('safetensors: 1 GB that no tensor claims', 'model.safetensors', 2 ** 30, length64(0n)),
  sparse('safetensors: 1 GB behind a header of 900 KB', 'model.safetensors', 2 ** 30, length64(900_000n)),
]

const json = (what: string, file: string, text: () => string): HostileCase => ({
  what: `${file}: ${what}`,
  prepare: (folder) => {
    writeFileSync(join(folder, file), text())
    return undefined
  },
})

const JSONS: readonly HostileCase[] = ['config.json', 'tokenizer.json', 'tokenizer_config.json'].flatMap(
  (file) => [
    json('31 MB of nesting', file, () => '['.repeat(31 * MEGABYTES)),
    json('31 MB of nested objects', file, () => '{"a":'.repeat(6 * MEGABYTES)),
    sparse(`${file}: 100 MB`, file, 100 * MEGABYTES),
    json('no JSON', file, () => '{'),
  ],
)

/** A protobuf field that holds bytes. */
export function field(number: number, content: Uint8Array | string): Buffer {
  const bytes = Buffer.from(content as string)
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes])
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  for (let left = value; ; left = Math.floor(left / 128)) {
    if (left < 128) return Buffer.from([...bytes, left])
    bytes.push((left % 128) | 128)
  }
}

/** An ONNX file whose only weights are said to be in the file `location`. */
export function externalOnnx(location: string): Buffer {
  const entry = (key: string, value: string) => field(13, Buffer.concat([field(1, key), field(2, value)]))
  const initializer = Buffer.concat([
    Buffer.from([8, 1, 16, 1]),
    field(8, 'w'),
    entry('location', location),
    Buffer.from([0x70, 1]),
  ])
  const graph = Buffer.concat([field(2, 'g'), field(5, initializer)])
  return Buffer.concat([Buffer.from([8, 9]), field(7, graph)])
}

/** `levels` graphs, each in an attribute of a node of the one around it, filled up to `bytes`. */
function nestedOnnx(levels: number, bytes: number): Buffer {
  const whole = Buffer.alloc(bytes)
  let at = bytes
  const wrap = (number: number) => {
    const head = Buffer.concat([Buffer.from([number * 8 + 2]), varint(bytes - at)])
    at -= head.length
    head.copy(whole, at)
  }
  const path = [6, 5, 1]
  for (let level = 0; level < levels && at > 64; level++) for (const number of path) wrap(number)
  wrap(7)
  return whole.subarray(at)
}

function onnx(what: string, bytes: (folder: string, outside: string) => Uint8Array): HostileCase {
  return {
    what: `ONNX: ${what}`,
    prepare: (folder, outside) => {
      rmSync(join(folder, 'model.safetensors'))
      writeFileSync(join(folder, 'model.onnx'), bytes(folder, outside))
      return undefined
    },
  }
}

const ONNX: readonly HostileCase[] = [
  onnx('data in a relative place outside', () => externalOnnx('../outside/secret.bin')),
  onnx('data outside by way of a folder', (folder) => {
    mkdirSync(join(folder, 'sub'))
    return externalOnnx('sub/../../outside/secret.bin')
  }),
  onnx('data in an absolute place', (_, outside) => externalOnnx(join(outside, 'secret.bin'))),
  onnx('data in /etc/passwd', () => externalOnnx('/etc/passwd')),
  onnx('data behind a link', (folder, outside) => {
    symlinkSync(join(outside, 'secret.bin'), join(folder, 'link.bin'))
    return externalOnnx('link.bin')
  }),
  onnx('data behind a linked folder', (folder, outside) => {
    symlinkSync(outside, join(folder, 'linked'))
    return externalOnnx('linked/secret.bin')
  }),
  onnx('data in the folder itself', () => externalOnnx('.')),
  onnx('data in a device', (folder) => {
    symlinkSync('/dev/zero', join(folder, 'zero'))
    return externalOnnx('zero')
  }),
  onnx('a name with NUL', () => externalOnnx('a\0b')),
  onnx('a name of a megabyte', () => externalOnnx('a'.repeat(MEGABYTES))),
  onnx('100 MB of nesting', () => nestedOnnx(Number.POSITIVE_INFINITY, 100 * MEGABYTES)),
  onnx('40 levels around 100 MB', () => nestedOnnx(40, 100 * MEGABYTES)),
  onnx('100 MB of empty fields', () => Buffer.alloc(100 * MEGABYTES, Buffer.from([0x08, 0]))),
  onnx('100 MB of fields without a number', () => Buffer.alloc(100 * MEGABYTES)),
  onnx('100 MB of groups', () => Buffer.alloc(100 * MEGABYTES, 0x0b)),
  onnx('lengths of 2^63', () => Buffer.from([0x3a, ...new Array(9).fill(0xff), 0x01])),
  sparse('ONNX: 3 GB', 'model.onnx', 3 * 2 ** 30),
]

const link = (file: string): HostileCase => ({
  what: `folder: ${file} is a link out of it`,
  prepare: (folder, outside) => {
    rmSync(join(folder, file), { force: true })
    symlinkSync(join(outside, 'secret.bin'), join(folder, file))
    return undefined
  },
})

const named = (what: string, name: string): HostileCase => ({ what: `name: ${what}`, prepare: () => name })

/** A link beside the model's folder, to what lies outside or to itself. */
const linkedName = (
  what: string,
  name: string,
  target: (link: string, outside: string) => string,
): HostileCase => ({
  what: `name: ${what}`,
  prepare: (folder, outside) => {
    const link = `${folder}-${name}`
    rmSync(link, { force: true })
    symlinkSync(target(link, outside), link)
    return link
  },
})

const FOLDERS: readonly HostileCase[] = [
  link('model.safetensors'),
  link('config.json'),
  link('tokenizer.json'),
  link('modules.json'),
  {
    what: 'folder: modules.json leads out of it',
    prepare: (folder) => {
      const modules = [{ type: 'sentence_transformers.models.Pooling', path: '../outside' }]
      writeFileSync(join(folder, 'modules.json'), JSON.stringify(modules))
      return undefined
    },
  },
  named('a way up', 'org/../../outside'),
  named('a way up, twice', 'org/name/../../../outside'),
  named('NUL', 'org/na\0me'),
  named('a backslash', 'org\\..\\outside'),
  named('encoded dots', 'org/%2e%2e'),
  named('a URL', 'https://example.org/model'),
  named('a megabyte', 'a'.repeat(MEGABYTES)),
  named('a line break', 'org/name\n'),
  named('300 letters, too many for a file', 'a'.repeat(300)),
  linkedName('a link to a file', 'file', (_, outside) => join(outside, 'secret.bin')),
  linkedName('a link to itself', 'self', (link) => link),
  linkedName('a link to itself that names a pooling', 'self#cls', (link) => link),
  named('nothing', ''),
]

export const HOSTILE: readonly HostileCase[] = [...SAFETENSORS, ...JSONS, ...ONNX, ...FOLDERS]

/** Random bytes as an ONNX file; some begin as one does. */
export function randomOnnx(random: Random): HostileCase {
  return onnx('random bytes', () => {
    const bytes = Buffer.from({ length: 16 + random.integer(4096) })
    for (let i = 0; i < bytes.length; i++) bytes[i] = random.integer(256)
    if (random.next() < 0.5) Buffer.from([8, 9, 0x3a]).copy(bytes)
    return bytes
  })
}

/** A sound model, to be spoilt. */
export function soundFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true })
  writeTinyModel(folder)
}
