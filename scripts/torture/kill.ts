import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { Recommender } from '../../src/index.js'
import { Store } from '../../src/store/index.js'
import { runStage, type StageRun } from './children.js'
import { STAGES, type Stage, type StageCall, UPSERTS } from './stages.js'
import { differences, type ProjectState, stateOf } from './state.js'
import { lineOf, type TortureContext, type TortureTest } from './test.js'
import { Trials } from './trials.js'

/** SIGKILL in every stage, at random moments, again and again until a run gets through. */
export const test: TortureTest = {
  name: 'kill',
  promise:
    'A process killed at any moment of import, encoding, training, index build, upsert or compaction loses nothing that was acknowledged, and the next run ends as an undisturbed one does: database, adapter and index.',
  run: (context) => new KillTest(context).run(),
}

/** A chain of kills ends here at the latest; the next run is left alone. */
const MOST_IN_A_ROW = 6
/** A stage that is over sooner gives a kill too little to hit. */
const LEAST_SECONDS = 2

class KillTest {
  private readonly counts = { kills: 0, inside: 0, lost: 0, duplicated: 0, mismatched: 0 }
  private readonly complaints: string[] = []
  private readonly notes: string[] = []
  private readonly trials = Trials.shared()

  constructor(private readonly context: TortureContext) {}

  async run() {
    const started = performance.now()
    const perStage = this.context.short ? 2 : 200
    for (const stage of STAGES) {
      const before = { ...this.counts }
      const dtypes =
        stage === 'encode' && !this.context.short ? (['int8', 'fp32'] as const) : (['int8'] as const)
      let seconds = 0
      for (const dtype of dtypes) {
        seconds = await this.stage(stage, dtype, Math.ceil(perStage / dtypes.length))
      }
      const kills = this.counts.kills - before.kills
      const inside = this.counts.inside - before.inside
      this.notes.push(`${stage}: ${inside} of ${kills} kills inside ${seconds.toFixed(1)} s`)
      this.context.log(this.notes.at(-1) as string)
    }
    if (this.counts.inside < 0.8 * this.counts.kills)
      this.complaints.push('Too few kills landed inside a stage.')
    return lineOf(
      'kill',
      started,
      this.counts,
      ['lost', 'duplicated', 'mismatched'],
      this.complaints,
      this.notes,
    )
  }

  /** @returns seconds of an undisturbed run */
  private async stage(stage: Stage, dtype: StageCall['dtype'], kills: number): Promise<number> {
    const { state, seconds } = await this.trials.reference(stage, dtype)
    if (seconds < LEAST_SECONDS) this.notes.push(`${stage} took only ${seconds.toFixed(1)} s.`)
    let chain = 0
    for (let left = kills; left > 0; chain++) {
      this.context.signal.throwIfAborted()
      left -= await this.chain(stage, dtype, `${chain}`, Math.min(left, MOST_IN_A_ROW), seconds, state)
    }
    return seconds
  }

  /** Kills runs on one project until one gets through, and compares. @returns how many kills there were */
  private async chain(
    stage: Stage,
    dtype: StageCall['dtype'],
    name: string,
    most: number,
    seconds: number,
    wanted: ProjectState,
  ): Promise<number> {
    const folder = join(this.context.work, `${stage}-${dtype}-${name}`)
    await this.trials.project(stage, dtype, folder)
    let kills = 0
    let from = 0
    for (let run: StageRun | undefined; run?.finished !== true; ) {
      const delay = kills < most ? this.context.random.next() * seconds * 1000 : undefined
      run = await runStage(this.trials.call(stage, dtype, folder, from), {
        begun: (child) => {
          if (delay !== undefined) setTimeout(() => child.kill('SIGKILL'), delay)
        },
      })
      if (run.failed !== undefined) {
        this.complain(
          stage,
          folder,
          `a run after ${kills} kills failed: ${run.failed.code}: ${run.failed.fact}`,
        )
        return Math.max(1, kills)
      }
      if (run.ended.signal === 'SIGKILL') {
        kills++
        this.counts.kills++
        if (run.began && !run.finished) this.counts.inside++
        if (stage === 'upsert') from = Math.max(from, run.acknowledged)
        await this.afterKill(stage, folder, run)
      } else if (!run.finished) {
        this.complain(stage, folder, `ended with ${run.ended.code ?? run.ended.signal}: ${run.ended.stderr}`)
        return Math.max(1, kills)
      }
    }
    const found = stateOf(folder)
    this.counts.lost += Math.max(0, wanted.records - found.records)
    this.counts.duplicated += Math.max(0, found.records - wanted.records)
    const wrong = differences(found, wanted)
    if (wrong.length > 0) {
      this.counts.mismatched++
      this.complain(stage, folder, `after ${kills} kills differs in ${wrong.join(', ')}`)
    } else {
      rmSync(folder, { recursive: true, force: true })
    }
    // A run that ended before its kill came is tried again with another delay.
    return kills
  }

  /** What was acknowledged is there, once, and what was live still answers. */
  private async afterKill(stage: Stage, folder: string, run: StageRun): Promise<void> {
    const store = Store.open(folder, { create: stage === 'import' })
    try {
      const { items, users, reviews, interactions } = store.counts()
      const has =
        stage === 'import'
          ? items + users + reviews + interactions
          : stage === 'upsert'
            ? Array.from({ length: UPSERTS }, (_, i) => `item-${i % 3 === 0 ? i : 10_000 + i}`).filter(
                (id, i) => i < run.acknowledged && store.itemKey(id) !== undefined,
              ).length
            : store.spaces().reduce((sum, space) => sum + store.countEmbeddings(space), 0)
      if (has < run.acknowledged) {
        this.counts.lost += run.acknowledged - has
        this.complain(stage, folder, `had acknowledged ${run.acknowledged}, and holds ${has}`)
      }
      const damage = store.check()
      if (damage.length > 0) this.complain(stage, folder, `is damaged: ${damage.slice(0, 3).join('; ')}`)
    } finally {
      store.close()
    }
    if (stage === 'import' || stage === 'encode') return
    const shop = await Recommender.open(folder, { threads: 1, create: false })
    try {
      const asked = stage === 'train' ? 'dracula' : 'item-1'
      const { items } = await shop.similarItems(asked, { k: 3 })
      if (items.length !== 3) this.complain(stage, folder, `answered with ${items.length} items`)
    } catch (error) {
      this.complain(stage, folder, `did not answer after a kill: ${(error as Error).message}`)
    } finally {
      await shop.close()
    }
  }

  private complain(stage: Stage, folder: string, what: string): void {
    this.complaints.push(`${stage}: ${folder} ${what}`)
    this.context.log(this.complaints.at(-1) as string)
  }
}
