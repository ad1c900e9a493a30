import { availableParallelism } from 'node:os'
import { TextrecError } from '../errors.js'
import {
  chooseDevice,
  chooseDtype,
  type Decision,
  deviceFailed,
  hasByteProducts,
  inspectMachine,
} from '../onnx/device.js'
import { Session, tensor } from '../onnx/session.js'
import { nativeStep } from '../onnx/worker-server.js'
import type { Device, Dtype, Progress } from '../types.js'
import { maxTokensOf, readBertConfig } from './bert-config.js'
import type { OpenRequest } from './engine.js'
import { hashOf, readModelJson } from './files.js'
import { cachedGraph } from './graph-cache.js'
import { GRAPH_VERSION, type GraphVariant, takesPadding } from './graph-kinds.js'
import { hashWeights } from './safetensors-file.js'

/** Token ids to unit vectors. */
export interface Network {
  readonly dim: number
  readonly maxTokens: number
  /** What the vectors depend on: weights, sizes, arithmetic, pooling. Not the device. */
  readonly fingerprint: string
  readonly variant: string
  readonly device: Decision<Device>
  readonly dtype: Decision<Dtype>
  /** Worker threads that may hold it at a time; it computes with its share of the processors, see lanesFor. */
  readonly lanes: number
  /** Whether the windows of a batch may differ in length. */
  readonly padding: boolean
  /** ids and mask: [batch, tokens], padding last; a network without padding needs no mask. Returns [batch, dim]. */
  run(ids: Int32Array, mask: Int32Array, batch: number, tokens: number): Promise<Float32Array>
  close(): Promise<void>
}

/** What stands before and after every window. */
export interface SpecialTokens {
  readonly before: readonly number[]
  readonly after: readonly number[]
}

/** More threads than these do not help batches of this size. */
const MAX_THREADS = 8

/** The number of threads to use: what was asked for, or for 0 one per processor up to MAX_THREADS. */
export function threadsFor(asked: number): number {
  return asked > 0 ? asked : Math.min(availableParallelism(), MAX_THREADS)
}

/** Graphs up to this size may be held twice. */
const MOST_BYTES_TWICE = 200 * 2 ** 20

/**
 * Two where the CPU computes with several threads and the model is small, with half of the threads each: those of
 * one batch wait for each other at every operator, some seventy times in 20 ms, and pass what they computed from
 * one processor's cache to another's; batches apart do neither. A GPU is filled by one; a large model, whose
 * operators take longer, would cost too much memory twice.
 */
function lanesFor(device: Device, bytes: number, threads: number): number {
  return device === 'cpu' && threads > 1 && bytes <= MOST_BYTES_TWICE ? 2 : 1
}

/**
 * Opens the network of a model in this thread.
 * @throws MODEL_INVALID, DEVICE_MISSING, RUNTIME_FAILED.
 */
export async function openNetwork(
  request: OpenRequest,
  special: SpecialTokens,
  onProgress: (progress: Progress) => void,
): Promise<Network> {
  const { weights } = request.source
  if (weights.kind === 'safetensors') return openBertNetwork(request, weights, special, onProgress)
  const { openOnnxNetwork } = await import('./onnx-network.js')
  return openOnnxNetwork(request, weights)
}

