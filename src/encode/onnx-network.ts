import { TextrecError } from '../errors.js'
import { type Feeds, type Session, tensor } from '../onnx/session.js'
import { nativeStep } from '../onnx/worker-server.js'
import type { OpenRequest } from './engine.js'
import { hashModelFile, hashOf, isRecord, modelFileBytes, readModelJson } from './files.js'
import type { Pooling } from './graph-kinds.js'
import { createSession, type Network, onChosenDevice, requireKnownTokens } from './network.js'
import { externalFiles } from './onnx-file.js'

/** Outputs that hold one vector per token or per text, in the names that exporters give them. */
const OUTPUTS = ['sentence_embedding', 'last_hidden_state', 'token_embeddings']
const DEFAULT_MAX_TOKENS = 512

/**
 * An encoder that comes as an ONNX file. Its arithmetic is what the file says: vectors come out as fp32.
 * @throws OPTION_INVALID for dtype 'int8' or 'fp16'; MODEL_INVALID if its inputs and outputs are not an encoder's or its data lies outside its folder.
 */
export async function openOnnxNetwork(
  request: OpenRequest,
  files: { readonly path: string; readonly config: string | undefined },
): Promise<Network> {
  const { source } = request
  if (request.dtype === 'int8' || request.dtype === 'fp16') {
    throw new TextrecError(
      'OPTION_INVALID',
      `dtype '${request.dtype}' cannot be applied to an ONNX file.`,
      "Use dtype 'auto', with a folder whose model.onnx has the precision that you want.",
    )
  }
  if (source.pooling === 'last-two') {
    throw new TextrecError(
      'OPTION_INVALID',
      `The layers before the last one cannot be seen in ${files.path}.`,
      "Leave '#last-two' out, or use a folder with safetensors.",
    )
  }
  await modelFileBytes(files.path)
  const beside = await externalFiles(files.path)
  const hashes = [await hashModelFile(files.path)]
  for (const path of beside) hashes.push(await hashModelFile(path))
  const config = files.config === undefined ? undefined : await readModelJson(files.config)
  const limit = (name: string, fallback: number) => {
    const value = isRecord(config) ? config[name] : undefined
    return Number.isSafeInteger(value) && (value as number) > 0 ? (value as number) : fallback
  }
  return onChosenDevice(request, async (device) => {
    const session = await createSession(files.path, device.chosen, request.threads, 'all')
    try {
      requireEncoder(session, files.path)
      const output = OUTPUTS.find((name) => session.outputNames.includes(name)) as string
      const vocabulary = limit('vocab_size', 2 ** 31 - 1)
      const run = async (ids: Int32Array, mask: Int32Array, batch: number, tokens: number) => {
        requireKnownTokens(ids, vocabulary, source.name)
        return runOnnx(session, output, source.pooling, ids, mask, [batch, tokens])
      }
      const trial = await run(new Int32Array(1), Int32Array.of(1), 1, 1)
      return {
        dim: trial.length,
        // RoBERTa's table has two rows that no position uses; leaving them out of BERT's costs nothing.
        maxTokens: limit('max_position_embeddings', DEFAULT_MAX_TOKENS + 2) - 2,
        fingerprint: hashOf({ onnx: hashes, pooling: source.pooling }),
        variant: 'onnx',
        device,
        dtype: { chosen: 'fp32', reason: 'an ONNX file decides its own arithmetic' },
        lanes: 1,
        padding: true,
        run,
        close: () => nativeStep(() => session.close()),
      }
    } catch (error) {
      await session.close()
      throw error
    }
  })
}

function requireEncoder(session: Session, path: string): void {
  const known = ['input_ids', 'attention_mask', 'token_type_ids']
  const foreign = session.inputNames.filter((name) => !known.includes(name))
  const usable = OUTPUTS.some((name) => session.outputNames.includes(name))
  if (foreign.length === 0 && session.inputNames.includes('input_ids') && usable) return
  throw new TextrecError(
    'MODEL_INVALID',
    `${path} takes ${session.inputNames.join(', ')} and gives ${session.outputNames.join(', ')}.`,
    `A text encoder takes ${known.join(', ')} and gives ${OUTPUTS.join(' or ')}.`,
  )
}

async function runOnnx(
  session: Session,
  output: string,
  pooling: Pooling,
  ids: Int32Array,
  mask: Int32Array,
  dims: readonly [number, number],
): Promise<Float32Array> {
  const wide = (values: Int32Array) => tensor('int64', BigInt64Array.from(values, BigInt), dims)
  const all: Feeds = {
    input_ids: wide(ids),
    attention_mask: wide(mask),
    token_type_ids: wide(new Int32Array(ids.length)),
  }
  const feeds: Record<string, Feeds[string]> = {}
  for (const name of session.inputNames) feeds[name] = all[name]
  const result = (await nativeStep(() => session.run(feeds)))[output]
  if (!(result.data instanceof Float32Array)) {
    throw new TextrecError('MODEL_INVALID', `Output '${output}' is ${result.type}.`, 'It must be float32.')
  }
  if (result.dims.length === 2) return result.data
  return poolTokens(result.data, mask, dims[0], dims[1], pooling)
}

/**
 * [batch, tokens, dim] to [batch, dim]; lengths are left to the caller, who makes unit vectors of windows. */
export function poolTokens(
  states: Float32Array,
  mask: Int32Array,
  batch: number,
  tokens: number,
  pooling: Pooling,
): Float32Array {
  const dim = states.length / (batch * tokens)
  const pooled = new Float32Array(batch * dim)
  for (let row = 0; row < batch; row++) {
    for (let token = 0; token < (pooling === 'cls' ? 1 : tokens); token++) {
      if (mask[row * tokens + token] === 0) continue
      const at = (row * tokens + token) * dim
      for (let i = 0; i < dim; i++) pooled[row * dim + i] += states[at + i]
    }
  }
  return pooled
}
