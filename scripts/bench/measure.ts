import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { ChildAnswer, ChildOrder } from './child.js'

/** Milliseconds that a job takes. */
export async function timed(job: () => unknown): Promise<number> {
  const started = performance.now()
  await job()
  return performance.now() - started
}

/** Something to be compared with others on the same input. */
export interface Subject {
  readonly name: string
  run(): unknown
  /** Waited for after each run, outside its time: threads may be at work for a while after the last result. */
  settled?(): Promise<void>
}

/**
 * Runs all subjects in turn, round after round, each round beginning with another of them, so that whatever
 * else the machine does meets all alike. One round before the first is not counted.
 * @returns milliseconds per subject, one a round: value i of two subjects are a pair.
 */
export async function interleaved(subjects: readonly Subject[], rounds: number): Promise<number[][]> {
  const times: number[][] = subjects.map(() => [])
  for (const subject of subjects) {
    await subject.run()
    await subject.settled?.()
  }
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < subjects.length; i++) {
      const at = (round + i) % subjects.length
      times[at].push(await timed(() => subjects[at].run()))
      await subjects[at].settled?.()
    }
  }
  return times
}

/** Milliseconds of `count` calls one after the other, after some that are not counted. */
export async function latencies(
  count: number,
  job: (i: number) => unknown,
  warmup = Math.ceil(count / 10),
): Promise<number[]> {
  for (let i = 0; i < warmup; i++) await job(i)
  const times: number[] = []
  for (let i = 0; i < count; i++) times.push(await timed(() => job(i)))
  return times
}

/** What a job in a process of its own took. */
export interface ChildRun<T> {
  readonly result: T
  /** Wall time of the job, without the start of the process and the loading of its module. */
  readonly milliseconds: number
  /** Most memory that the process held at any time, bytes. */
  readonly peakBytes: number
  /** Memory that the process held when the job began, bytes: Node and the modules. */
  readonly startBytes: number
}

/**
 * Runs `job`, an exported function of a module, in a process of its own: its peak memory is nobody else's.
 * @param module URL of the compiled module, `new URL('./x.js', import.meta.url)`
 * @param input passed to the function as JSON
 * @throws Error with the function's own message
 */
export async function inChild<T>(module: URL, job: string, input: unknown): Promise<ChildRun<T>> {
  const child = fork(fileURLToPath(new URL('./child.js', import.meta.url)), [], { serialization: 'json' })
  const order: ChildOrder = { module: module.href, job, input }
  const answer = await new Promise<ChildAnswer>((resolve, reject) => {
    let last: ChildAnswer | undefined
    child.on('message', (message) => {
      last = message as ChildAnswer
    })
    child.once('error', reject)
    child.once('exit', (code) => {
      if (last === undefined) reject(new Error(`${job} ended with exit code ${code} and no answer`))
      else resolve(last)
    })
    child.send(order)
  })
  if ('failure' in answer) throw new Error(`${job}: ${answer.failure}`)
  return answer as ChildRun<T>
}
