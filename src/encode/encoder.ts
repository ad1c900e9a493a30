import { join } from 'node:path'
import { TextrecError } from '../errors.js'
import { matrix, row } from '../math/matrix.js'
import { WorkerClient } from '../onnx/worker-client.js'
import { anything, choice, integer, type OptionTable, optional, resolveOptions, text } from '../options.js'
import type { Device, DeviceChoice, Dtype, DtypeChoice, Matrix, OnProgress } from '../types.js'
import { costOf, portionsForTwo } from './batches.js'
import { defaultCacheDirectory } from './cache-directory.js'
import type { Encoded, EncodeRequest, EncoderFacts, OpenRequest } from './engine.js'
import { type Lane, Lanes } from './lanes.js'
import { resolveModel } from './resolve-model.js'

export interface OpenEncoderOptions {
  /** Default 'auto': a GPU that is there and has its libraries, else the CPU. */
  readonly device?: DeviceChoice
  /** Default 'auto': int8 on a CPU with exact 8-bit products, else fp32. 'fp16' is for GPUs that have it. */
  readonly dtype?: DtypeChoice
  /** Threads that compute on the CPU, together. Default 0: one per processor, at most 8. */
  readonly threads?: number
  /**
   * Where built graphs are kept, and, in `hub` below it, models from Hugging Face. Default: `$TEXTREC_CACHE`;
   * without that, graphs go to `defaultCacheDirectory()` and models to transformers.js' own cache, its
   * `env.cacheDir`. Models that are in the latter are found there in any case.
   */
  readonly cacheDirectory?: string
  /** Stops a download; whole files that have arrived stay. */
  readonly signal?: AbortSignal
  readonly onProgress?: OnProgress
}

export interface EncodeOptions {
  /** Some encoders want questions and documents marked apart. Default 'passage'. */
  readonly kind?: 'query' | 'passage'
  readonly signal?: AbortSignal
  readonly onProgress?: OnProgress
}

/** Unit vectors, one row per text, and what became of the long ones. */
export interface EncodedTexts extends Matrix {
  /** Tokens that were computed, padding not counted. */
  readonly tokens: number
  /** Texts that were longer than `maxTokens` and were encoded as several overlapping windows. */
  readonly split: number
  /** Texts of more than 256 windows, of which evenly spread ones stand for the whole. */
  readonly sampled: number
}

const OPEN_OPTIONS: OptionTable<OpenEncoderOptions> = {
  device: choice<DeviceChoice>('auto', ['auto', 'cpu', 'webgpu', 'cuda']),
  dtype: choice<DtypeChoice>('auto', ['auto', 'fp32', 'fp16', 'int8']),
  threads: integer(0, 0, 256),
  cacheDirectory: optional(text('')),
  signal: anything<AbortSignal | undefined>(undefined, 'an AbortSignal'),
  onProgress: anything<OnProgress | undefined>(undefined, 'a function'),
}

const ENCODE_OPTIONS: OptionTable<EncodeOptions> = {
  kind: choice<'query' | 'passage'>('passage', ['query', 'passage']),
  signal: anything<AbortSignal | undefined>(undefined, 'an AbortSignal'),
  onProgress: anything<OnProgress | undefined>(undefined, 'a function'),
}

/**
 * A pretrained encoder in a worker thread, or two for many texts: texts in, unit vectors out. The caller's thread
 * stays responsive.
 * Vectors may be compared only if their encoders have the same `fingerprint`.
 */
export class Encoder {
  private constructor(
    readonly name: string,
    private readonly facts: EncoderFacts,
    private readonly lanes: Lanes,
  ) {}

  /** See `openEncoder`. */
  static async open(name: string, options: OpenEncoderOptions = {}): Promise<Encoder> {
    const { onProgress, signal, ...resolved } = resolveOptions('openEncoder', OPEN_OPTIONS, options)
    const chosen = resolved.cacheDirectory ?? (process.env.TEXTREC_CACHE || undefined)
    const cacheDirectory = chosen ?? defaultCacheDirectory()
    const hubDirectory = chosen === undefined ? undefined : join(chosen, 'hub')
    const source = await resolveModel(name, { hubDirectory, signal, onProgress })
    const request: OpenRequest = {
      source,
      device: resolved.device ?? 'auto',
      dtype: resolved.dtype ?? 'auto',
      threads: resolved.threads ?? 0,
      cacheDirectory,
    }
    const first = await openLane(request, { signal, onProgress })
    const another = async () => {
      const { facts, lane } = await openLane(request, {})
      if (facts.fingerprint === first.facts.fingerprint) return lane
      await lane.close()
      throw new TextrecError('MODEL_INVALID', `${name} has changed since it was opened.`, 'Open it again.')
    }
    return new Encoder(name, first.facts, new Lanes(first.lane, another, first.facts.lanes))
  }

