import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

/** How a process ended, in words; undefined for a good end. */
export type BadEnd = string | undefined

/** A child process that is told things and says things, a line each. */
export class Talker {
  readonly ended: Promise<BadEnd>
  private readonly child: ChildProcess
  private stderr = ''

  constructor(program: string, args: readonly string[], listener: (line: string) => void) {
    this.child = spawn(program, args, { stdio: 'pipe', env: { ...process.env, NO_COLOR: '1' } })
    const { stdin, stdout, stderr } = this.child
    if (stdin === null || stdout === null || stderr === null) throw new Error('The child has no pipes.')
    stdin.on('error', () => undefined) // it may be gone already
    createInterface({ input: stdout }).on('line', listener)
    stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr = (this.stderr + text).slice(-2000)
    })
    this.ended = new Promise((resolve, reject) => {
      this.child.on('error', reject)
      this.child.on('close', (code, signal) =>
        resolve(code === 0 ? undefined : `${signal ?? code}: ${this.stderr}`),
      )
    })
  }

  get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null
  }

  tell(line: string): void {
    this.child.stdin?.write(`${line}\n`)
  }

  /** Lets it finish. @returns how it ended badly, if it did */
  end(): Promise<BadEnd> {
    this.child.stdin?.end()
    return this.ended
  }
}
