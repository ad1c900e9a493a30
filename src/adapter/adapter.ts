import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type JsonObject, type Manifest, publishFolder, readPayload } from '../artifact/index.js'
import { TextrecError } from '../errors.js'
import { addScaled, matrix, normalize, requireSameDimension, row } from '../math/matrix.js'
import { WorkerClient } from '../onnx/worker-client.js'
import type { Matrix } from '../types.js'
import type { Blend } from './blend.js'
import type { Fitted } from './fit-types.js'
import { type AdapterShape, readsTimes } from './model.js'
import { ENCODERS } from './options.js'
import { addPrefix, readTensors, type Tensors, withPrefix, writeTensors } from './tensors.js'
import type { ItemsRequest, OpenRequest, PersonsRequest, ScoresRequest } from './worker.js'

/** Kind of the published folder that holds one. */
export const ADAPTER_KIND = 'adapter'
const VERSION = 2

/** What an adapter is made of, apart from the numbers. */
export interface AdapterParts {
  readonly fitted: Fitted
  /** Ids of the warm items, in the order of `fitted.warm` and of the ID rows. */
  readonly warmIds: readonly string[]
  /** Fingerprint of the encoder and profile that made the text vectors it was trained on. */
  readonly textSpace: string
}

/**
 * A trained map from text vectors to a space where near means liked together. An item vector is unit length
 * and has two parts, whitened text and the trained head, mixed by `blend`; a person's vector has the same two
 * parts, so one inner product scores with both. Computes in a worker thread of its own.
 */
export class Adapter {
  /** Numbers per item and person vector. */
  readonly dim: number
  /** Numbers per text vector that it takes. */
  readonly textDim: number
  /** Changes with anything that would change a vector. */
  readonly fingerprint: string
  private readonly places: ReadonlyMap<string, number>
  private worker: WorkerClient | undefined
  private ready: Promise<unknown> | undefined

  constructor(
    readonly parts: AdapterParts,
    private readonly threads = 0,
  ) {
    const { fitted, warmIds } = parts
    this.dim = fitted.shape.textDim + fitted.shape.dim
    this.textDim = fitted.whitening.mean.length
    this.places = new Map(warmIds.map((id, place) => [id, place]))
    this.fingerprint = fingerprintOf(parts)
  }

  /** [items] each item's place among the warm ones, -1 for cold items: what `itemVectors` wants. */
  idIndex(itemIds: readonly string[]): Int32Array {
    return Int32Array.from(itemIds, (id) => this.places.get(id) ?? -1)
  }

  /**
   * [items, dim] unit rows.
   * @param texts [items, textDim] text vectors of the adapter's text space; zeros where there is no text
   * @param index from `idIndex`; all items are cold when absent
   * @throws DIMENSION_MISMATCH for text vectors of another size
   */
  async itemVectors(texts: Matrix, index: Int32Array = new Int32Array(texts.rows).fill(-1)): Promise<Matrix> {
    requireSameDimension(texts.dim, this.textDim)
    requireSameDimension(index.length, texts.rows)
    return this.call<ItemsRequest, Matrix>('items', { texts, index })
  }

  /**
   * [people, dim] unit rows, zero for an empty history.
   * @param items [items, dim] vectors from `itemVectors`
   * @param histories rows of `items`, oldest first
   * @param times [people] when the events of each history were, in the unit of what it was trained on; who has none took
   *   all at once, or one after the other where only the order is known
   */
  async personVectors(
    items: Matrix,
    histories: readonly Int32Array[],
    times?: readonly (Float64Array | undefined)[],
  ): Promise<Matrix> {
    requireSameDimension(items.dim, this.dim)
    // Only the rows that occur travel to the worker.
    const used = [...new Set(histories.flatMap((history) => [...history]))]
    const place = new Map(used.map((item, i) => [item, i]))
    const some = matrix(used.length, items.dim)
    for (const [i, item] of used.entries()) row(some, i).set(row(items, item))
    const places = histories.map((history) => history.map((item) => place.get(item)!))
    const request = { items: some, histories: places, ...this.read(times) }
    return this.call<PersonsRequest, Matrix>('persons', request)
  }

  /** Times travel to the worker only where they are read. */
  private read(times: PersonsRequest['times']): Pick<PersonsRequest, 'times'> {
    return times !== undefined && readsTimes(this.parts.fitted.shape.encoder) ? { times } : {}
  }

  /**
   * A person known by likes and dislikes without an order, or by vectors of text: the weighted mean of item
   * vectors, part by part. Unit length, or zero if nothing is left.
   * @param vectors [n, dim] vectors from `itemVectors` @param weights [n] negative for dislikes
   */
  meanVector(vectors: Matrix, weights: ArrayLike<number>): Float32Array {
    requireSameDimension(vectors.dim, this.dim)
    const { textDim } = this.parts.fitted.shape
    const sum = new Float32Array(this.dim)
    for (let i = 0; i < vectors.rows; i++) {
      const vector = row(vectors, i)
      for (const [from, to] of [
        [0, textDim],
        [textDim, this.dim],
      ]) {
        addScaled(sum.subarray(from, to), normalize(vector.slice(from, to)), weights[i])
      }
    }
    normalize(sum.subarray(0, textDim))
    normalize(sum.subarray(textDim))
    return normalize(sum)
  }

