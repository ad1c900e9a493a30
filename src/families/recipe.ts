import { TextrecError } from '../errors.js'
import { requireSameDimension } from '../math/matrix.js'
import { random, shuffle } from '../math/random.js'
import { WorkerClient } from '../onnx/worker-client.js'
import { resolveOptions } from '../options.js'
import { type FitContext, type RankerRecipe, rankerOf } from '../ranking.js'
import type { InteractionTable, Matrix, Person, Ranker } from '../types.js'
import { FAMILIES, type FamilyName } from './catalogue.js'
import type { Family, FamilyData, Weights, WordTexts } from './family.js'
import type { EpochRecord } from './loop.js'
import { FAMILY_OPTIONS, type FamilyOptions } from './options.js'
import type { TrainAnswer, TrainRequest } from './worker.js'

/** Validation cases beyond this many are sampled: the figure is good enough and the time is not. */
const MOST_CASES = 5000

/** What is known of the items while `table` is what is known. */
export type StartVectors = (table: InteractionTable) => KnownVectors | Promise<KnownVectors>

export interface KnownVectors {
  /** [items, dim]; zeros where nothing is known. */
  readonly vectors: Matrix
  /** See `FamilyData.vectorsWithout`. */
  readonly without?: readonly Matrix[]
}

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
  /** See `FamilyData.pretrained`. */
  readonly pretrained?: Weights
  /** For families that read words. @param length of a text, in words */
  readonly words?: (length: number) => Promise<WordTexts>
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
  const { name = family, vectors, words, pretrained, onTrials } = given
  const { defaults, candidates, needsVectors, needsWords } = FAMILIES[family] as Family
  const base = resolveOptions(name, FAMILY_OPTIONS, { ...defaults, ...given.options })
  if (needsVectors?.(base) && vectors === undefined) {
    throw new TextrecError('INTERNAL', `${name} needs vectors to start from.`, 'Give its recipe vectors.')
  }
  if (needsWords && words === undefined) {
    throw new TextrecError('INTERNAL', `${name} needs words to read.`, 'Give its recipe words.')
  }
  const useful = needsVectors?.(base) ? vectors : undefined
  // A setting that the caller has named is not tried otherwise.
  const isFree = (one: object) => Object.keys(one).every((key) => !(key in (given.options ?? {})))
  const lines = candidates.map((line) => line.filter(isFree)).filter((line) => line.length > 0)
  return {
    name,
    fit: async (context) => {
      const worker = new WorkerClient(new URL('./worker.js', import.meta.url), `The model ${name}`)
      try {
        const options = { ...base, seed: context.seed }
        const texts = needsWords ? await words?.(base.words) : undefined
        const known = { vectors: useful, words: texts, pretrained }
        return await new Fit(name, family, options, context, known, worker).best(lines, onTrials)
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
    private readonly known: Pick<FamilyData, 'words' | 'pretrained'> & { readonly vectors?: StartVectors },
    private readonly worker: WorkerClient,
  ) {}

  async best(
    lines: readonly (readonly Partial<FamilyOptions>[])[],
    onTrials?: (trials: readonly FamilyTrial[]) => void,
  ): Promise<Ranker> {
    const { base, context, worker, name } = this
    const { training } = context
    const trials = context.validation.length === 0 ? [] : await this.tried(lines)
    onTrials?.(trials)
    const chosen = bestOf(trials)
    const epochs = chosen?.epochs ?? Math.min(base.epochs, base.blindEpochs)
    const untried = Object.assign({}, ...lines.map(([first]) => first)) as Partial<FamilyOptions>
    const final = { ...base, ...(chosen?.settings ?? untried), epochs }
    await this.train('training on everything', await this.dataOf(training), final, [])
    return rankerOf({
      name,
      itemCount: training.itemIds.length,
      scores: (people) => worker.call<readonly Person[], Matrix>('scores', people),
      close: () => worker.close(),
    })
  }

  private async tried(lines: readonly (readonly Partial<FamilyOptions>[])[]): Promise<FamilyTrial[]> {
    const { base, context } = this
    const data = await this.dataOf(context.fitting)
    const cases = shuffle([...context.validation], random(context.seed)).slice(0, MOST_CASES)
    const trials: FamilyTrial[] = []
    const total = lines.reduce((sum, line) => sum + line.length, 0)
    const attempt = async (settings: Partial<FamilyOptions>) => {
      const stage = total < 2 ? 'choosing epochs' : `setting ${trials.length + 1} of at most ${total}`
      trials.push({ settings, ...(await this.train(stage, data, { ...base, ...settings }, cases)) })
    }
    if (total === 0) await attempt({})
    for (const line of lines) {
      const best = bestOf(trials)?.settings ?? {}
      const now = { ...base, ...best }
      // What the best so far has already is not tried again.
      const others = line.filter((one) => trials.length === 0 || !includes(now, one))
      for (const one of others) await attempt({ ...best, ...one })
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
    const { vectors, without: vectorsWithout } = (await this.known.vectors?.(table)) ?? {}
    for (const known of [vectors, ...(vectorsWithout ?? [])]) {
      if (known !== undefined) requireSameDimension(known.rows, table.itemIds.length)
    }
    const { userIds, itemIds, timeKind } = table
    const sizes = { people: userIds.length, items: itemIds.length }
    const { words, pretrained } = this.known
    if (words !== undefined) requireSameDimension(words.tokens.length, itemIds.length * words.length)
    return { ...sizes, ...distinctPairs(table), timeKind, vectors, vectorsWithout, words, pretrained }
  }
}

/** The trial with the best figure, the earlier of equal ones. */
function bestOf(trials: readonly FamilyTrial[]): FamilyTrial | undefined {
  return trials.reduce<FamilyTrial | undefined>(
    (best, trial) => (best === undefined || trial.ndcg! > best.ndcg! ? trial : best),
    undefined,
  )
}

function includes(options: FamilyOptions, some: Partial<FamilyOptions>): boolean {
  return (Object.keys(some) as (keyof FamilyOptions)[]).every((key) => options[key] === some[key])
}

/** Each person's items, each once. A table has a person's rows together. */
function distinctPairs({
  users,
  items,
  times,
  itemIds,
}: InteractionTable): Pick<FamilyData, 'users' | 'taken' | 'times'> {
  const lastUser = new Int32Array(itemIds.length).fill(-1)
  const rows = Int32Array.from(users.keys()).filter((row) => {
    if (lastUser[items[row]] === users[row]) return false
    lastUser[items[row]] = users[row]
    return true
  })
  return {
    users: rows.map((row) => users[row]),
    taken: rows.map((row) => items[row]),
    times: Float64Array.from(rows, (row) => times[row]),
  }
}

function known(figures: { readonly [name: string]: number | undefined }): { [name: string]: number } {
  return Object.fromEntries(
    Object.entries(figures).filter((entry): entry is [string, number] => entry[1] !== undefined),
  )
}
