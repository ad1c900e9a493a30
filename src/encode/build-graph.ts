import { TextrecError } from '../errors.js'
import { serializeModel } from '../onnx/protobuf.js'
import { tensor } from '../onnx/session.js'
import { nativeStep } from '../onnx/worker-server.js'
import { type BertShape, maxTokensOf } from './bert-config.js'
import { buildBertGraph, buildCalibrationGraph } from './bert-graph.js'
import { BertWeights } from './bert-weights.js'
import { hashOf, readModelFile } from './files.js'
import type { GraphVariant, Pooling } from './graph-kinds.js'
import { createSession, requireKnownTokens, type SpecialTokens } from './network.js'
import { calibrationTokens } from './outliers.js'
import { Safetensors } from './safetensors.js'
import { hashWeights } from './safetensors-file.js'

/**
 * The ONNX bytes of a variant of an encoder. Loaded only where there is no graph of these weights yet.
 * @param weights a safetensors file and the SHA-256 that it must have.
 * @throws MODEL_INVALID
 */
export async function buildGraph(
  weights: { readonly path: string; readonly sha256: string },
  shape: BertShape,
  variant: GraphVariant,
  pooling: Pooling,
  special: SpecialTokens,
): Promise<Uint8Array> {
  const { path, sha256 } = weights
  const requireSame = (found: string) => {
    if (found === sha256) return
    throw new TextrecError(
      'MODEL_INVALID',
      `${path} has SHA-256 ${found}, not ${sha256}.`,
      'Delete it, so that it is downloaded again.',
    )
  }
  // Once as it lies there, which costs no memory, and again what was read: it may have changed meanwhile.
  requireSame(await hashWeights(path))
  const bytes = await readModelFile(path)
  requireSame(hashOf(bytes))
  return buildModel(new BertWeights(Safetensors.parse(bytes, path), shape), shape, variant, pooling, special)
}

/** For int8 after a look at which channels stand out. */
async function buildModel(
  weights: BertWeights,
  shape: BertShape,
  variant: GraphVariant,
  pooling: Pooling,
  special: SpecialTokens,
): Promise<Uint8Array> {
  if (variant === 'fp32' || variant === 'fp16')
    return serializeModel(buildBertGraph(weights, shape, { variant, pooling }))
  const model = serializeModel(buildCalibrationGraph(weights, shape))
  const session = await createSession(model, 'cpu', 0)
  try {
    const dims = [16, Math.min(64, maxTokensOf(shape))] as const
    const ids = calibrationTokens(shape.vocabulary, special, ...dims)
    requireKnownTokens(ids, shape.vocabulary, 'the model')
    const seen = await nativeStep(() => session.run({ ids: tensor('int32', ids, dims) }))
    const layers = (part: string) =>
      Array.from({ length: shape.layers }, (_, i) => seen[`${part}${i}`].data as Float32Array)
    const maxima = { attention: layers('attention'), up: layers('up'), down: layers('down') }
    return serializeModel(buildBertGraph(weights, shape, { variant, pooling, maxima }))
  } finally {
    await nativeStep(() => session.close())
  }
}
