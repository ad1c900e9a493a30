import { isTextrecError } from '../../errors.js'
import { random } from '../../math/random.js'
import type { Budget } from './budget.js'
import type { TextGround } from './ground.js'
import { halve, pooled } from './halving.js'
import { BASELINES, type TuneJudge } from './judge.js'
import { type Candidate, drawCandidates, isTrainable, standardCandidates, type TunedModel } from './space.js'
import type { TuneRow, TuneTable } from './table.js'

export interface SearchOptions {
  readonly models: readonly TunedModel[]
  /** Candidates that a bracket begins with. */
  readonly settings: number
  /** Brackets at most. */
  readonly brackets: number
  readonly seed: number
  /** Candidates that are trained at the same time. */
  readonly workers: number
}

/** Thrown where a row is asked for that the time does not allow any more. */
class TimeIsUp extends Error {}

/**
 * Brackets of successive halving, one after the other, until the time is up or all are done. The first begins with
 * every model as it stands, filled up with random settings of them; the later ones draw settings for the models that
 * survived the first round of any bracket before. What is tried depends on the seed and on the figures alone, so a run
 * that finds rows in the table goes the way of the one that left them.
 */
export class Search {
  constructor(
    private readonly judge: Pick<TuneJudge, 'baseline' | 'candidate' | 'epochsFor'>,
    private readonly table: TuneTable,
    private readonly texts: readonly TextGround[],
    private readonly budget: Budget,
    private readonly options: SearchOptions,
  ) {}

  /** @returns whether all brackets were done in time. @throws ABORTED if the caller wants to stop */
  async run(): Promise<boolean> {
    const { brackets, models, seed, settings, workers } = this.options
    try {
      await pooled(BASELINES, workers, (name) => this.baseline(name))
      this.budget.start()
      let like = standardCandidates(
        models,
        this.texts.map(({ encoder }) => encoder),
      )
      const survivors: Candidate[] = []
      for (let bracket = 0; bracket < brackets; bracket++) {
        const source = random(seed + 7919 * bracket)
        const first = bracket === 0 ? like : []
        const drawn = drawCandidates(Math.max(0, settings - first.length), like, source)
        const rounds = await halve(
          [...first, ...drawn],
          (candidate, share) => this.candidate(candidate, share),
          workers,
        )
        survivors.push(...rounds[0])
        like = survivors
      }
      return true
    } catch (error) {
      if (error instanceof TimeIsUp) return false
      throw error
    }
  }

  private async baseline(model: (typeof BASELINES)[number]): Promise<number> {
    const [texts] = this.texts
    const id = JSON.stringify([model, texts.digest])
    return this.row(id, async () => ({
      ...{ model, encoder: texts.encoder, settings: {}, servable: false },
      ...(await this.judge.baseline(model, texts)),
    }))
  }

  private candidate(candidate: Candidate, share: number): Promise<number> {
    const { model, encoder, settings } = candidate
    const texts = this.texts.find((one) => one.encoder === encoder) as TextGround
    const epochs = this.judge.epochsFor(candidate, share)
    const id = JSON.stringify([model, texts.digest, settings, epochs])
    return this.row(id, async () => ({
      ...{ model, encoder, settings, epochs },
      servable: isTrainable(model) && texts === this.texts[0],
      ...(await this.judge.candidate(candidate, texts, epochs, share === 1)),
    }))
  }

  /** The figure of a row that is known, or is made now. */
  private async row(id: string, make: () => Promise<Omit<TuneRow, 'seconds'>>): Promise<number> {
    const known = this.table.get(id)
    if (known !== undefined) return known.ndcg
    const { budget } = this
    if (budget.isOver) throw new TimeIsUp()
    const started = performance.now()
    try {
      const made = await make()
      const row = { ...made, seconds: (performance.now() - started) / 1000 }
      await this.table.add(id, row, budget.spent)
      return row.ndcg
    } catch (error) {
      if (isTextrecError(error) && error.code === 'ABORTED' && budget.isOver) throw new TimeIsUp()
      throw error
    }
  }
}
