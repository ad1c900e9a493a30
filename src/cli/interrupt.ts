/** SIGINT and SIGTERM as one AbortSignal. */
export interface Interrupt {
  readonly signal: AbortSignal
  /** Gives the two signals their usual meaning back. */
  release(): void
}

/** How long a step that has begun may still take once somebody has asked twice, in milliseconds. */
const PATIENCE = 4000

/**
 * The first signal asks the running work to stop at its next safe point. From the second one on the process ends
 * within a few seconds: by itself, with 130, if the step that has begun is done by then; else it is killed. It is
 * never made to exit in the middle of native code, because ONNX Runtime and hnswlib abort then; a kill asks
 * nobody, and everything on the disk is made to survive one.
 */
export function catchInterrupts(say: (text: string) => void, patience = PATIENCE): Interrupt {
  const controller = new AbortController()
  let killing: NodeJS.Timeout | undefined
  const onSignal = (): void => {
    if (!controller.signal.aborted) {
      say('Stopping at the next safe point; what is done is kept.')
      controller.abort()
      return
    }
    say('Stopping within seconds, whatever is being done; what is done is kept.')
    killing ??= setTimeout(() => process.kill(process.pid, 'SIGKILL'), patience).unref()
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  return {
    signal: controller.signal,
    release: () => {
      clearTimeout(killing)
      process.off('SIGINT', onSignal)
      process.off('SIGTERM', onSignal)
    },
  }
}
