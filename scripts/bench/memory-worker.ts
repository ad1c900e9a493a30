import { parentPort, workerData } from 'node:worker_threads'

/** One of the threads that measure memory: copies one large array to another and tells its bytes per millisecond. */

/** 128 MB each: beyond what a processor's share of the caches holds. */
const NUMBERS = 2 ** 24

const { milliseconds } = workerData as { readonly milliseconds: number }
const from = new Float64Array(NUMBERS).fill(1)
const to = new Float64Array(NUMBERS).fill(2)
let copies = 0
const started = performance.now()
do {
  to.set(from)
  copies++
} while (performance.now() - started < milliseconds)
parentPort?.postMessage((copies * 2 * from.byteLength) / (performance.now() - started))
