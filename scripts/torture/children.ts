import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
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

  constructor(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.process = spawn(program, args, {
      env: { ...process.env, NO_COLOR: '1', ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    let line = ''
    this.process.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
      const lines = (line + text).split('\n')
      line = lines.pop() as string
      for (const whole of lines) for (const listener of this.listeners) listener(whole)
    })
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
    })
    this.process.stdin?.on('error', () => undefined) // it may be gone already
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

  kill(signal: NodeJS.Signals): void {
    this.process.kill(signal)
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
  readonly failed: Extract<Said, { kind: 'failed' }> | undefined
  readonly ended: Ended
}

export interface Disturbance {
  /** Called when the stage has begun. */
  readonly begun?: (child: Child) => void
  readonly progress?: (child: Child, what: string) => void
  /** Words before `node`: a tracer and its flags. */
  readonly under?: readonly string[]
  readonly env?: NodeJS.ProcessEnv
}

/** Runs a stage in a child process to whatever end it comes. */
export async function runStage(call: StageCall, disturbance: Disturbance = {}): Promise<StageRun> {
  const words = [...(disturbance.under ?? []), process.execPath, STAGE_CHILD, JSON.stringify(call)]
  const child = new Child(words[0], words.slice(1), disturbance.env)
  let began: number | undefined
  let end: number | undefined
  let acknowledged = 0
  let failed: StageRun['failed']
  child.onLine((line) => {
    const said = JSON.parse(line) as Said
    if (said.kind === 'begin') {
      began = performance.now()
      disturbance.begun?.(child)
    }
    if (said.kind === 'progress') disturbance.progress?.(child, said.what)
    if (said.kind === 'acknowledged') acknowledged = said.count
    if (said.kind === 'failed') failed = said
    if (said.kind === 'end') end = performance.now()
  })
  const ended = await child.ended
  return {
    began: began !== undefined,
    finished: end !== undefined,
    acknowledged,
    seconds: began === undefined ? 0 : ((end ?? performance.now()) - began) / 1000,
    failed,
    ended,
  }
}

/** @throws Unavailable without strace, or where it may not trace */
export async function requireStrace(): Promise<void> {
  const { code } = await new Child('strace', ['-o', '/dev/null', 'true']).ended.catch(() => ({ code: 1 }))
  if (code !== 0) throw new Unavailable("'strace' is not installed, or may not trace processes here.")
}
