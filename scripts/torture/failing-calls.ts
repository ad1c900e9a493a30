import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type Disturbance, runStage, type StageRun } from './children.js'
import type { Stage } from './stages.js'
import type { Trials } from './trials.js'

/** Made on files alone: none but the project's are written, so no path needs to be given. */
const FILE_CALLS = ['pwrite64', 'fsync', 'ftruncate', 'rename'] as const
/** The runtime wakes its threads by these too, and the pipes are the test's: they fail on the project's files only. */
const WRITES = ['write', 'writev'] as const
export const CALLS = [...FILE_CALLS, ...WRITES] as const
export type Call = (typeof CALLS)[number]

/** What a call ends with: for good, as on a full or a broken disk, or once, as what is then mended or was bad luck. */
export interface Failure {
  readonly error: 'ENOSPC' | 'EIO'
  readonly once: boolean
}

export const FAILURES: readonly Failure[] = [
  { error: 'ENOSPC', once: false },
  { error: 'EIO', once: false },
  { error: 'EIO', once: true },
]

const isWrite = (call: Call): boolean => WRITES.some((write) => write === call)

/** One thread for all that the runtime does with files: their calls come in one order. */
const ONE_THREAD = { UV_THREADPOOL_SIZE: '1' }
const STEADY = {
  ...ONE_THREAD,
  NODE_OPTIONS: `--import=${new URL('./steady-names.js', import.meta.url).href}`,
}

/** Folders on their way are named after the process that fills them: its id and its start. */
const OWNER = /(?<=\.(?:new|old)-)\d+\.\d+(?=-)/

/**
 * Errors in the calls by which a stage writes. `strace` picks files by path (-P) if it has to, so their paths must be
 * known before they are there: names that are drawn at random are drawn alike (`steady-names.ts`), and the tracer is
 * attached to a process that waits for it, when its id is known.
 */
export class FailingCalls {
  private files: readonly string[] = []

  constructor(
    private readonly trials: Trials,
    private readonly stage: Stage,
    private readonly work: string,
  ) {}

  /** How often the busiest thread of an undisturbed run makes each call on the project's files. */
  async counts(): Promise<{ readonly [call in Call]: number }> {
    const project = await this.trials.project(this.stage, 'int8', join(this.work, `${this.stage}-count`))
    const files = new Set<string>()
    const byThread = new Map<string, number>()
    const flags = ['-f', '--seccomp-bpf', '-qq', '-y', '-s', '0', '-o', '|cat 1>&2']
    const run = await this.runStage(project, {
      under: ['strace', ...flags, '-e', `trace=${CALLS.join(',')}`],
      env: STEADY,
      errorLine: (_, line) => {
        const [, thread, call, path] = /^(\d+) +(\w+)\((?:\d+<|")([^">]+)/.exec(line) ?? []
        if (!path?.startsWith(`${project}/`)) return
        if (isWrite(call as Call)) files.add(path.slice(project.length + 1).replace(OWNER, 'OWNER'))
        byThread.set(`${call} ${thread}`, (byThread.get(`${call} ${thread}`) ?? 0) + 1)
      },
    })
    if (!run.finished)
      throw new Error(`${this.stage} failed under strace: ${run.failed?.fact ?? run.ended.stderr}`)
    rmSync(project, { recursive: true, force: true })
    this.files = [...files]
    const most = (call: Call) =>
      Math.max(0, ...[...byThread].filter(([name]) => name.startsWith(`${call} `)).map(([, count]) => count))
    return Object.fromEntries(CALLS.map((call) => [call, most(call)])) as { [call in Call]: number }
  }

  /**
   * The n-th such call of each thread fails, and so does every one after it, unless only `once`.
   * @returns besides, how many calls failed
   */
  async run(
    project: string,
    call: Call,
    n: number,
    { error, once }: Failure,
  ): Promise<{ run: StageRun; hits: number }> {
    const trace = `${project}.trace`
    const flags = ['-f', '-qq', '-o', trace, '-e', `trace=${call}`]
    const inject = ['-e', `inject=${call}:error=${error}:when=${n}${once ? '' : '+'}`]
    const run = isWrite(call)
      ? await this.runStage(project, {
          env: STEADY,
          tracer: (pid) => ['strace', ...flags, ...inject, ...this.paths(project, pid), '-p', `${pid}`],
        })
      : await this.runStage(project, {
          env: ONE_THREAD,
          under: ['strace', '--seccomp-bpf', ...flags, ...inject],
        })
    const hits = existsSync(trace) ? readFileSync(trace, 'utf8').split('(INJECTED)').length - 1 : 0
    rmSync(trace, { force: true })
    return { run, hits }
  }

  private runStage(project: string, disturbance: Disturbance): Promise<StageRun> {
    const call = this.trials.call(this.stage, 'int8', project)
    return runStage({ ...call, waitsForTracer: disturbance.tracer !== undefined }, disturbance)
  }

  private paths(project: string, pid: number): string[] {
    const owner = `${pid}.${startOf(pid)}`
    return this.files.flatMap((file) => ['-P', join(project, file.replace('OWNER', owner))])
  }
}

/** When a process started, in clock ticks since boot: the 22nd field of its line in /proc. */
function startOf(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
}
