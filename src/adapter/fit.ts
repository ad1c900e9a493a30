import { random, shuffle } from '../math/random.js'
import { mean } from '../math/statistics.js'
import type { TestCase } from '../ranking.js'
import type { Matrix } from '../types.js'
import type { BlendPath, BlendShares } from './blend.js'
import { BLENDS, chooseBlend, PATHS, SHARES } from './choose-blend.js'
import { type Corpus, corpusOf, withColdTexts } from './corpus.js'
import type { FitData, FitHooks, FitMemory, FitReport, FitResult, StageResult } from './fit-types.js'
import { askedAmong, hideItems, holdOutLast } from './hidden-items.js'
import type { Metric } from './judge.js'
import type { TrainOptions } from './options.js'
import { HEAD_ALONE, Stages, TEXT_ALONE, type Vectors } from './stages.js'

/** Validation cases beyond this many are sampled: the figure is good enough and the time is not. */
const MOST_CASES = 5000
/** The same where there are hundreds of blends to judge: cases times items, and the least number of cases. */
const MOST_SCORES = 10_000_000
const LEAST_CASES = 500
/** With fewer validation cases about items that training knows, epochs are chosen on cases made for that. */
const LEAST_WARM_CASES = 30

/**
 * Trains an adapter: chooses epochs (and, if asked to, whether to use IDs) on validation, then the blend on
 * validation and on items hidden from a second run, then trains on everything.
 * @throws NOT_ENOUGH_DATA for too few items with text
 */
export async function fitAdapter(
  data: FitData,
  options: TrainOptions,
  hooks: FitHooks,
  memory: FitMemory = { done: {}, epochs: [] },
): Promise<FitResult> {
  const stages = new Stages(options, hooks, memory)
  try {
    return await new Fit(data, options, stages).all()
  } finally {
    await stages.close()
  }
}

/** A trained model and what it was trained on. */
interface Model {
  readonly corpus: Corpus
  readonly ids: boolean
  readonly best: StageResult
}

/** A model that never saw some items, and the cases that ask for them. */
interface HiddenRun {
  readonly model: Model
  readonly items: Int32Array
  readonly cases: readonly TestCase[]
}

class Fit {
  private readonly validation: readonly TestCase[]

  constructor(
    private readonly data: FitData,
    private readonly options: TrainOptions,
    private readonly stages: Stages,
  ) {
    this.validation = this.sample(data.validation, MOST_CASES)
  }

  async all(): Promise<FitResult> {
    const { data, options, stages } = this
    const { judged, hidden } = await this.models()
    const { ids, best } = judged
    const { chosen: blend, trials } = await this.chooseBlend(judged, hidden)
    const fitted = (model: Model) => stages.fitted(model.corpus, ids, model.best.weights, blend)
    const result = await fitted(judged)
    let final = result
    if (options.refit) {
      const everything = this.corpus(data.training, data.times?.training)
      const refit = await stages.train('everything', everything, ids, { epochs: best.epochs })
      final = await fitted({ corpus: everything, ids, best: refit })
    }
    const compared = [blend, HEAD_ALONE, TEXT_ALONE]
    const [blended, trained, text] = await this.means(judged, this.validation, 'ndcg', blend, compared)
    const [coldBlended, , coldText] = await this.means(hidden.model, hidden.cases, 'recall', blend, compared)
    const report: FitReport = {
      epochs: stages.epochs,
      ids,
      bestEpoch: best.epochs,
      validation: { trained, blended, text },
      cold: { blended: coldBlended, text: coldText },
      trials,
      blend,
    }
    const { items, cases } = hidden
    return { judged: result, final, hidden: { fitted: await fitted(hidden.model), items, cases }, report }
  }

