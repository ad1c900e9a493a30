import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { shuffle } from '../../src/math/random.js'
import { type Child, type Disturbance, requireStrace, runStage } from './children.js'
import { goOn } from './going-on.js'
import type { Stage } from './stages.js'
import { differences, stateOf } from './state.js'
import { lineOf, type TortureContext, type TortureTest } from './test.js'
import { Trials } from './trials.js'

/**
 * SIGKILL at named points: after each system call that makes something of the project durable, visible or gone.
 * Between two of them the disk does not change, so after one is before the next. strace holds the process for an
 * instant after each, which is when it is killed: no hook in textrec is needed.
 */
export const test: TortureTest = {
  name: 'points',
  promise:
    'The same holds for a kill between any two of: the syncs, renames and removals by which commits and publications are made.',
  run: (context) => new PointsTest(context).run(),
}

const CALLS = 'fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,ftruncate'
/** How long the process is held, in microseconds: many times what the line takes to get here. */
const HELD = 150_000

const TRACED = (held: string | undefined): readonly string[] => [
  'strace',
  ...['-f', '--seccomp-bpf', '-qq', '-y', '-o', '|cat 1>&2', '-e', `trace=${CALLS}`],
  ...(held === undefined ? [] : ['-e', `inject=${held}:delay_exit=${HELD}`]),
]

/** Of each stage: one of every name, and others of the same names at random. */
const MOST_POINTS = 60

/** What a call is made on, without the names and numbers that are drawn anew each time. */
const nameOf = (line: string): string =>
  line.replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d+\.\d+-[0-9a-f]{12}/g, '*').replace(/\d+/g, '#')

/** Before that only the tracer's id is known, and killing the tracer sets the traced free. */
const hasBegun = (child: Child): boolean => child.pid !== child.process.pid

class PointsTest {
  private readonly counts = { points: 0, kills: 0, lost: 0, duplicated: 0, mismatched: 0 }
  private readonly complaints: string[] = []
  private readonly notes: string[] = []
  private readonly trials = Trials.shared('brief')

  constructor(private readonly context: TortureContext) {}

  async run() {
    await requireStrace()
    const started = performance.now()
    const { random, short, stages, signal, log } = this.context
    const chosen: { readonly stage: Stage; readonly point: number; readonly what: string }[] = []
    for (const stage of stages) {
      const all = (await this.pointsOf(stage)).map((what, point) => ({ stage, point, what }))
      const mixed = shuffle(all, random)
      const first = [...new Map(mixed.map((point) => [nameOf(point.what), point])).values()]
      const others = mixed.filter((point) => !first.includes(point))
      const some = [...first, ...others].slice(0, short ? 1 : Math.max(MOST_POINTS, first.length))
      chosen.push(...some)
      this.notes.push(`${stage}: ${some.length} of ${all.length} points, of ${first.length} names`)
      log(this.notes.at(-1) as string)
    }
    // In random order: a test that is interrupted has seen something of every stage.
    for (const { stage, point, what } of shuffle(chosen, random)) {
      if (signal.aborted) {
        this.notes.push('interrupted before its end')
        break
      }
      await this.killAt(stage, point, what)
      if (this.counts.points % 20 === 0) log(JSON.stringify(this.counts))
    }
    if (this.counts.kills < (short ? 0.5 : 0.8) * this.counts.points)
      this.complaints.push('Too few points were hit.')
    const none = ['lost', 'duplicated', 'mismatched']
    return lineOf('points', started, this.counts, none, this.complaints, this.notes)
  }

  /** The system calls on the project's files that an undisturbed run makes, in their order. */
  private async pointsOf(stage: Stage): Promise<string[]> {
    const folder = await this.trials.project(stage, 'int8', join(this.context.work, `${stage}-traced`))
    const points: string[] = []
    const run = await this.traced(
      stage,
      folder,
      { errorLine: (child, line) => hasBegun(child) && line.includes(folder) && points.push(line) },
      false,
    )
    if (!run.finished)
      throw new Error(`${stage} failed under strace: ${run.failed?.fact ?? run.ended.stderr}`)
    rmSync(folder, { recursive: true, force: true })
    return points
  }

  private traced(stage: Stage, folder: string, disturbance: Disturbance, held: boolean, from?: number) {
    return runStage(this.trials.call(stage, 'int8', folder, from), {
      ...disturbance,
      under: TRACED(held ? CALLS : undefined),
    })
  }

  private async killAt(stage: Stage, point: number, what: string): Promise<void> {
    this.counts.points++
    const folder = await this.trials.project(stage, 'int8', join(this.context.work, `${stage}-${point}`))
    let seen = -1
    const errorLine: Disturbance['errorLine'] = (child, line) => {
      if (!hasBegun(child) || !line.includes(folder) || ++seen !== point) return
      this.counts.kills++
      child.kill('SIGKILL')
    }
    const killed = await this.traced(stage, folder, { errorLine }, true)
    const failure = await goOn(this.trials.call(stage, 'int8', folder, killed.acknowledged))
    const { state } = await this.trials.reference(stage, 'int8')
    if (failure !== undefined) {
      this.complaints.push(`${stage}: ${folder}, killed after ${what}: ${failure}`)
      return
    }
    const found = stateOf(folder)
    this.counts.lost += Math.max(0, state.records - found.records)
    this.counts.duplicated += Math.max(0, found.records - state.records)
    const wrong = differences(found, state)
    if (wrong.length > 0) {
      this.counts.mismatched++
      this.complaints.push(`${stage}: ${folder}, killed after ${what}, differs in ${wrong.join(', ')}`)
    } else {
      rmSync(folder, { recursive: true, force: true })
    }
  }
}
