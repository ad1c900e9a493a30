import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export interface ProbeCall {
  readonly probe: string
  readonly argument: unknown
}

export type ProbeAnswer =
  | { readonly kind: 'answer'; readonly result: string }
  | { readonly kind: 'refused'; readonly code: string; readonly fact: string }
  /** An error that is not textrec's. */
  | { readonly kind: 'untyped'; readonly fact: string }

export type Outcome =
  | ProbeAnswer
  | { readonly kind: 'signal'; readonly fact: string }
  | { readonly kind: 'hung'; readonly fact: string }

/** A child is replaced after so many probes: what one leaves in memory is not to be blamed on another. */
const PROBES_PER_CHILD = 200
/** Milliseconds; a loaded machine is slow. */
const PATIENCE = 300_000

/** Runs probes one after the other in a child process; a child that dies is replaced. */
export class Prober {
  private child: ChildProcess | undefined
  private done = 0

  ask(probe: string, argument: unknown): Promise<Outcome> {
    if (this.child === undefined || this.done >= PROBES_PER_CHILD) {
      this.end()
      this.child = fork(fileURLToPath(new URL('./probe-child.js', import.meta.url)), {
        stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      })
      this.done = 0
    }
    this.done++
    const { child } = this
    let said = ''
    const listen = (text: Buffer) => {
      said = (said + text.toString()).slice(-2000)
    }
    child.stderr?.on('data', listen)
    return new Promise((resolve) => {
      const finish = (outcome: Outcome) => {
        clearTimeout(timer)
        child.stderr?.off('data', listen)
        child.removeAllListeners('message').removeAllListeners('exit')
        if (outcome.kind === 'signal' || outcome.kind === 'hung') this.child = undefined
        resolve(outcome)
      }
      const timer = setTimeout(() => {
        child.kill('SIGKILL')
        finish({ kind: 'hung', fact: `no answer in ${PATIENCE / 1000} s` })
      }, PATIENCE)
      child.on('message', (answer: ProbeAnswer) => finish(answer))
      child.on('exit', (code, signal) => finish({ kind: 'signal', fact: `${signal ?? code}: ${said}` }))
      child.send({ probe, argument } satisfies ProbeCall)
    })
  }

  end(): void {
    this.child?.removeAllListeners('exit')
    this.child?.disconnect()
    this.child = undefined
  }
}
