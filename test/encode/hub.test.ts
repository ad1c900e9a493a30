import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { AutoConfig, AutoTokenizer, env } from '@xenova/transformers'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { hubModelFolder } from '#src/encode/hub.js'
import { Graph } from '#src/onnx/graph.js'
import { serializeModel } from '#src/onnx/protobuf.js'
import { withHeader } from '../../dist/scripts/toys/safetensors.js'
import { codeOf, temporaryFolder } from './support.js'

/** A hub on this machine: three files, and what was asked of it. */
let server: Server
let hub: string
let asked: string[] = []
let broken: 'no' | 'short' | 'down' | 'login' = 'no'
const WEIGHTS = Buffer.from(
  withHeader({ w: { dtype: 'F32', shape: [2000], data_offsets: [0, 8000] } }, new Uint8Array(8000)),
)
const FILES = new Map<string, string | Buffer>([
  ['config.json', '{"model_type":"bert"}'],
  ['tokenizer.json', '{"model":{"vocab":{}}}'],
  ['model.safetensors', WEIGHTS],
])

beforeAll(async () => {
  server = createServer((request, response) => {
    const name = (request.url as string).replace('/org/name/resolve/main/', '')
    asked.push(name)
    const body = FILES.get(name)
    if (broken === 'down') response.writeHead(503).end()
    else if (broken === 'login') response.writeHead(200).end('<html>Please log in.</html>')
    else if (body === undefined) response.writeHead(404).end()
    else if (broken === 'short' && name === 'model.safetensors') {
      response.writeHead(200, { 'content-length': body.length })
      response.write(body.slice(0, 100), () => response.destroy())
    } else response.writeHead(200, { 'content-length': body.length }).end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  hub = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
})
afterAll(() => new Promise((resolve) => server.close(resolve)))
/** transformers.js' own cache, empty at the start of every test. */
let cache: string
beforeEach(() => {
  asked = []
  broken = 'no'
  cache = temporaryFolder()
  env.cacheDir = cache
  env.remoteHost = hub
  env.allowRemoteModels = true
})

const get = (options: Partial<Parameters<typeof hubModelFolder>[1]> = {}) =>
  hubModelFolder('org/name', { hubDirectory: undefined, poolingKnown: false, ...options })

/** Puts files where transformers.js does. */
function cached(files: Readonly<Record<string, string | Uint8Array>>, folder = join(cache, 'org', 'name')) {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), content)
  }
  return folder
}
const WHOLE = Object.fromEntries(FILES)

test('downloads what is needed once, with progress, into the cache of transformers.js', async () => {
  const bytes: number[] = []
  const folder = await get({
    onProgress: ({ done, total, unit }) => {
      expect(unit).toBe('bytes')
      expect(done).toBeLessThanOrEqual(total as number)
      bytes.push(done)
    },
  })
  expect(folder).toBe(join(cache, 'org', 'name'))
  expect(readFileSync(join(folder, 'model.safetensors'))).toEqual(WEIGHTS)
  expect(bytes).toContain(WEIGHTS.length)
  asked = []
  expect(await get()).toBe(folder)
  expect(asked).toEqual([])
})

test('a folder of the caller comes before that cache, which is looked into all the same', async () => {
  const own = temporaryFolder()
  expect(await get({ hubDirectory: own })).toBe(join(own, 'org', 'name'))
  const shared = cached(WHOLE)
  expect(await get({ hubDirectory: temporaryFolder() })).toBe(shared)
})

test('transformers.js finds what textrec fetched, and the reverse, without a network', async () => {
  const folder = await get()
  env.allowRemoteModels = false
  expect((await AutoConfig.from_pretrained('org/name')).model_type).toBe('bert')
  env.allowRemoteModels = true
  env.cacheDir = temporaryFolder()
  await AutoConfig.from_pretrained('org/name')
  await AutoTokenizer.from_pretrained('org/name').catch(() => {}) // this tokenizer is no tokenizer, but it is kept
  const theirs = join(env.cacheDir, 'org', 'name')
  expect(readFileSync(join(theirs, 'config.json'))).toEqual(readFileSync(join(folder, 'config.json')))
  asked = []
  expect(await get()).toBe(theirs)
  expect(asked).not.toContain('config.json')
})