  /** Names everything that the vectors depend on: weights, arithmetic, pooling, limits, prefixes. */
  get fingerprint(): string {
    return this.facts.fingerprint
  }

  /** Numbers in a vector. */
  get dim(): number {
    return this.facts.dim
  }

  get device(): Device {
    return this.facts.device
  }

  get deviceReason(): string {
    return this.facts.deviceReason
  }

  get dtype(): Dtype {
    return this.facts.dtype
  }

  get dtypeReason(): string {
    return this.facts.dtypeReason
  }

  /** Tokens in one window, special ones included; longer texts get several windows. */
  get maxTokens(): number {
    return this.facts.maxTokens
  }

  /**
   * The vectors of texts of any length: finite, of length 1. A text beyond `maxTokens` is cut into overlapping
   * windows whose vectors are averaged, weighted by their tokens. The empty text has a vector too: what the
   * encoder says about nothing but its special tokens.
   *
   * In fp32 a text's vector does not depend on the other texts (differences below 1e-5); in int8 it does
   * slightly on those of the same length in tokens, because a batch shares its 8-bit scales (a text alone against the same
   * text in a batch: cosine .997 on average, .996 at worst, of 60 real texts); `embedTexts` stores its batches, so that runs repeat.
   * @throws OPTION_INVALID if a text is no string; ABORTED if the signal fires, between two batches.
   */
  async encode(texts: readonly string[], options: EncodeOptions = {}): Promise<EncodedTexts> {
    const { kind = 'passage', signal, onProgress } = resolveOptions('encode', ENCODE_OPTIONS, options)
    for (const [i, text] of texts.entries()) {
      if (typeof text !== 'string') {
        throw new TextrecError(
          'OPTION_INVALID',
          `encode: text ${i} is not a string.`,
          'Pass an array of strings.',
        )
      }
    }
    const portions = portionsForTwo(texts)
    const vectors = matrix(texts.length, this.dim)
    const sum = { tokens: 0, split: 0, sampled: 0 }
    const costs = portions.map((portion) => portion.reduce((cost, i) => cost + costOf(texts[i]), 0))
    const shares = portions.map(() => 0)
    const tell = (at: number, told: number) => {
      shares[at] = told
      const done = Math.floor(portions.reduce((texts, { length }, i) => texts + length * shares[i], 0))
      const total = texts.length
      // Work, not texts: a single one may be most of it.
      const share = costs.reduce((sum, cost, i) => sum + cost * shares[i], 0) / costs.reduce((a, b) => a + b)
      onProgress?.({ stage: 'encode', done, total, share, unit: 'texts' })
    }
    const one = async (portion: readonly number[], at: number) => {
      const request: EncodeRequest = { texts: portion.map((i) => texts[i]), kind }
      const encoded = await this.lanes.encode(request, {
        signal,
        onProgress: ({ share = 0 }) => tell(at, share),
      })
      tell(at, 1)
      for (const [j, i] of portion.entries()) {
        row(vectors, i).set(encoded.vectors.subarray(j * this.dim, (j + 1) * this.dim))
      }
      sum.tokens += encoded.tokens
      sum.split += encoded.split
      sum.sampled += encoded.sampled
    }
    // All of them end before a failure is told: nothing goes on behind the caller's back.
    const ends = await Promise.allSettled(portions.map(one))
    for (const end of ends) if (end.status === 'rejected') throw end.reason
    return { ...vectors, ...sum }
  }

  /** Lets what is running end, frees the model and ends its threads. Safe to call twice. */
  async close(): Promise<void> {
    await this.lanes.close()
  }
}

/** A worker thread with the encoder in it, and what is known of that. */
async function openLane(
  request: OpenRequest,
  options: { readonly signal?: AbortSignal; readonly onProgress?: OnProgress },
): Promise<{ readonly facts: EncoderFacts; readonly lane: Lane }> {
  const worker = new WorkerClient(new URL('./worker.js', import.meta.url), 'The encoder')
  try {
    const facts = await worker.call<OpenRequest, EncoderFacts, never>('open', request, options)
    return {
      facts,
      lane: {
        encode: (portion, options) => worker.call<EncodeRequest, Encoded, never>('encode', portion, options),
        close: () => worker.close(),
      },
    }
  } catch (error) {
    await worker.close()
    throw error
  }
}

/**
 * Opens an encoder.
 * @param name a known name ('all-MiniLM-L6-v2', see `knownEncoders`), a Hugging Face id ('org/name', downloaded
 *   once) or the path of a folder with config.json, tokenizer.json and weights (*.safetensors or an ONNX file).
 * @throws MODEL_UNKNOWN, MODEL_INVALID, MODEL_UNREACHABLE, DEVICE_MISSING, DISK_FULL, ABORTED, OPTION_*.
 */
export function openEncoder(name: string, options: OpenEncoderOptions = {}): Promise<Encoder> {
  return Encoder.open(name, options)
}
