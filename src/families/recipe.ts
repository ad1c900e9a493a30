import { TextrecError } from '../errors.js'
import { requireSameDimension } from '../math/matrix.js'
import { random, shuffle } from '../math/random.js'
import { WorkerClient } from '../onnx/worker-client.js'
import { resolveOptions } from '../options.js'
import { type FitContext, type RankerRecipe, rankerOf } from '../ranking.js'
import type { InteractionTable, Matrix, Person, Ranker } from '../types.js'
import { FAMILIES, type FamilyName } from './catalogue.js'
import type { Family, FamilyData, Pairs } from './family.js'
import type { EpochRecord } from './loop.js'
import { FAMILY_OPTIONS, type FamilyOptions } from './options.js'
import type { TrainAnswer, TrainRequest } from './worker.js'

/** Validation cases beyond this many are sampled: the figure is good enough and the time is not. */
const MOST_CASES = 5000

/** [items, dim] what is known of the items while `table` is what is known; zeros where nothing is. */
export type StartVectors = (table: InteractionTable) => Matrix | Promise<Matrix>

/** One setting that was trained and judged, with its curve. */
export interface FamilyTrial extends TrainAnswer {
  readonly settings: Partial<FamilyOptions>
}

export interface FamilyRecipeOptions {
  /** The recipe's name where it is not the family's. */
  readonly name?: string
  /** Settings that are kept from validation: FAMILY_OPTIONS has them all. */
  readonly options?: Partial<FamilyOptions>
  readonly vectors?: StartVectors
  /** Is told what was tried, with loss, validation loss and NDCG of each epoch. */
  readonly onTrials?: (trials: readonly FamilyTrial[]) => void
}

/**
 * A family as a ranker. Each of its candidate settings is trained on `fitting` and early-stopped on validation
 * NDCG@10; the best one is trained once more on all of `training`, for as many epochs as were best. Trains and
 * scores in a worker thread, which the ranker's `close` ends.
 * @throws OPTION_UNKNOWN or OPTION_INVALID at once; from fit: NOT_ENOUGH_DATA without interactions, ABORTED
 */
export function familyRecipe(family: FamilyName, given: FamilyRecipeOptions = {}): RankerRecipe {
  const { name = family, vectors, onTrials } = given
  const { defaults, candidates, needsVectors } = FAMILIES[family] as Family
  const base = resolveOptions(name, FAMILY_OPTIONS, { ...defaults, ...given.options })
  if (needsVectors?.(base) && vectors === undefined) {
    throw new TextrecError('INTERNAL', `${name} needs vectors to start from.`, 'Give its recipe vectors.')
  }
  // A setting that the caller has named is not tried otherwise.
  const free = candidates.filter((one) => Object.keys(one).every((key) => !(key in (given.options ?? {}))))
  const settings = free.length === 0 ? [{}] : free
  return {
    name,
    fit: async (context) => {
      const worker = new WorkerClient(new URL('./worker.js', import.meta.url), `The model ${name}`)
      try {
        return await new Fit(name, family, { ...base, seed: context.seed }, context, vectors, worker).best(
          settings,
          onTrials,
        )
      } catch (error) {
        await worker.close()
        throw error
      }
    },
  }
}

class Fit {
  constructor(
    private readonly name: string,
    private readonly family: FamilyName,
    private readonly base: FamilyOptions,
    private readonly context: FitContext,
    private readonly vectors: StartVectors | undefined,
    private readonly worker: WorkerClient,
  ) {}

  async best(
    settings: readonly Partial<FamilyOptions>[],
    onTrials?: (trials: readonly FamilyTrial[]) => void,
  ): Promise<Ranker> {
    const { base, context, worker, name } = this
    const { training } = context
    const trials = context.validation.length === 0 ? [] : await this.tried(settings)
    onTrials?.(trials)
    const chosen = trials.reduce<FamilyTrial | undefined>(
      (best, trial) => (best === undefined || trial.ndcg! > best.ndcg! ? trial : best),
      undefined,
    )
    const epochs = chosen?.epochs ?? Math.min(base.epochs, base.blindEpochs)
    const final = { ...base, ...(chosen?.settings ?? settings[0]), epochs }
    await this.train('training on everything', await this.dataOf(training), final, [])
    return rankerOf({
      name,
      itemCount: training.itemIds.length,
      scores: (people) => worker.call<readonly Person[], Matrix>('scores', people),
      close: () => worker.close(),
    })
  }

  private async tried(settings: readonly Partial<FamilyOptions>[]): Promise<FamilyTrial[]> {
    const { base, context } = this
    const data = await this.dataOf(context.fitting)
    const cases = shuffle([...context.validation], random(context.seed)).slice(0, MOST_CASES)
    const trials: FamilyTrial[] = []
    for (const [i, one] of settings.entries()) {
      const stage = settings.length === 1 ? 'choosing epochs' : `setting ${i + 1} of ${settings.length}`
      trials.push({ settings: one, ...(await this.train(stage, data, { ...base, ...one }, cases)) })
    }
    return trials
  }

  private train(
    stage: string,
    data: FamilyData,
    options: FamilyOptions,
    validation: TrainRequest['validation'],
  ): Promise<TrainAnswer> {
    const { signal, onProgress } = this.context
    const request: TrainRequest = { family: this.family, data, options, validation }
    return this.worker.call<TrainRequest, TrainAnswer, EpochRecord>('train', request, {
      signal,
      onProgress: ({ epoch, ...figures }) =>
        onProgress?.({ stage, done: epoch, total: options.epochs, unit: 'epochs', figures: known(figures) }),
    })
  }

  private async dataOf(table: InteractionTable): Promise<FamilyData> {
    if (table.users.length === 0) {
      throw new TextrecError(
        'NOT_ENOUGH_DATA',
        'There are no interactions to learn from.',
        'Import interactions or rated reviews.',
      )
    }
    const vectors = await this.vectors?.(table)
    if (vectors !== undefined) requireSameDimension(vectors.rows, table.itemIds.length)
    return { people: table.userIds.length, items: table.itemIds.length, ...distinctPairs(table), vectors }
  }
}

/** Each person's items, each once. A table has a person's rows together. */
function distinctPairs({ users, items, itemIds }: InteractionTable): Pairs {
  const lastUser = new Int32Array(itemIds.length).fill(-1)
  const rows = Int32Array.from(users.keys()).filter((row) => {
    if (lastUser[items[row]] === users[row]) return false
    lastUser[items[row]] = users[row]
    return true
  })
  return { users: rows.map((row) => users[row]), taken: rows.map((row) => items[row]) }
}

function known(figures: { readonly [name: string]: number | undefined }): { [name: string]: number } {
  return Object.fromEntries(
    Object.entries(figures).filter((entry): entry is [string, number] => entry[1] !== undefined),
  )
}
