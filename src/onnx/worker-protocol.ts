/** The messages between a thread and the worker that computes for it. Plain data only. */

export interface CallMessage {
  readonly id: number
  readonly method: string
  readonly argument: unknown
}

export type ToWorker =
  | ({ readonly kind: 'call' } & CallMessage)
  | { readonly kind: 'abort'; readonly id: number }
  | { readonly kind: 'close' }

export type FromWorker =
  | { readonly kind: 'result'; readonly id: number; readonly result: unknown }
  | { readonly kind: 'error'; readonly id: number; readonly error: SentError }
  | { readonly kind: 'progress'; readonly id: number; readonly progress: unknown }

/** An error in a form that survives the passage: a TextrecError keeps its code and its remedy. */
export interface SentError {
  readonly code: string | undefined
  readonly fact: string
  readonly remedy: string
  readonly stack: string | undefined
}

/** What a worker is started with; `flags` is shared memory, see the constants below. */
export interface WorkerStart {
  readonly flags: Int32Array
}

/** flags[BUSY] is 1 while native code runs in the worker, flags[STOP] is 1 once no more of it may start. */
export const BUSY = 0
export const STOP = 1
