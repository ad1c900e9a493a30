import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Recommender } from '../../src/index.js'
import { shuffle } from '../../src/math/random.js'
import { Store } from '../../src/store/index.js'
import { requireStrace, runStage, type StageRun } from './children.js'
import { CALLS, FAILURES, FailingCalls, type Failure } from './failing-calls.js'
import { goOn } from './going-on.js'
import { publishedFaults } from './published-faults.js'
import type { Stage } from './stages.js'
import { differences, stateOf } from './state.js'
import { failsWhereSkipped, lineOf, type TortureContext, type TortureTest } from './test.js'
import { bytesIn, mount, refusalToMount, resize, unmount } from './tmpfs.js'
import { Trials } from './trials.js'

/**
 * A disk that is full, at ten sizes of a tmpfs, and one that fails: ENOSPC and EIO at the N-th of the calls by which
 * SQLite and the publishing of folders write, from then on or that once.
 */
export const test: TortureTest = {
  name: 'disk',
  promise:
    'On a full or failing disk a command ends with a typed error; what was there before still opens and answers, nothing is published in part, and with room again the next run ends as an undisturbed one.',
  run: (context) => new DiskTest(context).run(),
}

/** Every N of a call up to here, sampled beyond. */
const EVERY_UP_TO = 200
const SAMPLED_BEYOND = 20
const SIZES = 10
/** Of the runs that were refused, one in so many goes on with room again; it costs as much as all the rest. */
const RESUMED = 5
/** The share of runs that may make fewer calls than the one that was counted. */
const MOST_MISSED = 0.1

/** One disturbance, to be carried out in any order. */
type Trial = () => Promise<void>

class DiskTest {
  private readonly counts = {
    runs: 0,
    refused: 0,
    unharmed: 0,
    missed: 0,
    resumed: 0,
    untyped: 0,
    lost: 0,
    partial: 0,
    mismatched: 0,
  }
  private readonly complaints: string[] = []
  private readonly trials = Trials.shared('brief')

  constructor(private readonly context: TortureContext) {}

  async run() {
    await requireStrace()
    const started = performance.now()
    const { short, stages, log, work, random, signal } = this.context
    const refusal = refusalToMount(work)
    const planned: Trial[] = []
    for (const stage of stages) {
      if (short && stage !== 'import' && stage !== 'index') continue
      if (refusal === undefined) planned.push(...(await this.fullDisks(stage)))
      planned.push(...(await this.failingCalls(stage)))
    }
    const notes: string[] = []
    // In random order: a test that is interrupted has seen something of everything.
    for (const [i, trial] of shuffle(planned, random).entries()) {
      if (signal.aborted) {
        notes.push(`interrupted after ${i} of ${planned.length} runs`)
        break
      }
      await trial()
      if (i % 20 === 19) log(`${i + 1} of ${planned.length}: ${JSON.stringify(this.counts)}`)
    }
    if (this.counts.missed > MOST_MISSED * this.counts.runs) this.complaints.push('Too few calls failed.')
    const none = ['untyped', 'lost', 'partial', 'mismatched']
    const line = lineOf('disk', started, this.counts, none, this.complaints, notes)
    if (refusal === undefined) return line
    const unmounted = `No full disk was tried: nothing may be mounted here (${refusal}). Run it as root, in a container that may mount (docker run --cap-add SYS_ADMIN).`
    return { ...line, failed: line.failed || failsWhereSkipped(), notes: [...line.notes, unmounted] }
  }

  /** The stage on file systems between what its project takes and what it needs. */
  private async fullDisks(stage: Stage): Promise<Trial[]> {
    const probe = await this.trials.project(stage, 'int8', join(this.context.work, `${stage}-probe`))
    const least = Math.ceil(bytesIn(probe) / 1024) + 64
    const run = await runStage(this.trials.call(stage, 'int8', probe))
    if (!run.finished)
      throw new Error(`${stage} failed with room enough: ${run.failed?.fact ?? run.ended.stderr}`)
    // Twice what is left at the end: database and log, an old index and a new one.
    const most = Math.ceil((2 * bytesIn(probe)) / 1024) + 256
    rmSync(probe, { recursive: true, force: true })
    const steps = this.context.short ? [3] : Array.from({ length: SIZES }, (_, i) => i)
    return steps.map((step) => async () => {
      const size = Math.round(least + ((most - least) * step) / SIZES)
      const folder = join(this.context.work, `${stage}-${size}k`)
      mkdirSync(folder)
      mount(folder, size)
      try {
        const project = await this.trials.project(stage, 'int8', join(folder, 'project'))
        const what = `${stage} on a disk of ${size} KiB`
        const disturbed = await runStage(this.trials.call(stage, 'int8', project))
        await this.judge(stage, what, project, disturbed, () => resize(folder, 16 * most))
      } finally {
        unmount(folder)
      }
    })
  }

