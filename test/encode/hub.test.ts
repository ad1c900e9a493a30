import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { env } from '@xenova/transformers'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { downloadModel } from '#src/encode/hub.js'
import { codeOf, temporaryFolder } from './support.js'

/** A hub on this machine: three files, and what was asked of it. */
let server: Server
let asked: string[] = []
let broken: 'no' | 'short' | 'down' = 'no'
const FILES = new Map([
  ['config.json', '{"model_type":"bert"}'],
  ['tokenizer.json', '{}'],
  ['model.safetensors', 'weights '.repeat(1000)],
])

beforeAll(async () => {
  server = createServer((request, response) => {
    const name = (request.url as string).replace('/org/name/resolve/main/', '')
    asked.push(name)
    const body = FILES.get(name)
    if (broken === 'down') response.writeHead(503).end()
    else if (body === undefined) response.writeHead(404).end()
    else if (broken === 'short' && name === 'model.safetensors') {
      response.writeHead(200, { 'content-length': body.length })
      response.write(body.slice(0, 100), () => response.destroy())
    } else response.writeHead(200, { 'content-length': body.length }).end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  env.allowRemoteModels = true
  env.remoteHost = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
})
afterAll(() => new Promise((resolve) => server.close(resolve)))
beforeEach(() => {
  asked = []
  broken = 'no'
})

test('downloads what is needed once, with progress', async () => {
  const cacheDirectory = temporaryFolder()
  const bytes: number[] = []
  const folder = await downloadModel('org/name', {
    cacheDirectory,
    onProgress: ({ done, total, unit }) => {
      expect(unit).toBe('bytes')
      expect(done).toBeLessThanOrEqual(total as number)
      bytes.push(done)
    },
  })
  expect(folder).toBe(join(cacheDirectory, 'hub', 'org', 'name'))
  expect(readFileSync(join(folder, 'model.safetensors'), 'utf8')).toBe(FILES.get('model.safetensors'))
  expect(bytes).toContain(8000)
  asked = []
  expect(await downloadModel('org/name', { cacheDirectory })).toBe(folder)
  expect(asked).toEqual([])
})

test('a download that breaks off leaves nothing that looks whole, and goes on the next time', async () => {
  const cacheDirectory = temporaryFolder()
  broken = 'short'
  expect(await codeOf(() => downloadModel('org/name', { cacheDirectory }))).toBe('MODEL_UNREACHABLE')
  const folder = join(cacheDirectory, 'hub', 'org', 'name')
  expect(existsSync(join(folder, 'model.safetensors'))).toBe(false)
  expect(readdirSync(folder).filter((name) => name.endsWith('.part'))).toEqual([])
  broken = 'no'
  asked = []
  await downloadModel('org/name', { cacheDirectory })
  expect(asked).not.toContain('config.json')
  expect(readFileSync(join(folder, 'model.safetensors'), 'utf8')).toBe(FILES.get('model.safetensors'))
})

test('a hub that is down or missing is a typed error', async () => {
  broken = 'down'
  expect(await codeOf(() => downloadModel('org/name', { cacheDirectory: temporaryFolder() }))).toBe(
    'MODEL_UNREACHABLE',
  )
  env.remoteHost = 'http://127.0.0.1:9/'
  expect(await codeOf(() => downloadModel('org/name', { cacheDirectory: temporaryFolder() }))).toBe(
    'MODEL_UNREACHABLE',
  )
})
