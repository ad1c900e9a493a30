import type { ChildRun } from './measure.js'

/** The other end of `inChild`: runs one function of one module and tells its result, time and peak memory. */

export interface ChildOrder {
  readonly module: string
  readonly job: string
  readonly input: unknown
}

export type ChildAnswer = ChildRun<unknown> | { readonly failure: string }

async function answerTo(order: ChildOrder): Promise<ChildAnswer> {
  try {
    const module = (await import(order.module)) as { readonly [job: string]: (input: unknown) => unknown }
    const startBytes = process.memoryUsage.rss()
    const started = performance.now()
    const result = await module[order.job](order.input)
    const milliseconds = performance.now() - started
    return { result, milliseconds, startBytes, peakBytes: process.resourceUsage().maxRSS * 1024 }
  } catch (error) {
    return { failure: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  }
}

// Disconnecting lets the process end by itself, when whatever native code it used is idle.
process.once('message', async (order) => {
  process.send?.(await answerTo(order as ChildOrder), () => process.disconnect())
})
