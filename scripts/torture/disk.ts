import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Recommender } from '../../src/index.js'
import { shuffle } from '../../src/math/random.js'
import { Store } from '../../src/store/index.js'
import { requireStrace, runStage, type StageRun } from './children.js'
import { STAGES, type Stage } from './stages.js'
import { differences, stateOf } from './state.js'
import { lineOf, type TortureContext, type TortureTest } from './test.js'
import { Trials } from './trials.js'

/**
 * A disk that is full, at ten sizes of a tmpfs, and one that fails: ENOSPC and EIO at the N-th of the calls by which
 * SQLite and the publishing of folders write. Plain `write` is left to the tmpfs: an error there also hits the
 * runtime's own event descriptors.
 */
export const test: TortureTest = {
  name: 'disk',
  promise:
    'On a full or failing disk a command ends with a typed error; what was there before still opens and answers, nothing is published in part, and with room again the next run ends as an undisturbed one.',
  run: (context) => new DiskTest(context).run(),
}

const CALLS = ['pwrite64', 'fsync', 'ftruncate', 'rename'] as const
const ERRORS = ['ENOSPC', 'EIO'] as const
/** Every N of a call up to here, sampled beyond. */
const EVERY_UP_TO = 200
const SAMPLED_BEYOND = 20
const SIZES = 10

/** One disturbance, to be carried out in any order. */
type Trial = () => Promise<void>

class DiskTest {
  private readonly counts = { runs: 0, refused: 0, unharmed: 0, untyped: 0, lost: 0, mismatched: 0 }
  private readonly complaints: string[] = []
  private readonly trials = Trials.shared('brief')

  constructor(private readonly context: TortureContext) {}

  async run() {
    await requireStrace()
    const started = performance.now()
    const { short, log, work, random, signal } = this.context
    const refusal = refusalToMount(work)
    const notes =
      refusal === undefined ? [] : [`No full disk was tried: nothing may be mounted here (${refusal}).`]
    const planned: Trial[] = []
    for (const stage of short ? (['import', 'index'] as const) : STAGES) {
      if (refusal === undefined) planned.push(...(await this.fullDisks(stage)))
      for (const call of short ? (['pwrite64', 'fsync'] as const) : CALLS)
        planned.push(...(await this.failingCalls(stage, call)))
    }
    // In random order: a test that is interrupted has seen something of everything.
    for (const [i, trial] of shuffle(planned, random).entries()) {
      if (signal.aborted) {
        notes.push(`interrupted after ${i} of ${planned.length} runs`)
        break
      }
      await trial()
      if (i % 20 === 19) log(`${i + 1} of ${planned.length}: ${JSON.stringify(this.counts)}`)
    }
    return lineOf('disk', started, this.counts, ['untyped', 'lost', 'mismatched'], this.complaints, notes)
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

  /** The N-th such call of each thread fails, and so does every one after it. */
  private async failingCalls(stage: Stage, call: (typeof CALLS)[number]): Promise<Trial[]> {
    const { random, short } = this.context
    const count = await this.countOf(stage, call)
    const all = Array.from({ length: count }, (_, i) => i + 1)
    const late = shuffle(all.slice(EVERY_UP_TO), random).slice(0, SAMPLED_BEYOND)
    const chosen = short ? shuffle(all, random).slice(0, 1) : [...all.slice(0, EVERY_UP_TO), ...late]
    return chosen.flatMap((n) => {
      // Where there are hundreds the two take turns.
      const turns = short || call === 'pwrite64'
      const errors = turns ? [ERRORS[short ? random.integer(2) : n % 2]] : ERRORS
      return errors.map((error) => () => this.failingCall(stage, call, n, error))
    })
  }

  private async failingCall(stage: Stage, call: string, n: number, error: string): Promise<void> {
    const folder = join(this.context.work, `${stage}-${call}-${n}-${error}`)
    const project = await this.trials.project(stage, 'int8', folder)
    const inject = `inject=${call}:error=${error}:when=${n}+`
    const run = await runStage(this.trials.call(stage, 'int8', project), {
      under: ['strace', '-f', '--seccomp-bpf', '-qq', '-o', '/dev/null', '-e', `trace=${call}`, '-e', inject],
      env: { UV_THREADPOOL_SIZE: '1' },
    })
    await this.judge(stage, `${stage} with ${error} from ${call} ${n} on`, project, run, () => undefined)
  }

  /** How often the busiest thread of an undisturbed run makes the call on the project's files. */
  private async countOf(stage: Stage, call: string): Promise<number> {
    const project = await this.trials.project(
      stage,
      'int8',
      join(this.context.work, `${stage}-${call}-count`),
    )
    const byThread = new Map<string, number>()
    await runStage(this.trials.call(stage, 'int8', project), {
      under: ['strace', '-f', '--seccomp-bpf', '-qq', '-y', '-o', '|cat 1>&2', '-e', `trace=${call}`],
      env: { UV_THREADPOOL_SIZE: '1' },
      errorLine: (_, line) => {
        if (!line.includes(project)) return
        const thread = line.split(' ', 1)[0]
        byThread.set(thread, (byThread.get(thread) ?? 0) + 1)
      },
    })
    rmSync(project, { recursive: true, force: true })
    return Math.max(0, ...byThread.values())
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
    makeRoom()
    const resumed = await runStage(this.trials.call(stage, 'int8', project, run.acknowledged))
    const { state } = await this.trials.reference(stage, 'int8')
    const wrong = resumed.finished ? differences(stateOf(project), state) : [resumed.failed?.fact ?? 'no end']
    if (wrong.length > 0) {
      this.counts.mismatched++
      this.complain(what, project, `went on and differs in ${wrong.join(', ')}`)
    } else {
      rmSync(project, { recursive: true, force: true })
    }
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

function command(program: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`'${program} ${args.join(' ')}' failed: ${error?.message ?? stderr}`)
  return stdout
}

/** Why no file system can be mounted here; undefined where one can. */
function refusalToMount(work: string): string | undefined {
  const folder = join(work, 'tried')
  mkdirSync(folder)
  try {
    mount(folder, 64)
    unmount(folder)
    return undefined
  } catch (error) {
    return (error as Error).message.trim()
  }
}

const bytesIn = (folder: string): number => Number(command('du', '-sb', folder).split('\t')[0])
const mount = (folder: string, kib: number) =>
  command('mount', '-t', 'tmpfs', '-o', `size=${kib}k`, 'tmpfs', folder)
const resize = (folder: string, kib: number) => command('mount', '-o', `remount,size=${kib}k`, folder)
const unmount = (folder: string) => command('umount', '-l', folder)
