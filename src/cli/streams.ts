import { EXIT, outputFailure, printFailure } from './failure.js'

/** Says on one line that standard output cannot be written. Nor can anybody be told that standard error is gone. */
export function watchStreams(json: boolean): void {
  let failed = false
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (failed) return
    failed = true
    outputFailed(error, json)
  })
  process.stderr.on('error', () => {})
}

/**
 * Says that standard output cannot be written, and makes the process end with 1. A pipe that was closed early
 * (`textrec ... | head -1`) is no failure: there is nobody left to tell.
 */
export function outputFailed(error: NodeJS.ErrnoException, json: boolean): void {
  if (error.code === 'EPIPE') return
  printFailure(outputFailure(error), { json })
  // Last of all, because a command that knows nothing of it may still set the code of its own success.
  process.once('exit', () => {
    process.exitCode ||= EXIT.failed
  })
}