  /** Keeps item vectors in the worker, so that many people can be scored against them; see `heldScores`. */
  holdItems(items: Matrix): Promise<number> {
    return this.call<Matrix, number>('hold', items)
  }

  /** [people, items] scores of the items that `holdItems` keeps. @param times as for `personVectors` */
  heldScores(
    held: number,
    histories: readonly Int32Array[],
    times?: readonly (Float64Array | undefined)[],
  ): Promise<Matrix> {
    return this.call<ScoresRequest, Matrix>('scores', { held, histories, ...this.read(times) })
  }

  async releaseItems(held: number): Promise<void> {
    await this.call<number, undefined>('release', held)
  }

  /** Publishes the adapter as the folder `target`, replacing what is there. */
  async save(target: string): Promise<Manifest> {
    const { fitted, warmIds, textSpace } = this.parts
    const { shape, blend } = fitted
    return publishFolder(target, ADAPTER_KIND, async (folder) => {
      await writeFile(join(folder, 'items.json'), JSON.stringify(warmIds))
      const tensors = await writeTensors(folder, tensorsOf(fitted))
      const fields = { version: VERSION, fingerprint: this.fingerprint, textSpace, shape, blend }
      return { ...(fields as unknown as JsonObject), ...tensors }
    })
  }

  /** @throws MODEL_INVALID if the folder is not a sound adapter of this version. */
  static async load(target: string, options: { readonly threads?: number } = {}): Promise<Adapter> {
    const { manifest, tensors } = await readTensors(target, ADAPTER_KIND, 'MODEL_INVALID')
    const { version, fingerprint, textSpace, shape, blend } = manifest.fields as unknown as {
      readonly version: number
      readonly fingerprint: string
      readonly textSpace: string
      readonly shape: AdapterShape
      readonly blend: Blend
    }
    if (version !== VERSION) {
      throw new TextrecError(
        'MODEL_INVALID',
        `The adapter in ${target} has version ${version}; this textrec reads ${VERSION}.`,
        'Train again.',
      )
    }
    if (!ENCODERS.includes(shape.encoder)) {
      throw new TextrecError(
        'MODEL_INVALID',
        `The adapter in ${target} reads histories by '${shape.encoder}', which this textrec does not know.`,
        'Use the version that trained it, or train again.',
      )
    }
    const bytes = await readPayload(target, manifest, 'items.json', 'MODEL_INVALID')
    const warmIds = JSON.parse(new TextDecoder().decode(bytes)) as string[]
    const mean = tensors['whitening/mean'] ?? new Float32Array(0)
    const fitted: Fitted = {
      shape,
      blend,
      whitening: {
        mean,
        directions: matrix(shape.textDim, mean.length, tensors['whitening/directions']),
      },
      weights: withPrefix(tensors, 'weights/'),
      warm: Int32Array.from(warmIds.keys()),
      anchors: {
        white: matrix(warmIds.length, shape.textDim, tensors['anchors/white']),
        head: matrix(warmIds.length, shape.dim, tensors['anchors/head']),
      },
    }
    const adapter = new Adapter({ fitted, warmIds, textSpace }, options.threads)
    if (adapter.fingerprint === fingerprint) return adapter
    throw new TextrecError('MODEL_INVALID', `${target} is not the adapter it says it is.`, 'Train again.')
  }

  /** Ends the worker. Safe to call twice. */
  async close(): Promise<void> {
    const worker = this.worker
    this.worker = undefined
    this.ready = undefined
    await worker?.close()
  }

  private async call<A, R>(method: string, argument: A): Promise<R> {
    if (this.worker === undefined) {
      this.worker = new WorkerClient(new URL('./worker.js', import.meta.url), 'The adapter')
      const { fitted } = this.parts
      this.ready = this.worker.call<OpenRequest, undefined>('open', { fitted, threads: this.threads })
    }
    const worker = this.worker
    await this.ready
    return worker.call<A, R>(method, argument)
  }
}

function tensorsOf({ whitening, weights, anchors }: Fitted): Tensors {
  const first = {
    'whitening/mean': whitening.mean,
    'whitening/directions': whitening.directions.data,
    'anchors/white': anchors.white.data,
    'anchors/head': anchors.head.data,
  }
  return { ...first, ...addPrefix(weights, 'weights/') }
}

function fingerprintOf({ fitted, warmIds, textSpace }: AdapterParts): string {
  const { shape, blend } = fitted
  const hash = createHash('sha256').update(JSON.stringify([VERSION, shape, blend, textSpace, warmIds]))
  const tensors = tensorsOf(fitted)
  for (const name of Object.keys(tensors).sort()) {
    const { buffer, byteOffset, byteLength } = tensors[name]
    hash.update(name).update(new Uint8Array(buffer, byteOffset, byteLength))
  }
  return hash.digest('hex').slice(0, 32)
}
