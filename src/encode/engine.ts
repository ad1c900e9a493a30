import { TextrecError, throwIfAborted } from '../errors.js'
import { addScaled, isFiniteVector, normalize } from '../math/matrix.js'
import type { Device, DeviceChoice, Dtype, DtypeChoice, Progress } from '../types.js'
import { batchByLength, PADDING_SHARE, TOKENS_PER_BATCH, TOKENS_PER_GPU_BATCH } from './batches.js'
import { hashOf, parseModelJson, readModelFile } from './files.js'
import { GRAPH_VERSION } from './graph-kinds.js'
import type { ModelSource } from './model-source.js'
import { type Network, openNetwork } from './network.js'
import { Tokenizer } from './tokenizer.js'
import { MAX_WINDOWS, sampleWindows, type Window, windowsOf } from './windows.js'

/** A window longer than this gains nothing from most encoders and costs quadratic time. */
const MAX_WINDOW_TOKENS = 512

export interface OpenRequest {
  readonly source: ModelSource
  readonly device: DeviceChoice
  readonly dtype: DtypeChoice
  readonly threads: number
  readonly cacheDirectory: string
}

/** What is known of an encoder once it is open. */
export interface EncoderFacts {
  readonly fingerprint: string
  readonly dim: number
  readonly device: Device
  readonly deviceReason: string
  readonly dtype: Dtype
  readonly dtypeReason: string
  readonly maxTokens: number
  /** Threads that may hold this encoder at a time, see lanes.ts. */
  readonly lanes: number
}

export interface EncodeRequest {
  /** A portion (`portionsForTwo`): all of them are in memory as tokens at once. */
  readonly texts: readonly string[]
  readonly kind: 'query' | 'passage'
}

export interface Encoded {
  /** [texts, dim] row-major unit vectors. */
  readonly vectors: Float32Array
  /** Tokens that were computed, special ones included, padding not. */
  readonly tokens: number
  /** Texts that needed more than one window. */
  readonly split: number
  /** Texts so long that evenly spread windows stand for the whole. */
  readonly sampled: number
}

interface Pieces {
  /** Ids of one window each, special tokens included. */
  readonly windows: Int32Array[]
  /** The text that each window is part of. */
  readonly owners: number[]
  split: number
  sampled: number
}

/** Texts to vectors, in the thread that owns it. */
export class EncoderEngine {
  private constructor(
    private readonly source: ModelSource,
    private readonly tokenizer: Tokenizer,
    private readonly network: Network,
    readonly facts: EncoderFacts,
  ) {}

  static async open(request: OpenRequest, onProgress: (progress: Progress) => void): Promise<EncoderEngine> {
    const { source } = request
    const tokenizerBytes = await readModelFile(source.tokenizer)
    const configBytes =
      source.tokenizerConfig === undefined ? undefined : await readModelFile(source.tokenizerConfig)
    const tokenizer = Tokenizer.create(
      parseModelJson(tokenizerBytes, source.tokenizer),
      configBytes === undefined ? undefined : parseModelJson(configBytes, source.tokenizerConfig ?? ''),
      source.tokenizer,
    )
    const network = await openNetwork(request, tokenizer, onProgress)
    try {
      const maxTokens = Math.min(source.maxTokens ?? MAX_WINDOW_TOKENS, network.maxTokens)
      if (maxTokens < tokenizer.specialTokens + 8) {
        throw new TextrecError(
          'MODEL_INVALID',
          `${source.name} takes ${maxTokens} tokens.`,
          'Use another model.',
        )
      }
      const fingerprint = hashOf({
        version: GRAPH_VERSION,
        network: network.fingerprint,
        tokenizer: [hashOf(tokenizerBytes), configBytes === undefined ? '' : hashOf(configBytes)],
        maxTokens,
        maxWindows: MAX_WINDOWS,
        prefixes: source.prefixes,
      })
      return new EncoderEngine(source, tokenizer, network, {
        fingerprint: `${network.variant}-${fingerprint.slice(0, 32)}`,
        dim: network.dim,
        device: network.device.chosen,
        deviceReason: network.device.reason,
        dtype: network.dtype.chosen,
        dtypeReason: network.dtype.reason,
        maxTokens,
        lanes: network.lanes,
      })
    } catch (error) {
      await network.close()
      throw error
    }
  }

