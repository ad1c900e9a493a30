/**
 * Opens model folders that mean harm and says what that cost. `node hostile-child.js`: one JSON argument a line on
 * standard input, one JSON answer a line on standard output. The first model opened is a sound one, so that what
 * every opening needs is loaded: what later ones cost is theirs alone.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { isMainThread, parentPort, Worker } from 'node:worker_threads'
import { EncoderEngine } from '../../src/encode/engine.js'
import { resolveModel } from '../../src/encode/resolve-model.js'
import { isTextrecError } from '../../src/index.js'
import type { WorkerStart } from '../../src/onnx/worker-protocol.js'

export interface HostileCall {
  readonly name: string
  readonly cacheDirectory: string
}

export interface HostileAnswer {
  /** '' where it was opened, 'untyped' for an error that is not textrec's. */
  readonly code: string
  readonly fact: string
  /** Milliseconds of processor time, and of the clock. */
  readonly cpu: number
  readonly wall: number
  /** MiB of memory at the highest, above what the process had before. */
  readonly above: number
}

/** MiB. */
function memory(field: 'VmRSS' | 'VmHWM'): number {
  return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024
}

async function open({ name, cacheDirectory }: HostileCall): Promise<void> {
  const source = await resolveModel(name, { hubDirectory: cacheDirectory })
  const engine = await EncoderEngine.open(
    { source, device: 'cpu', dtype: 'fp32', threads: 1, cacheDirectory },
    () => undefined,
  )
  await engine.close()
}

async function measured(call: HostileCall): Promise<HostileAnswer> {
  globalThis.gc?.()
  writeFileSync('/proc/self/clear_refs', '5') // the highest mark begins anew
  const before = memory('VmRSS')
  const cpu = process.cpuUsage()
  const started = performance.now()
  let code = ''
  let fact = ''
  try {
    await open(call)
  } catch (error) {
    code = isTextrecError(error) && error.code !== 'INTERNAL' ? error.code : 'untyped'
    fact = String(error).slice(0, 300)
  }
  const wall = performance.now() - started
  const used = process.cpuUsage(cpu)
  return { code, fact, cpu: (used.user + used.system) / 1000, wall, above: memory('VmHWM') - before }
}

if (isMainThread) {
  // The encoder's code runs in workers that were started as this one is.
  const flags = new Int32Array(new SharedArrayBuffer(8))
  const worker = new Worker(new URL(import.meta.url), { workerData: { flags } satisfies WorkerStart })
  worker.on('message', (answer: HostileAnswer) => process.stdout.write(`${JSON.stringify(answer)}\n`))
  const input = createInterface({ input: process.stdin })
  input.on('line', (line) => worker.postMessage(JSON.parse(line)))
  input.on('close', () => worker.postMessage('end'))
} else {
  let last = Promise.resolve()
  parentPort?.on('message', (call: HostileCall | 'end') => {
    last = last.then(async () => {
      if (call === 'end') parentPort?.close()
      else parentPort?.postMessage(await measured(call))
    })
  })
}
