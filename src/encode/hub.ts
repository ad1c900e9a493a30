import { createWriteStream } from 'node:fs'
import { rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ReadableStream } from 'node:stream/web'
import { makeFolder } from '../artifact/index.js'
import { TextrecError } from '../errors.js'
import type { OnProgress } from '../types.js'

/** What an encoder needs, and what makes it better where it exists. */
const NEEDED = ['config.json', 'tokenizer.json', 'model.safetensors']
const OPTIONAL = [
  'tokenizer_config.json',
  'modules.json',
  '1_Pooling/config.json',
  'sentence_bert_config.json',
  'config_sentence_transformers.json',
]

/** The part of transformers.js that is used: its host, its way of building addresses, its fetch. */
interface HubEnvironment {
  readonly remoteHost: string
  readonly remotePathTemplate: string
  readonly allowRemoteModels: boolean
  readonly fetch: (address: string, init: { headers: Record<string, string> }) => Promise<Response>
}

/**
 * Brings the files of a Hugging Face repository into `<cacheDirectory>/hub/<id>`, the layout of transformers.js'
 * own cache, and returns that folder. Files that are there are not asked for again; a killed download leaves
 * nothing that could be taken for a whole file.
 * @throws MODEL_UNREACHABLE if a needed file can be had neither from the cache nor from the network.
 */
export async function downloadModel(
  id: string,
  options: { readonly cacheDirectory: string; readonly onProgress?: OnProgress },
): Promise<string> {
  const folder = join(options.cacheDirectory, 'hub', ...id.split('/'))
  const marker = join(folder, '.complete')
  if (await exists(marker)) return folder
  const environment = await hubEnvironment()
  for (const file of [...OPTIONAL, ...NEEDED]) {
    const target = join(folder, file)
    if (await exists(target)) continue
    await download(environment, id, file, target, NEEDED.includes(file), options.onProgress)
  }
  await pipeline(Readable.from([]), createWriteStream(marker))
  return folder
}

async function download(
  environment: HubEnvironment,
  id: string,
  file: string,
  target: string,
  needed: boolean,
  onProgress: OnProgress | undefined,
): Promise<void> {
  const path = environment.remotePathTemplate.replaceAll('{model}', id).replaceAll('{revision}', 'main')
  const address = `${environment.remoteHost.replace(/\/$/, '')}/${path.replace(/\/$/, '')}/${file}`
  const token = process.env.HF_TOKEN ?? process.env.HF_ACCESS_TOKEN
  const official = /^https:\/\/(huggingface\.co|hf\.co)\//.test(address)
  const temporary = `${target}.${process.pid}.part`
  try {
    const headers: Record<string, string> = token && official ? { authorization: `Bearer ${token}` } : {}
    const response = await environment.fetch(address, { headers })
    if (response.status === 404 && !needed) return
    if (!response.ok || response.body === null) throw new Error(`the server answered ${response.status}`)
    const total = Number(response.headers.get('content-length')) || undefined
    let done = 0
    const counter = new Transform({
      transform(chunk: Buffer, _encoding, next) {
        done += chunk.length
        onProgress?.({ stage: `download ${id}/${file}`, done, total, unit: 'bytes' })
        next(null, chunk)
      },
    })
    makeFolder(dirname(target))
    await pipeline(Readable.fromWeb(response.body as ReadableStream), counter, createWriteStream(temporary))
    // A compressed answer is longer than it says; anything shorter was cut off.
    if (total !== undefined && done < total)
      throw new Error(`the answer ended after ${done} of ${total} bytes`)
    await rename(temporary, target)
  } catch (cause) {
    await rm(temporary, { force: true })
    throw new TextrecError(
      'MODEL_UNREACHABLE',
      `${id}/${file} could not be downloaded from ${environment.remoteHost}.`,
      `Check the network and the name, or copy the model's files into a folder and pass that folder's path; 'all-MiniLM-L6-v2' needs no network.`,
      { cause },
    )
  }
}

async function hubEnvironment(): Promise<HubEnvironment> {
  let environment: HubEnvironment
  try {
    const hub = (await import('@xenova/transformers')) as unknown as { readonly env: HubEnvironment }
    environment = hub.env
  } catch (cause) {
    throw new TextrecError(
      'DEPENDENCY_MISSING',
      '@xenova/transformers could not be loaded.',
      'Install textrec again, or pass the path of a folder with the model.',
      { cause },
    )
  }
  if (!environment.allowRemoteModels) {
    throw new TextrecError(
      'MODEL_UNREACHABLE',
      'Downloads are switched off (allowRemoteModels of @xenova/transformers).',
      'Pass the path of a folder with the model.',
    )
  }
  return environment
}

async function exists(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile()
  } catch {
    return false
  }
}
