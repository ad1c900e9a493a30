import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { Recommender } from '../../src/index.js'
import { Store } from '../../src/store/index.js'
import { runStage, type StageRun } from './children.js'
import { SIZES, type Size, STAGES, type Stage, type StageCall } from './stages.js'
import { differences, type ProjectState, stateOf } from './state.js'
import { lineOf, type TortureContext, type TortureTest } from './test.js'
import { Trials } from './trials.js'

/**
 * SIGKILL in every stage, at random moments, again and again on one project until a run gets through or is left
 * alone; then the project is compared with one that nothing disturbed. Damage and loss do not heal: what any kill of
 * the chain did is seen at its end.
 */
export const test: TortureTest = {
  name: 'kill',
  promise:
    'A process killed at any moment of import, encoding, training, index build, upsert or compaction loses nothing that was acknowledged, and the next run ends as an undisturbed one does: database, adapter and index.',
  run: (context) => new KillTest(context).run(),
}

/**
 * Kills on one project before a run is left alone. Where a run goes on from where the last one was, kills that come
 * soon let a chain of many walk through the whole stage; where it starts over, only late ones see its end.
 */
const CHAINS: { readonly [stage in Stage]: { readonly most: number; readonly goesOn: boolean } } = {
  import: { most: 6, goesOn: false },
  encode: { most: 25, goesOn: true },
  index: { most: 15, goesOn: false },
  upsert: { most: 25, goesOn: true },
  compact: { most: 15, goesOn: false },
  train: { most: 25, goesOn: true },
}
/** Of the stage's length: kills that come soon come within it. */
const SOON = 0.4
/** A stage that is over sooner gives a kill too little to hit. */
const LEAST_SECONDS = 2

class KillTest {
  private readonly counts = { kills: 0, inside: 0, lost: 0, duplicated: 0, mismatched: 0 }
  private readonly complaints: string[] = []
  private readonly notes: string[] = []
  private readonly size: Size
  private readonly trials: Trials

  constructor(private readonly context: TortureContext) {
    this.size = context.short ? 'brief' : 'long'
    this.trials = Trials.shared(this.size)
  }

  async run() {
    const started = performance.now()
    const { short } = this.context
    const perStage = short ? 3 : 200
    for (const stage of STAGES) {
      const before = { ...this.counts }
      const dtypes = stage === 'encode' && !short ? (['int8', 'fp32'] as const) : (['int8'] as const)
      let seconds = 0
      for (const dtype of dtypes) {
        seconds = await this.stage(stage, dtype, Math.ceil(perStage / dtypes.length))
      }
      const kills = this.counts.kills - before.kills
      const inside = this.counts.inside - before.inside
      if (inside < 0.8 * kills) this.complaints.push(`Too few kills landed inside '${stage}'.`)
      this.notes.push(`${stage}: ${inside} of ${kills} kills inside ${seconds.toFixed(1)} s`)
      this.context.log(this.notes.at(-1) as string)
    }
    const none = ['lost', 'duplicated', 'mismatched']
    return lineOf('kill', started, this.counts, none, this.complaints, this.notes)
  }

  /** @returns seconds of an undisturbed run */
  private async stage(stage: Stage, dtype: StageCall['dtype'], kills: number): Promise<number> {
    const { state, seconds } = await this.trials.reference(stage, dtype)
    if (!this.context.short && seconds < LEAST_SECONDS)
      this.notes.push(`${stage} took only ${seconds.toFixed(1)} s.`)
    let chain = 0
    for (let left = kills; left > 0; chain++) {
      this.context.signal.throwIfAborted()
      const most = Math.min(left, CHAINS[stage].most)
      left -= await this.chain(stage, dtype, `${chain}`, most, seconds, state)
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
      this.context.signal.throwIfAborted()
      const delay = kills < most ? this.delay(stage, seconds) : undefined
      run = await runStage(this.trials.call(stage, dtype, folder, from), {
        begun: (child) => {
          if (delay !== undefined) setTimeout(() => child.kill('SIGKILL'), delay)
        },
      })
      if (run.failed !== undefined) {
        const { code, fact } = run.failed
        this.complain(stage, folder, `a run after ${kills} kills failed: ${code}: ${fact}`)
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

  /** Milliseconds from the stage's beginning to the kill: any moment of it is met. */
  private delay(stage: Stage, seconds: number): number {
    const { random } = this.context
    const within = CHAINS[stage].goesOn && random.next() < 0.7 ? SOON : 1
    return 1000 * seconds * within * random.next()
  }

  /** What was acknowledged is there, and what was live still answers. */
  private async afterKill(stage: Stage, folder: string, run: StageRun): Promise<void> {
    const store = Store.open(folder, { create: stage === 'import' })
    try {
      const has = acknowledgedIn(store, stage, run, SIZES[this.size].upserts)
      if (has < run.acknowledged) {
        this.counts.lost += run.acknowledged - has
        this.complain(stage, folder, `had acknowledged ${run.acknowledged}, and holds ${has}`)
      }
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

/** Of what the killed process had said was committed, how much is there. */
function acknowledgedIn(store: Store, stage: Stage, { acknowledged }: StageRun, upserts: number): number {
  if (stage === 'upsert') {
    const ids = Array.from({ length: upserts }, (_, i) => `item-${i % 3 === 0 ? i : 10_000 + i}`)
    return ids.filter((id, i) => i < acknowledged && store.itemKey(id) !== undefined).length
  }
  if (stage !== 'import') return store.spaces().reduce((sum, space) => sum + store.countEmbeddings(space), 0)
  const { items, users, reviews, interactions } = store.counts()
  return items + users + reviews + interactions
}
