/** Every code a caller can meet. Codes are stable: programs may switch on them. */
export type ErrorCode =
  | 'OPTION_UNKNOWN' // an option name that does not exist
  | 'OPTION_INVALID' // an option value outside its range
  | 'DIMENSION_MISMATCH' // two vectors or matrices that do not fit together
  | 'NOT_FOUND' // an id that the project does not hold
  | 'PROJECT_MISSING' // no project at that path
  | 'PROJECT_LOCKED' // another process is doing what only one may do
  | 'PROJECT_READONLY' // something would have to be written, and may not be
  | 'PROJECT_CLOSED' // used after close()
  | 'DATABASE_BUSY' // another process held the database for too long
  | 'DATABASE_DAMAGED' // SQLite says that the file is not a sound database
  | 'DATABASE_VERSION' // written by a newer or foreign version
  | 'DISK_FULL' // no space left, or a write that failed
  | 'FILE_UNREADABLE' // a file that is missing or cannot be read
  | 'FORMAT_UNKNOWN' // --format auto could not tell
  | 'RECORD_INVALID' // a record that a library call was given and that cannot be stored
  | 'NOTHING_INDEXED' // asked before index() has run
  | 'INDEX_DAMAGED' // the index on disk is not what its manifest says
  | 'INDEX_STALE' // the index was made by another encoder or adapter
  | 'FINGERPRINT_MISMATCH' // vectors of different origin may not meet
  | 'VECTOR_INVALID' // a vector that is not finite, or not of unit length
  | 'MODEL_UNKNOWN' // no such encoder
  | 'MODEL_INVALID' // a model file that is damaged, hostile or not supported
  | 'MODEL_UNREACHABLE' // the model has to be downloaded and cannot be
  | 'DEVICE_MISSING' // the device asked for is not here
  | 'RUNTIME_FAILED' // ONNX Runtime refused or failed
  | 'DEPENDENCY_MISSING' // a native or optional package is not installed
  | 'NOT_ENOUGH_DATA' // too few interactions, items or texts for what was asked
  | 'SPLIT_REFUSED' // an evaluation split that the data cannot carry honestly
  | 'LEAK_FOUND' // an evaluation input that holds what is to be predicted
  | 'ABORTED' // the caller's AbortSignal, or an interrupt
  | 'INTERNAL' // a bug in textrec

/**
 * The one error class of textrec: a stable code, the fact that was seen, and what to do about it.
 * `message` is `fact` and `remedy` joined, so that logs are useful without looking at the fields.
 */
export class TextrecError extends Error {
  readonly code: ErrorCode
  readonly fact: string
  readonly remedy: string

  constructor(code: ErrorCode, fact: string, remedy: string, options: { cause?: unknown } = {}) {
    super(`${fact} ${remedy}`, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'TextrecError'
    this.code = code
    this.fact = fact
    this.remedy = remedy
  }
}

/** True for errors thrown by textrec itself, whichever copy of the package made them. */
export function isTextrecError(error: unknown): error is TextrecError {
  return error instanceof Error && error.name === 'TextrecError' && 'code' in error && 'remedy' in error
}

/** The error for a stopped operation. Nothing that was acknowledged before it is lost. */
export function aborted(what: string): TextrecError {
  return new TextrecError(
    'ABORTED',
    `${what} was stopped.`,
    'Run it again: it goes on from what it had stored.',
  )
}

/** Throws the ABORTED error if the signal has fired. */
export function throwIfAborted(signal: AbortSignal | undefined, what: string): void {
  if (signal?.aborted) throw aborted(what)
}
