import { Worker } from 'node:worker_threads'
import { aborted, type ErrorCode, TextrecError } from '../errors.js'
import { disableTelemetry } from './no-telemetry.js'
import {
  BUSY,
  type FromWorker,
  type SentError,
  STOP,
  type ToWorker,
  type WorkerStart,
} from './worker-protocol.js'

export interface CallOptions<P> {
  /** The worker is told; it stops between two steps of its work. */
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: P) => void
  /** Buffers that are moved to the worker instead of copied. */
  readonly transfer?: readonly ArrayBuffer[]
}

interface Pending {
  readonly method: string
  readonly resolve: (result: unknown) => void
  readonly reject: (error: unknown) => void
  readonly onProgress: ((progress: never) => void) | undefined
  readonly release: () => void
}

/**
 * A worker thread that answers calls, one after the other, in the order in which they were made.
 *
 * It keeps the process alive only while a call is open. It is never terminated: ONNX Runtime aborts the whole
 * process if its thread disappears, so `close` lets the current call end and waits for the thread, and a
 * process.exit() waits for the step that is being computed.
 */
export class WorkerClient {
  private readonly worker: Worker
  private readonly pending = new Map<number, Pending>()
  private readonly exited: Promise<void>
  private readonly flags = new Int32Array(new SharedArrayBuffer(8))
  private nextId = 1
  private closing = false
  private failure: TextrecError | undefined

  /** @param script the module that calls `serveWorker`. */
  constructor(
    script: URL,
    private readonly what: string,
  ) {
    disableTelemetry()
    const start: WorkerStart = { flags: this.flags }
    // Flags of the caller's own command line (--input-type, --import) are not meant for this script.
    this.worker = new Worker(script, { workerData: start, execArgv: [] })
    this.worker.unref()
    this.worker.on('message', (message: FromWorker) => this.receive(message))
    this.worker.on('error', (cause) => this.fail(cause))
    this.worker.on('messageerror', (cause) => this.fail(cause))
    process.on('exit', this.waitUntilIdle)
    this.exited = new Promise((resolve) => {
      this.worker.on('exit', () => {
        process.off('exit', this.waitUntilIdle)
        this.fail(undefined)
        resolve()
      })
    })
  }

  /**
   * @throws whatever the method threw; ABORTED if the signal fires; INTERNAL if the worker has died.
   */
  call<A, R, P = never>(method: string, argument: A, options: CallOptions<P> = {}): Promise<R> {
    if (this.failure !== undefined) return Promise.reject(this.failure)
    if (this.closing) return Promise.reject(this.closedError())
    const { signal } = options
    if (signal?.aborted) return Promise.reject(aborted(this.what))
    const id = this.nextId++
    return new Promise<R>((resolve, reject) => {
      const onAbort = () => this.send({ kind: 'abort', id })
      signal?.addEventListener('abort', onAbort, { once: true })
      this.pending.set(id, {
        method,
        resolve: resolve as (result: unknown) => void,
        reject,
        onProgress: options.onProgress as ((progress: never) => void) | undefined,
        release: () => signal?.removeEventListener('abort', onAbort),
      })
      this.worker.ref()
      this.send({ kind: 'call', id, method, argument }, options.transfer)
    })
  }

  /** Calls that are open are answered first. Safe to call twice. */
  async close(): Promise<void> {
    if (!this.closing) {
      this.closing = true
      if (this.failure === undefined) {
        this.worker.ref()
        this.send({ kind: 'close' })
      }
    }
    await this.exited
  }

  private send(message: ToWorker, transfer: readonly ArrayBuffer[] = []): void {
    this.worker.postMessage(message, transfer)
  }

  private receive(message: FromWorker): void {
    const pending = this.pending.get(message.id)
    if (pending === undefined) return
    if (message.kind === 'progress') {
      pending.onProgress?.(message.progress as never)
      return
    }
    this.pending.delete(message.id)
    pending.release()
    if (this.pending.size === 0 && !this.closing) this.worker.unref()
    if (message.kind === 'result') pending.resolve(message.result)
    else pending.reject(receiveError(message.error))
  }

  private fail(cause: unknown): void {
    this.failure ??= this.closing
      ? this.closedError()
      : new TextrecError('INTERNAL', `The worker thread of ${this.what} ended.`, 'Open it again.', { cause })
    for (const { reject, release } of this.pending.values()) {
      release()
      reject(this.failure)
    }
    this.pending.clear()
  }

  private closedError(): TextrecError {
    return new TextrecError('PROJECT_CLOSED', `${this.what} has been closed.`, 'Open it again.')
  }

  /** Runs as the process exits, when nothing asynchronous works any more: blocks until native code is done. */
  private readonly waitUntilIdle = () => {
    Atomics.store(this.flags, STOP, 1)
    while (Atomics.load(this.flags, BUSY) === 1) Atomics.wait(this.flags, BUSY, 1)
  }
}

function receiveError(sent: SentError): Error {
  if (sent.code === undefined) {
    const cause = new Error(sent.fact)
    cause.stack = sent.stack
    return new TextrecError(
      'INTERNAL',
      `A worker thread failed: ${sent.fact}.`,
      'This is a bug in textrec.',
      {
        cause,
      },
    )
  }
  return new TextrecError(sent.code as ErrorCode, sent.fact, sent.remedy)
}
