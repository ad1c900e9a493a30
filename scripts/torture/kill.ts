import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { Recommender } from '../../src/index.js'
import { Store } from '../../src/store/index.js'
import { runStage, type StageRun } from './children.js'
import { isPublished, repair } from './going-on.js'
import { afterWork } from './moments.js'
import { SIZES, type Stage, type StageCall } from './stages.js'
import { differences, stateOf } from './state.js'
import { lineOf, type TortureContext, type TortureTest } from './test.js'
import { type Reference, Trials } from './trials.js'

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
const SOON = 0.25
/** Of processor time, so by the clock too: a stage that is over sooner gives a kill too little to hit. */
const LEAST_SECONDS = 2
const LEAST_INSIDE = 0.8

type Dtype = StageCall['dtype']

/** One stage under fire, and how far its share of kills has come. */
interface Target {
  readonly stage: Stage
  readonly dtype: Dtype
  readonly trials: Trials
  readonly wanted: Reference
  left: number
  chains: number
  kills: number
  inside: number
}

class KillTest {
  private readonly counts = { kills: 0, inside: 0, lost: 0, duplicated: 0, mismatched: 0 }
  private readonly complaints: string[] = []

  constructor(private readonly context: TortureContext) {}

  async run() {
    const started = performance.now()
    const { short, signal, log, stages } = this.context
    const perStage = short ? 3 : 200
    const targets: Target[] = []
    for (const stage of stages) {
      signal.throwIfAborted()
      const dtypes: readonly Dtype[] = stage === 'encode' && !short ? ['int8', 'fp32'] : ['int8']
      for (const dtype of dtypes) targets.push(await this.target(stage, dtype, perStage / dtypes.length))
    }
    // A chain of each in turn: a test that is interrupted has seen something of all of them.
    for (let open = targets; open.length > 0 && !signal.aborted; open = open.filter(({ left }) => left > 0)) {
      for (const target of open) {
        if (signal.aborted) break
        await this.chain(target)
        log(`${JSON.stringify(this.counts)} after a chain of ${target.stage}`)
      }
    }
    const notes = targets.map(
      ({ stage, dtype, kills, inside, wanted }) =>
        `${stage} (${dtype}): ${inside} of ${kills} kills inside ${wanted.processor.toFixed(1)} s of work`,
    )
    if (signal.aborted) notes.push('interrupted before its end')
    // Of three kills, one that comes a moment after the end says nothing about its stage.
    for (const { kills, inside } of short ? [this.counts] : targets)
      if (inside < LEAST_INSIDE * kills) this.complaints.push(`${inside} of ${kills} inside are too few.`)
    const none = ['lost', 'duplicated', 'mismatched']
    return lineOf('kill', started, this.counts, none, this.complaints, notes)
  }

  /** With the smallest stage that lasts long enough on this machine as it is now. */
  private async target(stage: Stage, dtype: Dtype, left: number): Promise<Target> {
    const begun = { stage, dtype, left, chains: 0, kills: 0, inside: 0 }
    const brief = Trials.shared('brief')
    const wanted = await brief.reference(stage, dtype)
    if (this.context.short || wanted.processor >= LEAST_SECONDS) return { ...begun, trials: brief, wanted }
    const trials = Trials.shared('long')
    const long = await trials.reference(stage, dtype)
    if (long.processor < LEAST_SECONDS)
      this.complaints.push(`${stage} is over after ${long.processor.toFixed(1)} s: SIZES.long is too small.`)
    return { ...begun, trials, wanted: long }
  }

  /** Kills runs on one project until one gets through, and compares it with a calm one. */
  private async chain(target: Target): Promise<void> {
    const { stage, dtype, trials, wanted } = target
    const folder = join(this.context.work, `${stage}-${dtype}-${target.chains++}`)
    await trials.project(stage, dtype, folder)
    const most = Math.min(target.left, CHAINS[stage].most)
    let kills = 0
    let from = 0
    let killedAtEnd = false
    for (let run: StageRun | undefined; run?.finished !== true && !killedAtEnd; ) {
      const alone = kills >= most || this.context.signal.aborted
      const moment = alone ? undefined : this.moment(stage, wanted.processor)
      run = await runStage(trials.call(stage, dtype, folder, from), {
        begun: (child) => {
          if (moment !== undefined)
            afterWork(child.pid as number, moment, this.context.random.next(), () => child.kill('SIGKILL'))
        },
      })
      if (run.ended.signal === 'SIGKILL') {
        killedAtEnd = run.finished || isPublished(stage, folder)
        kills++
        target.left--
        target.kills++
        this.counts.kills++
        if (run.began && !run.finished) {
          target.inside++
          this.counts.inside++
        }
        if (stage === 'upsert') from = Math.max(from, run.acknowledged)
        await this.afterKill(target, folder, run)
      } else if (!run.finished) {
        const { failed, ended } = run
        const how = failed === undefined ? `${ended.code ?? ended.signal}: ${ended.stderr}` : failed.fact
        this.complain(stage, folder, `a run after ${kills} kills failed: ${how}`)
        target.left -= Math.max(0, 1 - kills)
        return
      }
    }
    // What a process leaves that is killed after its end is removed by the next one of its kind, or by the doctor.
    if (killedAtEnd) await repair(folder)
    const found = stateOf(folder)
    this.counts.lost += Math.max(0, wanted.state.records - found.records)
    this.counts.duplicated += Math.max(0, found.records - wanted.state.records)
    const wrong = differences(found, wanted.state)
    if (wrong.length === 0) {
      rmSync(folder, { recursive: true, force: true })
      return
    }
    this.counts.mismatched++
    this.complain(stage, folder, `after ${kills} kills differs in ${wrong.join(', ')}`)
  }

  /** Seconds of work from the stage's beginning to the kill: any moment of it is met. */
  private moment(stage: Stage, seconds: number): number {
    const { random } = this.context
    const within = CHAINS[stage].goesOn && random.next() < 0.8 ? SOON : 1
    return seconds * within * random.next()
  }

  /** What was acknowledged is there, and what was live still answers. */
  private async afterKill({ stage, trials }: Target, folder: string, run: StageRun): Promise<void> {
    const store = Store.open(folder, { create: stage === 'import' })
    try {
      const has = acknowledgedIn(store, stage, run, SIZES[trials.size].upserts)
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