  /**
   * The model to judge, early stopped on the validation cases that ask for items of its training; what the head
   * says of other items gets worse with every epoch, so they must not decide. Where validation has too few of
   * these, each person's last item decides, and the model then learns from all of `fitting`. Where it has none, the
   * items that it asks for are hidden items already.
   */
  private async models(): Promise<{ readonly judged: Model; readonly hidden: HiddenRun }> {
    const { data, stages } = this
    const corpus = this.corpus(data.fitting, data.times?.fitting)
    const warmCases = askedAmong(this.validation, corpus.warm)
    if (warmCases.length >= LEAST_WARM_CASES) {
      const { ids, best } = await this.earlyStopped(corpus, warmCases)
      return { judged: { corpus, ids, best }, hidden: await this.hiddenRun(ids, best.epochs) }
    }
    const { visible, visibleTimes, cases } = holdOutLast(data.fitting, data.times?.fitting)
    const less = this.corpus(visible, visibleTimes)
    const { ids, best } = await this.earlyStopped(less, this.sample(askedAmong(cases, less.warm), MOST_CASES))
    const model = { corpus, ids, best: await stages.train('judged', corpus, ids, { epochs: best.epochs }) }
    if (warmCases.length > 0) return { judged: model, hidden: await this.hiddenRun(ids, best.epochs) }
    const items = new Set(this.validation.flatMap(({ targets }) => [...targets]))
    return { judged: model, hidden: { model, items: Int32Array.from(items), cases: this.validation } }
  }

  private async earlyStopped(corpus: Corpus, validation: readonly TestCase[]) {
    const choices = this.options.ids === 'auto' ? [false, true] : [this.options.ids === 'on']
    const results: StageResult[] = []
    for (const ids of choices) {
      results.push(await this.stages.train(ids ? 'text + ids' : 'text', corpus, ids, { validation }))
    }
    const winner = results[1]?.validation > results[0].validation ? 1 : 0
    return { ids: choices[winner], best: results[winner] }
  }

  /** Hides items at random and trains on the rest: the model that is asked how cold items are best scored. */
  private async hiddenRun(ids: boolean, epochs: number): Promise<HiddenRun> {
    const { data, options } = this
    const { fitting, times } = data
    const { coldShare, seed } = options
    const { hidden, visible, visibleTimes, cases } = hideItems(fitting, coldShare, seed, times?.fitting)
    const corpus = this.corpus(visible, visibleTimes, hidden)
    const best = await this.stages.train('cold items', corpus, ids, { epochs })
    return { model: { corpus, ids, best }, items: hidden, cases: this.sample(cases, MOST_CASES) }
  }

  private async chooseBlend(judged: Model, hidden: HiddenRun) {
    const ndcg = await this.trials(judged, this.validation, 'ndcg')
    const cold = await this.trials(hidden.model, hidden.cases, 'recall')
    const [textRecall] = await this.means(hidden.model, this.affordable(hidden.cases), 'recall', PATHS[0], [
      TEXT_ALONE,
    ])
    return chooseBlend(BLENDS, ndcg, cold, textRecall)
  }

  /** One value per person under each of BLENDS, in their order. */
  private async trials(model: Model, cases: readonly TestCase[], metric: Metric): Promise<Float64Array[]> {
    const values: Float64Array[] = []
    for (const path of PATHS) {
      const vectors = await this.vectors(model, path)
      values.push(...(await this.stages.judge(vectors, this.affordable(cases), metric, SHARES)))
    }
    return values
  }

  private async means(
    model: Model,
    cases: readonly TestCase[],
    metric: Metric,
    path: BlendPath,
    shares: readonly BlendShares[],
  ): Promise<number[]> {
    const vectors = await this.vectors(model, path)
    return (await this.stages.judge(vectors, cases, metric, shares)).map((values) => mean(values) || 0)
  }

  private vectors({ corpus, ids, best }: Model, path: BlendPath): Promise<Vectors> {
    return this.stages.vectors(corpus, ids, best.weights, path)
  }

  /**
   * @param times of the events of `histories`, where that is read
   * @param hidden items that are to look as if nobody had taken them yet
   */
  private corpus(
    histories: readonly Int32Array[],
    times: readonly Float64Array[] | undefined,
    hidden: Int32Array = new Int32Array(0),
  ): Corpus {
    const { texts, coldTexts, textsWithout, times: read } = this.data
    const seen = (some: Matrix) => withColdTexts(some, coldTexts, hidden)
    const when = read && times && { kind: read.kind, times }
    return corpusOf(histories, seen(texts), this.options.textDim, textsWithout?.map(seen), when)
  }

  /** As many cases as can be judged under every blend in a short time. */
  private affordable(cases: readonly TestCase[]): readonly TestCase[] {
    return this.sample(cases, Math.max(LEAST_CASES, Math.floor(MOST_SCORES / this.data.texts.rows)))
  }

  private sample(cases: readonly TestCase[], most: number): readonly TestCase[] {
    if (cases.length <= most) return cases
    return shuffle([...cases], random(this.options.seed + 0xca5e)).slice(0, most)
  }
}
