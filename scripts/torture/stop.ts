import { rmSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { Child, COMMAND_LINE, type Ended, runStage } from './children.js'
import { goOn } from './going-on.js'
import { afterWork } from './moments.js'
import type { Stage } from './stages.js'
import { differences, stateOf } from './state.js'
import { lineOf, type TortureContext, type TortureTest } from './test.js'
import { Trials } from './trials.js'

/** SIGINT and SIGTERM to the command line, once and twice, and AbortSignal in the library, in every stage. */
export const test: TortureTest = {
  name: 'stop',
  promise:
    'Ctrl-C, SIGTERM and AbortSignal end every stage within five seconds, with code 130, nothing left over and nothing lost; asked twice, a command that cannot stop kills itself; nothing ever aborts in native code.',
  run: (context) => new StopTest(context).run(),
}

/** Of each way to stop a stage. */
const REPEATS = 3
/** Seconds; in proportion more on a machine that has more to do than it has cores. */
const WITHIN = 5
const limit = (): number => WITHIN * Math.max(1, loadavg()[0] / cpus().length)

const NAMES = ['SIGINT', 'SIGTERM'] as const
const TIMES = [1, 2] as const
type Way = {
  readonly through: 'command line' | 'library'
  readonly name: (typeof NAMES)[number]
  readonly times: (typeof TIMES)[number]
}

/** The commands in which the stages run; an upsert is over at once, and a compaction runs behind a question. */
const COMMANDS: { readonly [stage in Stage]?: (trials: Trials, folder: string) => readonly string[] } = {
  import: (trials, folder) => {
    const { files } = trials.call('import', 'int8', folder)
    if (files === undefined) throw new Error('an import without files')
    return [
      'import',
      '--items',
      files.items,
      '--reviews',
      files.reviews,
      '--interactions',
      files.interactions,
    ]
  },
  encode: () => ['index', '--kind', 'exact', '--dtype', 'int8', '--threads', '1'],
  index: () => ['index', '--kind', 'hnsw', '--rebuild', '--dtype', 'int8', '--threads', '1'],
  train: () => ['train', '--threads', '1'],
}

class StopTest {
  private readonly counts = { stops: 0, inside: 0, late: 0, aborts: 0, left: 0, mismatched: 0 }
  private readonly complaints: string[] = []
  private readonly trials: Trials
  private slowest = 0
  private killed = 0

  constructor(private readonly context: TortureContext) {
    this.trials = Trials.shared(context.short ? 'brief' : 'long')
  }

  async run() {
    const started = performance.now()
    const { short, stages, random, signal, log } = this.context
    for (const stage of stages) {
      const ways: Way[] = NAMES.flatMap((name) => [
        ...TIMES.map((times) => ({ through: 'library', name, times }) as const),
        ...(stage in COMMANDS
          ? TIMES.map((times) => ({ through: 'command line', name, times }) as const)
          : []),
      ])
      const chosen = short
        ? [ways[random.integer(ways.length)]]
        : Array.from({ length: REPEATS }, () => ways).flat()
      for (const way of chosen) {
        if (signal.aborted) break
        await this.stop(stage, way)
      }
      log(`${stage}: ${JSON.stringify(this.counts)}`)
    }
    if (this.counts.inside < this.counts.stops / 2) this.complaints.push('Too few signals came in time.')
    const none = ['late', 'aborts', 'left', 'mismatched']
    const notes = signal.aborted ? ['interrupted before its end'] : []
    notes.push(
      `The slowest stop took ${this.slowest.toFixed(1)} s; ${this.killed} killed themselves, asked twice.`,
    )
    return lineOf('stop', started, this.counts, none, this.complaints, notes)
  }

  private async stop(stage: Stage, way: Way): Promise<void> {
    const { through, name, times } = way
    const what = `${stage}, ${through}, ${name} ${times === 1 ? 'once' : 'twice'}`
    const folder = join(this.context.work, `${stage}-${this.counts.stops++}`)
    await this.trials.project(stage, 'int8', folder)
    const { processor, startup, state } = await this.trials.reference(stage, 'int8')
    const moment = this.context.random.next() * 0.7 * processor
    const { ended, after, acknowledged } =
      through === 'library'
        ? await this.stopLibrary(stage, folder, way, moment)
        : await this.stopCommand(stage, folder, way, startup + moment)
    const byItself = ended.code === 130 || ended.signal === name
    const gaveUp = times === 2 && ended.signal === 'SIGKILL'
    if (ended.code === 0) return void rmSync(folder, { recursive: true, force: true })
    this.counts.inside++
    if (gaveUp) this.killed++
    if (!byItself && !gaveUp) {
      this.counts.aborts++
      this.complain(
        what,
        folder,
        `ended with ${ended.signal ?? ended.code}: ${ended.stderr.trim().slice(-300)}`,
      )
    }
    this.slowest = Math.max(this.slowest, after)
    if (after > limit()) {
      this.counts.late++
      this.complain(what, folder, `took ${after.toFixed(1)} s`)
    }
    const { faults } = stateOf(folder)
    if (byItself && faults.length > 0) {
      this.counts.left++
      this.complain(what, folder, `left ${faults.join(', ')}`)
    }
    // The command trains with its own settings: a checkpoint of those is no part of the run that follows.
    const failure = await goOn(this.trials.call(stage, 'int8', folder, acknowledged))
    const wrong = failure === undefined ? differences(stateOf(folder), state) : [failure]
    if (wrong.length > 0) {
      this.counts.mismatched++
      this.complain(what, folder, `went on and differs in ${wrong.join(', ')}`)
    } else {
      rmSync(folder, { recursive: true, force: true })
    }
  }

  /** SIGINT and SIGTERM fire the AbortSignal that the child gave to the library. */
  private async stopLibrary(stage: Stage, folder: string, { name, times }: Way, moment: number) {
    let at = Number.POSITIVE_INFINITY
    const run = await runStage(this.trials.call(stage, 'int8', folder), {
      begun: (child) => {
        afterWork(child.pid as number, moment, this.context.random.next(), () => {
          at = performance.now()
          void send(child, name, times)
        })
      },
    })
    return {
      ended: run.ended,
      after: Math.max(0, (performance.now() - at) / 1000),
      acknowledged: run.acknowledged,
    }
  }

  private async stopCommand(stage: Stage, folder: string, { name, times }: Way, moment: number) {
    const args = COMMANDS[stage]?.(this.trials, folder)
    if (args === undefined) throw new Error(`no command for ${stage}`)
    const child = new Child(process.execPath, [COMMAND_LINE, ...args, '--dir', folder])
    let at = Number.POSITIVE_INFINITY
    afterWork(child.pid as number, moment, this.context.random.next(), () => {
      at = performance.now()
      void send(child, name, times)
    })
    const ended: Ended = await child.ended
    return { ended, after: Math.max(0, (performance.now() - at) / 1000), acknowledged: 0 }
  }

  private complain(what: string, folder: string, fact: string): void {
    this.complaints.push(`${what}: ${folder} ${fact}`)
    this.context.log(this.complaints.at(-1) as string)
  }
}

/** Once, or again after the moment that somebody takes who sees nothing happen. */
async function send(child: Child, name: Way['name'], times: Way['times']): Promise<void> {
  child.kill(name)
  if (times === 1) return
  await wait(300)
  child.kill(name)
}
