import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { requireStrace } from './children.js'
import type { HostileAnswer, HostileCall } from './hostile-child.js'
import { HOSTILE, type HostileCase, randomOnnx, soundFolder } from './hostile-files.js'
import { Talker } from './talker.js'
import { lineOf, type TortureContext, type TortureTest } from './test.js'

/** Models from strangers. */
export const test: TortureTest = {
  name: 'hostile',
  promise:
    'A model file or name that means harm is refused with a code, in less than 100 ms of processor time and 64 MB of memory above the idle process, and nothing outside the model’s folder is opened.',
  run,
}

const MOST_MILLISECONDS = 100
const MOST_MEGABYTES = 64

async function run({ short, work, random, signal, log }: TortureContext) {
  const started = performance.now()
  await requireStrace()
  const counts = { cases: 0, opened: 0, untyped: 0, ended: 0, slow: 0, large: 0, outside: 0 }
  const complaints: string[] = []
  const outside = join(work, 'outside')
  mkdirSync(outside)
  writeFileSync(join(outside, 'secret.bin'), 'nobody may read this')
  const cases: HostileCase[] = [
    ...HOSTILE,
    ...Array.from({ length: short ? 20 : 1000 }, () => randomOnnx(random)),
  ]
  const trace = join(work, 'opens.txt')
  const child = new Opener(trace)
  const worst = { cpu: 0, wall: 0, above: 0 }
  const slowest = { cpu: '', above: '' }
  try {
    const folder = join(work, 'model')
    soundFolder(folder)
    const warm = await child.ask({ name: folder, cacheDirectory: join(work, 'cache') })
    if (warm.code !== '') throw new Error(`The sound model does not open: ${warm.fact}`)
    for (const { what, prepare } of cases) {
      signal.throwIfAborted()
      soundFolder(folder)
      const name = prepare(folder, outside) ?? folder
      const call = { name, cacheDirectory: join(work, 'cache') }
      let answer = await child.ask(call)
      // The best of three: a loaded machine is no fault of the file.
      for (let again = 0; again < 2 && answer.cpu > MOST_MILLISECONDS; again++) {
        const { cpu } = await child.ask(call)
        answer = { ...answer, cpu: Math.min(cpu, answer.cpu) }
      }
      counts.cases++
      const problems = [
        answer.code === '' ? 'opened' : undefined,
        answer.code === 'untyped' ? 'untyped' : undefined,
        answer.cpu > MOST_MILLISECONDS ? 'slow' : undefined,
        answer.above > MOST_MEGABYTES ? 'large' : undefined,
      ].filter((problem) => problem !== undefined)
      for (const problem of problems) counts[problem as keyof typeof counts]++
      if (problems.length > 0) complaints.push(`${what}: ${problems.join(', ')}: ${JSON.stringify(answer)}`)
      if (answer.cpu > worst.cpu) slowest.cpu = what
      if (answer.above > worst.above) slowest.above = what
      worst.cpu = Math.max(worst.cpu, answer.cpu)
      worst.wall = Math.max(worst.wall, answer.wall)
      worst.above = Math.max(worst.above, answer.above)
    }
  } catch (error) {
    signal.throwIfAborted()
    counts.ended++
    complaints.push(String(error))
  } finally {
    await child.end()
  }
  const foreign = opensOf(trace).filter((path) => path.includes(outside) || /passwd|\/dev\/zero/.test(path))
  counts.outside = foreign.length
  complaints.push(...foreign.slice(0, 5).map((path) => `opened ${path}`))
  const notes = [
    `at most ${worst.cpu.toFixed(0)} ms of processor time (${slowest.cpu}), ${worst.wall.toFixed(0)} ms by the clock, ${worst.above.toFixed(1)} MiB (${slowest.above})`,
  ]
  log(notes[0])
  const none = ['opened', 'untyped', 'ended', 'slow', 'large', 'outside']
  return lineOf('hostile', started, counts, none, complaints, notes)
}

/** What the traced process opened. */
function opensOf(trace: string): string[] {
  if (!existsSync(trace)) throw new Error('Nothing was traced.')
  const lines = readFileSync(trace, 'utf8').split('\n')
  if (lines.length < 100) throw new Error('Hardly anything was traced.')
  return lines.filter((line) => /open(at|at2)?\(/.test(line))
}

class Opener {
  private readonly child: Talker
  private waiting: ((answer: HostileAnswer) => void) | undefined

  constructor(trace: string) {
    const program = fileURLToPath(new URL('./hostile-child.js', import.meta.url))
    // -y tells what was opened in the end: the name of a link says nothing.
    const traced = ['-f', '-y', '--seccomp-bpf', '-qq', '-e', 'trace=open,openat,openat2', '-o', trace]
    this.child = new Talker('strace', [...traced, process.execPath, '--expose-gc', program], (line) =>
      this.waiting?.(JSON.parse(line) as HostileAnswer),
    )
  }

  ask(call: HostileCall): Promise<HostileAnswer> {
    return new Promise((resolve, reject) => {
      this.waiting = resolve
      void this.child.ended.then((bad) => reject(new Error(`The process ended: ${bad ?? 'well'}`)))
      this.child.tell(JSON.stringify(call))
    })
  }

  async end(): Promise<void> {
    await this.child.end()
  }
}
