import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { type ErrorCode, TextrecError } from '../errors.js'
import type { GraphShape } from './hnsw-library.js'
import type { Tuned } from './tune.js'

/** What the child process can be asked for, one at a time. */
export interface Methods {
  /** Makes room for a matrix. */
  begin(argument: { rows: number; dim: number }): Promise<void>
  rows(argument: { first: number; values: Float32Array }): Promise<void>
  /** Builds a graph of the matrix; one built before is thrown away. Reports progress. */
  build(argument: GraphShape): Promise<void>
  tune(argument: { seed: number; bar: number }): Promise<Tuned>
  save(argument: { path: string }): Promise<{ bytes: number }>
  /** Opens a published folder and asks it for vectors that it holds. */
  tryOut(argument: { folder: string }): Promise<{ size: number; wrong: number; trials: number }>
}

export interface Call {
  readonly id: number
  readonly method: keyof Methods
  readonly argument: unknown
}

export type Answer =
  | { readonly kind: 'result'; readonly id: number; readonly result: unknown }
  | {
      readonly kind: 'error'
      readonly id: number
      readonly code?: ErrorCode
      readonly fact: string
      readonly remedy: string
    }
  | { readonly kind: 'progress'; readonly done: number }

type Argument<M extends keyof Methods> = Parameters<Methods[M]>[0]
type Result<M extends keyof Methods> = Awaited<ReturnType<Methods[M]>>

/** The child process of `hnsw-process.ts`. It may be killed at any moment: nothing of ours is lost with it. */
export class HnswProcess {
  onProgress: ((done: number) => void) | undefined
  private readonly child: ChildProcess
  private readonly exited: Promise<unknown>
  private pending: { resolve: (result: never) => void; reject: (error: unknown) => void } | undefined
  private nextId = 1
  private lastWords = ''

  constructor() {
    this.child = fork(fileURLToPath(new URL('./hnsw-process.js', import.meta.url)), [], {
      serialization: 'advanced',
      execArgv: [],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    this.child.stderr?.on('data', (chunk) => {
      this.lastWords = (this.lastWords + String(chunk)).slice(-2000)
    })
    this.exited = once(this.child, 'exit').then(
      ([code, signal]) => this.fail(`ended (${signal ?? code}) ${this.lastWords}`),
      (cause) => this.fail(String(cause)),
    )
    this.child.on('message', (answer: Answer) => this.receive(answer))
    this.setReferenced(false)
  }

  /** @throws what the method threw; INTERNAL if the process has ended, which a damaged graph can make it do. */
  async call<M extends keyof Methods>(method: M, argument: Argument<M>): Promise<Result<M>> {
    const id = this.nextId++
    this.setReferenced(true)
    try {
      return await new Promise<Result<M>>((resolve, reject) => {
        this.pending = { resolve, reject }
        this.child.send({ id, method, argument } satisfies Call, (error) => {
          if (error !== null) this.fail(error.message)
        })
      })
    } finally {
      this.setReferenced(false)
    }
  }

  /** Ends the process, in the middle of its work if need be, and waits for its end. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL')
    this.setReferenced(true)
    await this.exited
  }

  private receive(answer: Answer): void {
    if (answer.kind === 'progress') {
      this.onProgress?.(answer.done)
      return
    }
    const { pending } = this
    this.pending = undefined
    if (answer.kind === 'result') pending?.resolve(answer.result as never)
    else pending?.reject(new TextrecError(answer.code ?? 'INTERNAL', answer.fact, answer.remedy))
  }

  private fail(reason: string): void {
    this.pending?.reject(
      new TextrecError('INTERNAL', `The process that builds the index ${reason.trim()}.`, 'Run it again.'),
    )
    this.pending = undefined
  }

  /** A process that is forgotten must not keep ours alive. */
  private setReferenced(on: boolean): void {
    const set = on ? 'ref' : 'unref'
    this.child[set]()
    this.child.channel?.[set]()
    const stderr = this.child.stderr as unknown as { ref?: () => void; unref?: () => void } | null
    stderr?.[set]?.()
  }
}