  /**
   * @param onProgress called at most once in TOKENS_PER_BATCH tokens, and not after the last
   * @throws ABORTED between two batches; RUNTIME_FAILED if the model gives something that is no vector.
   */
  async encode(
    request: EncodeRequest,
    signal: AbortSignal,
    onProgress: (progress: Progress) => void,
  ): Promise<Encoded> {
    const { texts } = request
    const { dim } = this.facts
    const vectors = new Float32Array(texts.length * dim)
    const budget = this.facts.device === 'cpu' ? TOKENS_PER_BATCH : TOKENS_PER_GPU_BATCH
    const pieces = this.cut(texts, this.source.prefixes[request.kind])
    const lengths = pieces.windows.map((window) => window.length)
    const tokens = lengths.reduce((total, length) => total + length, 0)
    let computed = 0
    let told = 0
    for (const batch of batchByLength(lengths, budget, this.network.padding ? PADDING_SHARE : 0)) {
      throwIfAborted(signal, 'Encoding')
      await this.computeBatch(pieces, batch, vectors)
      computed += batch.reduce((total, i) => total + lengths[i], 0)
      // The answer says that all is done: a question costs no other message.
      if (computed === tokens) break
      if (computed - told < TOKENS_PER_BATCH) continue
      told = computed
      const share = computed / tokens
      const done = Math.floor(texts.length * share)
      onProgress({ stage: 'encode', done, total: texts.length, share, unit: 'texts' })
    }
    for (let i = 0; i < texts.length; i++) normalize(vectors.subarray(i * dim, (i + 1) * dim))
    if (!isFiniteVector(vectors)) {
      throw new TextrecError(
        'RUNTIME_FAILED',
        `${this.source.name} gave NaN or infinity.`,
        "Use dtype 'fp32'.",
      )
    }
    return { vectors, tokens, split: pieces.split, sampled: pieces.sampled }
  }

  async close(): Promise<void> {
    await this.network.close()
  }

  private cut(texts: readonly string[], prefix: string): Pieces {
    const { tokenizer } = this
    const pieces: Pieces = { windows: [], owners: [], split: 0, sampled: 0 }
    const head = [...tokenizer.before, ...(prefix === '' ? [] : tokenizer.ids(prefix))]
    const room = this.facts.maxTokens - head.length - tokenizer.after.length
    for (const [i, text] of texts.entries()) {
      const ids = tokenizer.ids(text)
      const all: readonly Window[] = windowsOf(ids.length, room)
      const kept = sampleWindows(all)
      if (all.length > 1) pieces.split++
      if (kept.length < all.length) pieces.sampled++
      for (const { start, end } of kept) {
        pieces.windows.push(Int32Array.from([...head, ...ids.subarray(start, end), ...tokenizer.after]))
        pieces.owners.push(i)
      }
    }
    return pieces
  }

  /** Adds each window's vector, weighted by its tokens, to the row of its text. */
  private async computeBatch(pieces: Pieces, batch: readonly number[], rows: Float32Array): Promise<void> {
    const { dim } = this.facts
    const width = Math.max(...batch.map((i) => pieces.windows[i].length))
    const ids = new Int32Array(batch.length * width)
    const mask = new Int32Array(batch.length * width)
    for (const [row, i] of batch.entries()) {
      ids.set(pieces.windows[i], row * width)
      mask.fill(1, row * width, row * width + pieces.windows[i].length)
    }
    const result = await this.network.run(ids, mask, batch.length, width)
    for (const [row, i] of batch.entries()) {
      const target = rows.subarray(pieces.owners[i] * dim, (pieces.owners[i] + 1) * dim)
      addScaled(target, result.subarray(row * dim, (row + 1) * dim), pieces.windows[i].length)
    }
  }
}