  /** Every N of every call, in every way. */
  private async failingCalls(stage: Stage): Promise<Trial[]> {
    const failing = new FailingCalls(this.trials, stage, this.context.work)
    const counts = await failing.counts()
    this.context.log(`${stage} makes ${JSON.stringify(counts)}`)
    const calls = this.context.short ? (['pwrite64', 'fsync', 'write'] as const) : CALLS
    return calls.flatMap((call) =>
      // Where there are hundreds of them, the ways take turns.
      this.chosen(counts[call], call === 'pwrite64').map(([n, failure]) => async () => {
        const { error, once } = failure
        const folder = join(this.context.work, `${stage}-${call}-${n}-${error}${once ? '-once' : ''}`)
        const project = await this.trials.project(stage, 'int8', folder)
        const { run, hits } = await failing.run(project, call, n, failure)
        if (hits === 0) this.counts.missed++
        const what = `${stage} with ${error} ${once ? `from ${call} ${n}, once` : `from ${call} ${n} on`}`
        await this.judge(stage, what, project, run, () => undefined)
      }),
    )
  }

  /** Which of so many calls fail, and how. */
  private chosen(count: number, turns: boolean): (readonly [n: number, failure: Failure])[] {
    const { random, short } = this.context
    const all = Array.from({ length: count }, (_, i) => i + 1)
    if (short)
      return shuffle(all, random)
        .slice(0, 1)
        .map((n) => [n, FAILURES[random.integer(FAILURES.length)]])
    const late = shuffle(all.slice(EVERY_UP_TO), random).slice(0, SAMPLED_BEYOND)
    return [...all.slice(0, EVERY_UP_TO), ...late].flatMap((n) =>
      (turns ? [FAILURES[n % FAILURES.length]] : FAILURES).map((failure) => [n, failure] as const),
    )
  }

  private async judge(
    stage: Stage,
    what: string,
    project: string,
    run: StageRun,
    makeRoom: () => void,
  ): Promise<void> {
    this.counts.runs++
    if (run.finished && run.failed === undefined) this.counts.unharmed++
    else this.counts.refused++
    const { failed, ended } = run
    // Nothing of textrec ran where Node itself could not start; a typed error says code, fact and remedy.
    if (!run.finished && (failed === undefined || failed.code === 'UNTYPED' || failed.code === 'INTERNAL')) {
      this.counts.untyped++
      const said =
        failed === undefined ? `${ended.signal ?? ended.code} ${ended.stderr.slice(-400)}` : failed.fact
      this.complain(what, project, `ended untyped: ${said}`)
    }
    const harm = run.finished ? undefined : await this.previousState(stage, project, run)
    if (harm !== undefined) {
      this.counts.lost++
      this.complain(what, project, harm)
    }
    const partial = await publishedFaults(project)
    if (partial.length > 0) {
      this.counts.partial++
      this.complain(what, project, partial[0])
    }
    makeRoom()
    if (harm !== undefined || partial.length > 0) return
    if (run.finished || this.context.short || this.counts.refused % RESUMED === 0) {
      this.counts.resumed++
      const failure = await goOn(this.trials.call(stage, 'int8', project, run.acknowledged))
      const { state } = await this.trials.reference(stage, 'int8')
      const wrong = failure === undefined ? differences(stateOf(project), state) : [failure]
      if (wrong.length > 0) {
        this.counts.mismatched++
        this.complain(what, project, `went on and differs in ${wrong.join(', ')}`)
        return
      }
    }
    rmSync(project, { recursive: true, force: true })
  }

  /** @returns what is wrong with the project as the failed run left it, on the disk that is still full */
  private async previousState(stage: Stage, project: string, run: StageRun): Promise<string | undefined> {
    if (stage === 'import' && run.acknowledged === 0) return undefined
    try {
      const store = Store.open(project)
      const damage = store.check()
      store.close()
      if (damage.length > 0) return `is damaged: ${damage[0]}`
      if (stage === 'import' || stage === 'encode') return undefined
      const shop = await Recommender.open(project, { threads: 1, create: false })
      try {
        const { items } = await shop.similarItems(stage === 'train' ? 'dracula' : 'item-1', { k: 3 })
        return items.length === 3 ? undefined : `answers with ${items.length} items`
      } finally {
        await shop.close()
      }
    } catch (error) {
      return `does not open and answer: ${(error as Error).message}`
    }
  }

  private complain(what: string, project: string, fact: string): void {
    this.complaints.push(`${what}: ${project} ${fact}`)
    this.context.log(this.complaints.at(-1) as string)
  }
}
