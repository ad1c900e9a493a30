import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { processorTime } from './moments.js'
import type { Said, StageCall } from './stages.js'
import { Unavailable } from './test.js'

export const STAGE_CHILD = fileURLToPath(new URL('./stage-child.js', import.meta.url))
export const COMMAND_LINE = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url))

/** How a process ended. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** A child process under test: its words as they come, and how it ends. */
export class Child {
  readonly process: ChildProcess
  readonly ended: Promise<Ended>
  private stdout = ''
  private stderr = ''
  private readonly listeners: ((line: string) => void)[] = []
  private readonly errorListeners: ((line: string) => void)[] = []
  /** Of the process that does the work, where this one only traces it. */
  pid: number | undefined

  constructor(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.process = spawn(program, args, {
      env: { ...process.env, NO_COLOR: '1', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const tell = byLines((line) => {
      for (const listener of this.listeners) listener(line)
    })
    const tellError = byLines((line) => {
      for (const listener of this.errorListeners) listener(line)
    })
    this.process.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
      tell(text)
    })
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
      tellError(text)
    })
    this.pid = this.process.pid
    this.ended = new Promise((resolve, reject) => {
      this.process.on('error', reject)
      this.process.on('close', (code, signal) =>
        resolve({ code, signal, stdout: this.stdout, stderr: this.stderr }),
      )
    })
  }

  onLine(listener: (line: string) => void): void {
    this.listeners.push(listener)
  }

  onErrorLine(listener: (line: string) => void): void {
    this.errorListeners.push(listener)
  }

  /** Nothing happens if it has ended already. */
  kill(signal: NodeJS.Signals): void {
    if (this.pid === undefined || this.process.exitCode !== null || this.process.signalCode !== null) return
    try {
      process.kill(this.pid, signal)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
}

/** Cuts what comes in pieces into whole lines. */
function byLines(tell: (line: string) => void): (text: string) => void {
  let rest = ''
  return (text) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() as string
    for (const line of lines) tell(line)
  }
}

export function runNode(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return new Child(process.execPath, args, env).ended
}

/** One run of a stage, as its child told it. */
export interface StageRun {
  readonly began: boolean
  readonly finished: boolean
  /** The last count that the child said was committed; 0 if none. */
  readonly acknowledged: number
  /** Seconds from the beginning to the end, or to the moment at which it was ended. */
  readonly seconds: number
  /** Seconds of processor time from the beginning to the end, other processes included; 0 if it did not get there. */
  readonly processor: number
  /** Seconds of processor time before the beginning. */
  readonly startup: number
  readonly failed: Extract<Said, { kind: 'failed' }> | undefined
  readonly ended: Ended
}

export interface Disturbance {
  /** Called when the stage has begun. */
  readonly begun?: (child: Child) => void
  readonly progress?: (child: Child, what: string) => void
  /** A line on standard error: what a tracer says. */
  readonly errorLine?: (child: Child, line: string) => void
  /** Words before `node`: a tracer and its flags. */
  readonly under?: readonly string[]
  /** The words that attach a tracer to a child that waits for one. */
  readonly tracer?: (pid: number) => readonly string[]
  readonly env?: NodeJS.ProcessEnv
}

/** A stage that has not ended by then never will. */
const LONGEST_STAGE_MILLISECONDS = 600_000

/** Runs a stage in a child process to whatever end it comes. @throws Error for one that hangs */
export async function runStage(call: StageCall, disturbance: Disturbance = {}): Promise<StageRun> {
  const words = [...(disturbance.under ?? []), process.execPath, STAGE_CHILD, JSON.stringify(call)]
  const child = new Child(words[0], words.slice(1), disturbance.env)
  let began: number | undefined
  let end: number | undefined
  let before = 0
  let processor = 0
  let acknowledged = 0
  let failed: StageRun['failed']
  let tracing: Promise<Ended> | undefined
  child.onLine((line) => {
    const said = JSON.parse(line) as Said
    if (said.kind === 'waiting' && disturbance.tracer !== undefined) {
      const [program, ...args] = disturbance.tracer(said.pid)
      tracing = new Child(program, args).ended
    }
    if (said.kind === 'begin') {
      began = performance.now()
      before = processorTime(said.pid) ?? 0
      child.pid = said.pid
      disturbance.begun?.(child)
    }
    if (said.kind === 'progress') disturbance.progress?.(child, said.what)
    if (said.kind === 'acknowledged') acknowledged = said.count
    if (said.kind === 'failed') failed = said
    if (said.kind === 'end') {
      end = performance.now()
      processor = (processorTime(child.pid as number) ?? 0) - before
    }
  })
  const { errorLine } = disturbance
  if (errorLine !== undefined) child.onErrorLine((line) => errorLine(child, line))
  let hangs = false
  const patience = setTimeout(() => {
    hangs = true
    child.kill('SIGKILL')
  }, LONGEST_STAGE_MILLISECONDS)
  const ended = await child.ended
  clearTimeout(patience)
  await tracing
  if (hangs) throw new Error(`A stage hung and was killed: ${words.join(' ')}`)
  return {
    began: began !== undefined,
    finished: end !== undefined,
    acknowledged,
    seconds: began === undefined ? 0 : ((end ?? performance.now()) - began) / 1000,
    processor,
    startup: before,
    failed,
    ended,
  }
}

/** @throws Unavailable without strace, or where it may not trace */
export async function requireStrace(): Promise<void> {
  const tried = await new Child('strace', ['-o', '/dev/null', 'true']).ended.catch(() => undefined)
  if (tried === undefined)
    throw new Unavailable("'strace' is not installed.", "Install Debian's package of that name.")
  if (tried.code !== 0) {
    throw new Unavailable(
      `Processes may not be traced here: ${tried.stderr.trim()}.`,
      'Give the container the right to trace (docker run --cap-add SYS_PTRACE).',
    )
  }
}
