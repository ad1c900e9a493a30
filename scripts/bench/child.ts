import { existsSync, readFileSync } from 'node:fs'
import type { ChildRun } from './measure.js'

/** The other end of `inChild`: runs one function of one module and tells its result, time and peak memory. */

export interface ChildOrder {
  readonly module: string
  readonly job: string
  readonly input: unknown
}

export type ChildAnswer = ChildRun<unknown> | { readonly failure: string }

const STATUS = '/proc/self/status'

/**
 * The most memory that this process held. Linux counts what its parent held at the fork into maxRSS: there the
 * high-water mark of its own address space is read instead.
 */
function peakBytes(): number {
  const own = existsSync(STATUS) ? /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync(STATUS, 'utf8')) : null
  return (own === null ? process.resourceUsage().maxRSS : Number(own[1])) * 1024
}

async function answerTo(order: ChildOrder): Promise<ChildAnswer> {
  try {
    const module = (await import(order.module)) as { readonly [job: string]: (input: unknown) => unknown }
    const startBytes = process.memoryUsage.rss()
    const started = performance.now()
    const result = await module[order.job](order.input)
    const milliseconds = performance.now() - started
    return { result, milliseconds, startBytes, peakBytes: peakBytes() }
  } catch (error) {
    return { failure: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  }
}

// Disconnecting lets the process end by itself, when whatever native code it used is idle.
process.once('message', async (order) => {
  process.send?.(await answerTo(order as ChildOrder), () => process.disconnect())
})
