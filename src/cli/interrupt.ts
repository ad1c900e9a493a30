/** SIGINT and SIGTERM as one AbortSignal. */
export interface Interrupt {
  readonly signal: AbortSignal
  /** Gives the two signals their usual meaning back. */
  release(): void
}

/**
 * The first signal asks the running work to stop at its next safe point; a later one only says that it is
 * stopping. The process is never ended from here: ending it while ONNX Runtime or hnswlib works aborts it.
 */
export function catchInterrupts(say: (text: string) => void): Interrupt {
  const controller = new AbortController()
  const onSignal = (): void => {
    if (controller.signal.aborted) {
      say('Still stopping; a step that has begun is finished first.')
    } else {
      say('Stopping at the next safe point; what is done is kept.')
      controller.abort()
    }
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  return {
    signal: controller.signal,
    release: () => {
      process.off('SIGINT', onSignal)
      process.off('SIGTERM', onSignal)
    },
  }
}
