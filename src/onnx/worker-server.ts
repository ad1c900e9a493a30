import { parentPort, workerData } from 'node:worker_threads'
import { isTextrecError, TextrecError } from '../errors.js'
import {
  BUSY,
  type CallMessage,
  type FromWorker,
  type SentError,
  STOP,
  type ToWorker,
  type WorkerStart,
} from './worker-protocol.js'

/** What a method gets beside its argument. */
export interface CallContext {
  /** Fires when the caller aborts; look at it between steps, after an await that lets messages in. */
  readonly signal: AbortSignal
  progress(progress: unknown): void
}

export interface Answer {
  readonly result: unknown
  /** Buffers in the result that are moved instead of copied. */
  readonly transfer?: readonly ArrayBuffer[]
}

export interface WorkerMethods {
  readonly [method: string]: (argument: never, context: CallContext) => Promise<Answer>
}

/**
 * Answers the calls of the WorkerClient that started this thread, one at a time, until it says close; then
 * `close` is awaited and the thread ends by itself.
 */
export function serveWorker(methods: WorkerMethods, close: () => Promise<void>): void {
  const port = parentPort
  if (port === null)
    throw new TextrecError('INTERNAL', 'This module runs in a worker only.', 'Do not import it.')
  const controllers = new Map<number, AbortController>()
  let queue = Promise.resolve()

  const send = (message: FromWorker, transfer: readonly ArrayBuffer[] = []) =>
    port.postMessage(message, transfer)

  const answer = async (call: CallMessage) => {
    const { id } = call
    const { signal } = controllers.get(id) as AbortController
    try {
      const method = methods[call.method]
      if (method === undefined) throw new Error(`no method ${call.method}`)
      const context = { signal, progress: (progress: unknown) => send({ kind: 'progress', id, progress }) }
      const { result, transfer } = await method(call.argument as never, context)
      send({ kind: 'result', id, result }, transfer)
    } catch (error) {
      send({ kind: 'error', id, error: sentError(error) })
    } finally {
      controllers.delete(id)
    }
  }

  port.on('message', (message: ToWorker) => {
    if (message.kind === 'abort') {
      controllers.get(message.id)?.abort()
    } else if (message.kind === 'call') {
      controllers.set(message.id, new AbortController())
      queue = queue.then(() => answer(message))
    } else {
      queue = queue.then(close).finally(() => port.close())
    }
  })
}

/**
 * Runs native code so that the process cannot exit in the middle of it (ONNX Runtime would abort), and lets
 * messages in (an abort, for one) before it starts.
 */
export async function nativeStep<T>(step: () => Promise<T>): Promise<T> {
  const { flags } = workerData as WorkerStart
  await new Promise((resolve) => setImmediate(resolve))
  const idle = () => {
    Atomics.store(flags, BUSY, 0)
    Atomics.notify(flags, BUSY)
  }
  // BUSY is raised before STOP is read, and the other thread does it the other way round: one sees the other.
  Atomics.store(flags, BUSY, 1)
  if (Atomics.load(flags, STOP) === 1) {
    idle()
    // The process is ending: this thread may not touch native code again, and nobody waits for its answer.
    return new Promise<never>(() => {})
  }
  try {
    return await step()
  } finally {
    idle()
  }
}

function sentError(error: unknown): SentError {
  if (isTextrecError(error)) {
    return { code: error.code, fact: error.fact, remedy: error.remedy, stack: error.stack }
  }
  const plain = error instanceof Error ? error : new Error(String(error))
  return { code: undefined, fact: plain.message, remedy: '', stack: plain.stack }
}