test('a model that is whole in the cache needs no network, and its pooling is asked for where there is one', async () => {
  const folder = cached(WHOLE)
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  try {
    env.remoteHost = 'http://127.0.0.1:9/'
    expect(await get({ poolingKnown: true })).toBe(folder)
    expect(warn).not.toHaveBeenCalled()
    expect(await get()).toBe(folder)
    expect(warn.mock.calls[0][0]).toContain('pooled by their mean')
    env.allowRemoteModels = false
    expect(await get()).toBe(folder)
  } finally {
    warn.mockRestore()
  }
  env.remoteHost = hub
  env.allowRemoteModels = true
  await get()
  expect(asked).toContain('1_Pooling/config.json')
  expect(asked).not.toContain('model.safetensors')
})

test('the ONNX file that transformers.js fetches is as good as weights, unless it ends early', async () => {
  const graph = new Graph('negative')
  graph.output('y', graph.node('Neg', [graph.input('x', 'float32', ['n'])], { shape: ['n'] }))
  const model = serializeModel(graph)
  const { 'model.safetensors': _, ...rest } = WHOLE
  const folder = cached({ ...rest, 'onnx/model.onnx': model })
  env.allowRemoteModels = false
  expect(await get({ poolingKnown: true })).toBe(folder)
  cached({ 'onnx/model.onnx': model.subarray(0, model.length - 3) })
  expect(await codeOf(() => get({ poolingKnown: true }))).toBe('MODEL_UNREACHABLE')
})

test.each([
  ['weights under the name they get while they arrive', { 'model.safetensors.tmp.1.abc': WEIGHTS }],
  ['weights that end early', { 'model.safetensors': WEIGHTS.subarray(0, 5000) }],
  ['weights that end in their header', { 'model.safetensors': WEIGHTS.subarray(0, 20) }],
  ['a configuration that ends early', { 'config.json': '{"model_type":"be', 'model.safetensors': WEIGHTS }],
])('%s are not taken for a model, but fetched', async (_, files) => {
  const { 'model.safetensors': _weights, ...rest } = WHOLE
  const folder = cached({ ...rest, ...files })
  env.allowRemoteModels = false
  expect(await codeOf(() => get())).toBe('MODEL_UNREACHABLE')
  env.allowRemoteModels = true
  expect(await get()).toBe(folder)
  expect(readFileSync(join(folder, 'model.safetensors'))).toEqual(WEIGHTS)
  expect(readFileSync(join(folder, 'config.json'), 'utf8')).toBe(FILES.get('config.json'))
})

test('a download that breaks off leaves nothing that looks whole, and goes on the next time', async () => {
  broken = 'short'
  expect(await codeOf(() => get())).toBe('MODEL_UNREACHABLE')
  const folder = join(cache, 'org', 'name')
  expect(readdirSync(folder).sort()).toEqual(['config.json', 'tokenizer.json'])
  broken = 'no'
  asked = []
  await get()
  expect(asked).not.toContain('config.json')
  expect(readFileSync(join(folder, 'model.safetensors'))).toEqual(WEIGHTS)
})

test('a login page in place of every file is not kept, and the next time all is well', async () => {
  broken = 'login'
  expect(await codeOf(() => get())).toBe('MODEL_UNREACHABLE')
  broken = 'no'
  const folder = await get()
  expect(readdirSync(folder).sort()).toEqual([
    '.textrec-asked',
    'config.json',
    'model.safetensors',
    'tokenizer.json',
  ])
})

test('a download can be stopped', async () => {
  const stop = new AbortController()
  const code = await codeOf(() => get({ signal: stop.signal, onProgress: () => stop.abort() }))
  expect(code).toBe('ABORTED')
  expect(existsSync(join(cache, 'org', 'name', 'model.safetensors'))).toBe(false)
})

test('a hub that is down or missing, and a cache that cannot be written, are typed errors', async () => {
  broken = 'down'
  expect(await codeOf(() => get())).toBe('MODEL_UNREACHABLE')
  env.remoteHost = 'http://127.0.0.1:9/'
  expect(await codeOf(() => get())).toBe('MODEL_UNREACHABLE')
  env.remoteHost = hub
  broken = 'no'
  writeFileSync(join(cache, 'file'), '')
  expect(await codeOf(() => get({ hubDirectory: join(cache, 'file') }))).toBe('FILE_UNREADABLE')
})
