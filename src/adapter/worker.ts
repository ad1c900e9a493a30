import { TextrecError, throwIfAborted } from '../errors.js'
import { matrix, row } from '../math/matrix.js'
import { type CallContext, nativeStep, serveWorker } from '../onnx/worker-server.js'
import type { Matrix, Progress } from '../types.js'
import { blendItems, blendPerson, splitItems, trainedPerson } from './blend.js'
import { loadCheckpoint, runKey, saveCheckpoint } from './checkpoint.js'
import { headVectors } from './cold.js'
import { fitAdapter } from './fit.js'
import type { FitData, FitMemory, Fitted } from './fit-types.js'
import { Inference } from './inference.js'
import { textPersons } from './judge.js'
import type { TrainOptions } from './options.js'
import { whiten } from './whitening.js'

export interface TrainRequest {
  readonly data: FitData
  readonly options: TrainOptions
}
export interface OpenRequest {
  readonly fitted: Fitted
  readonly threads: number
}
export interface ItemsRequest {
  readonly texts: Matrix
  /** [items] place among the warm items, -1 for cold ones. */
  readonly index: Int32Array
}
/** Histories, and when their events were where that is known. */
export interface Histories {
  readonly histories: readonly Int32Array[]
  readonly times?: readonly (Float64Array | undefined)[]
}
export interface PersonsRequest extends Histories {
  readonly items: Matrix
}
export interface ScoresRequest extends Histories {
  /** What `hold` returned. */
  readonly held: number
}

const TRAINING = 'Training the adapter'

let opened: { readonly fitted: Fitted; readonly inference: Inference } | undefined
const held = new Map<number, { readonly blended: Matrix; readonly head: Matrix; readonly white: Matrix }>()
let nextHeld = 1

function current() {
  if (opened !== undefined) return opened
  throw new TextrecError('INTERNAL', 'The adapter was asked before it was opened.', 'Open it first.')
}

async function train({ data, options }: TrainRequest, context: CallContext) {
  const { checkpoint, epochs } = options
  const key = runKey(data, options)
  const memory = checkpoint === undefined ? undefined : await loadCheckpoint(checkpoint, key)
  const progress = (stage: string, epoch: number, share: number, figures: { [name: string]: number }) =>
    context.progress({
      stage,
      done: epoch + share,
      total: epochs,
      unit: 'epochs',
      figures,
    } satisfies Progress)
  const hooks = {
    step: <T>(work: () => Promise<T>) =>
      nativeStep(async () => {
        throwIfAborted(context.signal, TRAINING)
        return work()
      }),
    progress,
    save: async (state: FitMemory) => {
      if (checkpoint !== undefined) await saveCheckpoint(checkpoint, key, state)
    },
  }
  return { result: await fitAdapter(data, options, hooks, memory) }
}

async function persons(items: Matrix, white: Matrix, head: Matrix, { histories, times }: Histories) {
  const { fitted, inference } = current()
  const trained = await nativeStep(() => inference.personVectors(fitted.weights, head, histories, times))
  const text = textPersons(white, histories)
  const result = matrix(histories.length, items.dim)
  for (const [i, history] of histories.entries()) {
    const half = trainedPerson(row(trained, i), head, history, fitted.blend.mean)
    blendPerson(row(text, i), half, row(result, i))
  }
  return result
}

serveWorker(
  {
    train,
    open: async ({ fitted, threads }: OpenRequest) => {
      opened = { fitted, inference: await nativeStep(() => Inference.open(fitted.shape, threads)) }
      return { result: undefined }
    },
    items: async ({ texts, index }: ItemsRequest) => {
      const { fitted, inference } = current()
      const white = whiten(fitted.whitening, texts)
      const { weights, anchors, blend } = fitted
      const head = await headVectors(inference, weights, white, index, anchors, blend.neighbours, nativeStep)
      const isWarm = Uint8Array.from(index, (place) => Number(place >= 0))
      return { result: blendItems(white, head, isWarm, blend) }
    },
    persons: async ({ items, ...asked }: PersonsRequest) => {
      const { white, head } = splitItems(items, current().fitted.shape.textDim)
      return { result: await persons(items, white, head, asked) }
    },
    hold: async (items: Matrix) => {
      held.set(nextHeld, { blended: items, ...splitItems(items, current().fitted.shape.textDim) })
      return { result: nextHeld++ }
    },
    release: async (id: number) => {
      held.delete(id)
      return { result: undefined }
    },
    scores: async ({ held: id, ...asked }: ScoresRequest) => {
      const { blended, white, head } = held.get(id)!
      const people = await persons(blended, white, head, asked)
      const result = await nativeStep(() => current().inference.scores(people, blended))
      return { result, transfer: [result.data.buffer as ArrayBuffer] }
    },
  },
  async () => opened?.inference.close(),
)
