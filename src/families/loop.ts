import { throwIfAborted } from '../errors.js'
import { random } from '../math/random.js'
import { Forward } from '../onnx/forward.js'
import { type Batch, Training } from '../onnx/optimizer-session.js'
import { nativeStep } from '../onnx/worker-server.js'
import { meanNdcg, rankerOf, type Scorer, type TestCase } from '../ranking.js'
import type { FamilyData, FamilyModel, Pairs, Weights } from './family.js'
import type { FamilyOptions } from './options.js'
import { averagedWith, startingFrom } from './pretrained.js'

/** What one pass over the pairs came to. */
export interface EpochRecord {
  readonly epoch: number
  /** Mean over the steps. */
  readonly loss: number
  /** The same loss on what validation asks for; absent where there is nothing to ask. */
  readonly validationLoss?: number
  /** NDCG@10 on validation. */
  readonly validation?: number
}

export interface Trained {
  readonly weights: Weights
  /** How many epochs these weights have seen. */
  readonly epochs: number
  /** Their validation NDCG@10. */
  readonly ndcg: number | undefined
  readonly curve: readonly EpochRecord[]
}

export interface LoopHooks {
  readonly signal: AbortSignal
  readonly onEpoch: (record: EpochRecord) => void
}

/**
 * Trains a family in this (worker) thread. With validation cases it stops early and returns the weights of the
 * best epoch; without it runs `options.epochs` epochs.
 * @throws ABORTED between two steps
 */
export async function trainFamily(
  name: string,
  model: FamilyModel,
  data: FamilyData,
  validation: readonly TestCase[],
  options: FamilyOptions,
  { signal, onEpoch }: LoopHooks,
): Promise<Trained> {
  const { seed, threads, device, epochs, patience, learningRate, weightDecay, clipNorm, keep } = options
  const { pretrained = {} } = data
  const asked = wantedPairs(validation)
  const adam = { weightDecay, clipNorm }
  const started = startingFrom(model.training, pretrained)
  const training = await nativeStep(() => Training.create(started, { seed, threads, device, adam }))
  const learned = async () => averagedWith(await nativeStep(() => training.weights()), pretrained, keep)
  const { name: graph, loss } = model.evaluation ?? model.training
  const forward =
    asked.users.length === 0
      ? undefined
      : await nativeStep(() => Forward.open(graph, (scope) => ({ loss: loss(scope) }), { threads }))
  const source = random(seed + 1)
  const curve: EpochRecord[] = []
  let best: { readonly weights: Weights; readonly epochs: number; readonly ndcg: number } | undefined
  try {
    for (
      let epoch = 1;
      epoch <= epochs && epoch - (best?.epochs ?? 0) <= patienceOf(validation, patience);
      epoch++
    ) {
      let sum = 0
      let steps = 0
      for (const batch of model.batches(data, source)) {
        throwIfAborted(signal, `Training ${name}`)
        const warmedUp = Math.min(1, (training.steps + 1) / (model.warmUpSteps ?? 1))
        sum += (await nativeStep(() => training.step(batch, learningRate * warmedUp))).loss
        steps++
      }
      const mean = sum / steps
      if (validation.length === 0) {
        curve.push({ epoch, loss: mean })
      } else {
        const weights = await learned()
        // The same draws in every epoch, so that the curve shows the model and not the draws.
        const validationLoss =
          forward && (await meanLoss(forward, weights, model.batches(asked, random(seed + 2))))
        const ndcg = await judge(model, weights, validation)
        if (best === undefined || ndcg > best.ndcg) best = { weights, epochs: epoch, ndcg }
        curve.push({ epoch, loss: mean, validationLoss, validation: ndcg })
      }
      onEpoch(curve[curve.length - 1])
    }
    const weights = best?.weights ?? (await learned())
    return { weights, epochs: best?.epochs ?? epochs, ndcg: best?.ndcg, curve }
  } finally {
    await nativeStep(() => training.close())
    if (forward !== undefined) await nativeStep(() => forward.close())
  }
}

function patienceOf(validation: readonly TestCase[], patience: number): number {
  return validation.length === 0 ? Number.POSITIVE_INFINITY : patience
}

async function judge(model: FamilyModel, weights: Weights, cases: readonly TestCase[]): Promise<number> {
  const scorer = guarded(await nativeStep(() => model.scorer(weights)))
  try {
    return await meanNdcg(rankerOf(scorer), cases, 10)
  } finally {
    await scorer.close?.()
  }
}

/** The same scorer in a worker: the process cannot exit while it computes. */
export function guarded(scorer: Scorer): Scorer {
  return {
    ...scorer,
    scores: (people) => nativeStep(() => scorer.scores(people)),
    close: () => nativeStep(async () => scorer.close?.()),
  }
}

/** What validation asks of people whom training knows. */
function wantedPairs(cases: readonly TestCase[]): Pairs {
  const pairs = cases.flatMap(({ person: { user }, targets }) =>
    user === undefined ? [] : Array.from(targets, (item) => [user, item] as const),
  )
  return {
    users: Int32Array.from(pairs, ([user]) => user),
    taken: Int32Array.from(pairs, ([, item]) => item),
  }
}

/** The mean loss of these weights over batches, without a step; undefined where there are none. */
async function meanLoss(
  forward: Forward,
  weights: Weights,
  batches: Iterable<Batch>,
): Promise<number | undefined> {
  let sum = 0
  let count = 0
  for (const batch of batches) {
    const { loss } = await nativeStep(() => forward.run(weights, batch))
    sum += loss[0]
    count++
  }
  return count === 0 ? undefined : sum / count
}
