/**
 * Opens what a torture test has damaged, in a process of its own, so that a crash is seen and costs nothing.
 * Started with an IPC channel: a call names one of `PROBES`; the answer is what it returned, or the code of its error.
 */
import { isTextrecError } from '../../src/index.js'
import type { ProbeAnswer, ProbeCall } from './prober.js'
import { PROBES } from './probes.js'

process.on('message', (call: ProbeCall) => {
  const answer = (said: ProbeAnswer) => process.send?.(said)
  PROBES[call.probe](call.argument as never).then(
    (result) => answer({ kind: 'answer', result }),
    (error: unknown) => {
      if (isTextrecError(error)) answer({ kind: 'refused', code: error.code, fact: error.fact })
      else
        answer({
          kind: 'untyped',
          fact: error instanceof Error ? (error.stack ?? error.message) : String(error),
        })
    },
  )
})
process.on('disconnect', () => process.exit(0))
