import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { EncoderFacts, OpenRequest } from '#src/encode/engine.js'
import { readModelFolder } from '#src/encode/model-folder.js'
import { WorkerClient } from '#src/onnx/worker-client.js'
import { writeTinyModel } from '../../dist/scripts/toys/tiny-folder.js'
import { codeOf, temporaryFolder } from './support.js'

const folder = temporaryFolder()
const other = temporaryFolder()
writeTinyModel(folder, 1)
writeTinyModel(other, 2)
const weights = join(folder, 'model.safetensors')
const published = createHash('sha256').update(readFileSync(weights)).digest('hex')

/** The fingerprint of the tiny model, of which `sha256` is known, with the weights of `from`. */
async function fingerprint(from: string, cacheDirectory: string, sha256?: string): Promise<string> {
  const source = { ...(await readModelFolder(from, 'tiny')), sha256 }
  const worker = new WorkerClient(new URL('../../dist/src/encode/worker.js', import.meta.url), 'The encoder')
  try {
    const request: OpenRequest = { source, device: 'cpu', dtype: 'fp32', threads: 1, cacheDirectory }
    return (await worker.call<OpenRequest, EncoderFacts>('open', request)).fingerprint
  } finally {
    await worker.close()
  }
}

test('weights of another hash than the known one are refused where a graph is to be made of them', async () => {
  const cache = temporaryFolder()
  expect(await codeOf(() => fingerprint(other, cache, published))).toBe('MODEL_INVALID')
})

test('what serves is the graph of the known hash, whatever lies in the place of the weights', async () => {
  const cache = temporaryFolder()
  const right = await fingerprint(folder, cache, published)
  expect(await fingerprint(other, cache, published)).toBe(right)
  expect(await fingerprint(folder, cache)).toBe(right)
  expect(await fingerprint(other, cache)).not.toBe(right)
})
