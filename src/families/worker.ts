import { TextrecError } from '../errors.js'
import { type CallContext, nativeStep, serveWorker } from '../onnx/worker-server.js'
import type { Scorer, TestCase } from '../ranking.js'
import type { Matrix, Person } from '../types.js'
import { FAMILIES, type FamilyName } from './catalogue.js'
import type { FamilyData } from './family.js'
import { type EpochRecord, guarded, trainFamily } from './loop.js'
import type { FamilyOptions } from './options.js'

export interface TrainRequest {
  readonly family: FamilyName
  readonly data: FamilyData
  readonly options: FamilyOptions
  /** Stops the training and judges it; without any the model trained becomes the one that `scores` asks. */
  readonly validation: readonly TestCase[]
}
export interface TrainAnswer {
  readonly epochs: number
  readonly ndcg: number | undefined
  readonly curve: readonly EpochRecord[]
}

let ready: Scorer | undefined

async function train(request: TrainRequest, context: CallContext): Promise<TrainAnswer> {
  const { family, data, options, validation } = request
  const model = FAMILIES[family].prepare(data, options)
  const { weights, epochs, ndcg, curve } = await trainFamily(family, model, data, validation, options, {
    signal: context.signal,
    onEpoch: (record) => context.progress(record),
  })
  if (validation.length === 0) {
    await ready?.close?.()
    ready = guarded(await nativeStep(() => model.scorer(weights)))
  }
  return { epochs, ndcg, curve }
}

async function scores(people: readonly Person[]): Promise<Matrix> {
  if (ready !== undefined) return ready.scores(people)
  throw new TextrecError('INTERNAL', 'A family was asked before it was trained.', 'Train it first.')
}

serveWorker(
  {
    train: async (request: TrainRequest, context) => ({ result: await train(request, context) }),
    scores: async (people: readonly Person[]) => {
      const result = await scores(people)
      return { result, transfer: [result.data.buffer as ArrayBuffer] }
    },
  },
  async () => ready?.close?.(),
)