async function openBertNetwork(
  request: OpenRequest,
  files: { readonly path: string; readonly config: string },
  special: SpecialTokens,
  onProgress: (progress: Progress) => void,
): Promise<Network> {
  const { source } = request
  const shape = readBertConfig(await readModelJson(files.config), files.config)
  // The weights themselves are read only where there is no graph of them yet: which one is theirs a known hash says.
  const sha256 = source.sha256 ?? (await hashWeights(files.path))
  const machine = inspectMachine()
  const openOn = async (device: Decision<Device>): Promise<Network> => {
    const dtype = chooseDtype(request.dtype, device.chosen, machine)
    const variant: GraphVariant =
      dtype.chosen === 'int8' ? (hasByteProducts(machine) ? 'int8' : 'int8-7bit') : dtype.chosen
    const identity = { version: GRAPH_VERSION, sha256, shape, variant, pooling: source.pooling }
    const graph = await cachedGraph(request.cacheDirectory, hashOf(identity), async () => {
      onProgress({ stage: 'build encoder', done: 0, total: 1, unit: 'graphs' })
      const { buildGraph } = await import('./build-graph.js')
      const bytes = await buildGraph({ path: files.path, sha256 }, shape, variant, source.pooling, special)
      onProgress({ stage: 'build encoder', done: 1, total: 1, unit: 'graphs' })
      return bytes
    })
    const threads = threadsFor(request.threads)
    const lanes = lanesFor(device.chosen, graph.bytes.length, threads)
    const session = await createSession(graph.bytes, device.chosen, Math.ceil(threads / lanes))
    if (variant === 'fp16') await requireHalf(session, device.chosen)
    return {
      dim: shape.hidden,
      maxTokens: maxTokensOf(shape),
      // Of the very bytes: a graph that came out otherwise, here or on another machine, makes other vectors.
      fingerprint: graph.sha256,
      variant,
      device,
      dtype,
      lanes,
      padding: takesPadding(variant),
      async run(ids, mask, batch, tokens) {
        requireKnownTokens(ids, shape.vocabulary, source.name)
        const dims = [batch, tokens]
        const feeds = {
          ids: tensor('int32', ids, dims),
          ...(takesPadding(variant) ? { mask: tensor('int32', mask, dims) } : {}),
        }
        const { vectors } = await nativeStep(() => session.run(feeds))
        return vectors.data as Float32Array
      },
      close: () => nativeStep(() => session.close()),
    }
  }
  return onChosenDevice(request, openOn)
}

/** Whether a GPU has fp16 shows only when it is to compute with it. @throws DEVICE_MISSING */
async function requireHalf(session: Session, device: Device): Promise<void> {
  const one = tensor('int32', Int32Array.of(1), [1, 1])
  try {
    await nativeStep(() => session.run({ ids: one, mask: one }))
  } catch (cause) {
    await nativeStep(() => session.close())
    throw new TextrecError(
      'DEVICE_MISSING',
      `Device '${device}' does not compute in fp16 here.`,
      "Use dtype 'fp32' or 'auto'.",
      { cause },
    )
  }
}

/** An id beyond the table of words would end the run with an error that nobody understands. */
export function requireKnownTokens(ids: Int32Array, vocabulary: number, model: string): void {
  for (const id of ids) {
    if (id < 0 || id >= vocabulary) {
      throw new TextrecError(
        'MODEL_INVALID',
        `The tokenizer of ${model} gives token ${id} and its weights know ${vocabulary}.`,
        'Use tokenizer.json and weights of the same model.',
      )
    }
  }
}

/** A session on `device`. @throws DEVICE_MISSING for a GPU that cannot be used. */
export async function createSession(
  model: Uint8Array | string,
  device: Device,
  threads: number,
  optimization: 'basic' | 'all' = 'basic',
): Promise<Session> {
  try {
    return await nativeStep(() =>
      Session.create(model, { device, threads: threadsFor(threads), optimization }),
    )
  } catch (cause) {
    if (device === 'cpu') throw cause
    throw deviceFailed(device, cause)
  }
}

/** Opens on the device that was asked for; 'auto' falls back to the CPU, saying why, if its choice fails. */
export async function onChosenDevice(
  request: OpenRequest,
  open: (device: Decision<Device>) => Promise<Network>,
): Promise<Network> {
  const device = chooseDevice(request.device)
  try {
    return await open(device)
  } catch (error) {
    const usable = request.device === 'auto' && device.chosen !== 'cpu'
    if (!usable || !(error instanceof TextrecError) || error.code !== 'DEVICE_MISSING') throw error
    return open({ chosen: 'cpu', reason: `device '${device.chosen}' could not be started` })
  }
}
