import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { random } from '../../src/math/random.js'
import { type Bar, barsTable, below } from './bars.js'
import { fillProject, realVectors } from './catalogue.js'
import { median, percentile } from './figures.js'
import { timed } from './measure.js'
import type { BenchContext, BenchPart, BenchTable, Cell } from './part.js'

const CLI = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url))

export const part: BenchPart = {
  name: 'start',
  summary: 'from the start of a process to help, and to the first answer of a project',
  async run({ quick, work, log, flags }: BenchContext): Promise<readonly BenchTable[]> {
    const items = Number(flags.items ?? 10_000)
    const directory = join(work, 'project')
    log(`making a project of ${items} items`)
    const sample = await realVectors(undefined, join(work, 'sample'))
    await fillProject(directory, sample, { items, people: 1000, events: 10 }, random(1))
    const rounds = quick ? 5 : 15
    const commands: readonly Command[] = [
      { name: 'node --version, for comparison', args: [] },
      { name: 'textrec --help', args: ['--help'], within: 150 },
      {
        name: 'textrec recommend --user',
        args: ['recommend', '--dir', directory, '--user', 'person-7'],
        within: 1000,
      },
      { name: 'textrec similar', args: ['similar', '--dir', directory, 'item-42'], within: 1000 },
      {
        name: 'textrec search',
        args: ['search', '--dir', directory, 'a keeper alone in a storm'],
        within: 1000,
      },
    ]
    const rows: Cell[][] = []
    const bars: Bar[] = []
    for (const { name, args, within } of commands) {
      log(name)
      const command = args.length === 0 ? ['--version'] : [CLI, ...args]
      await run(command)
      const times: number[] = []
      for (let round = 0; round < rounds; round++) times.push(await timed(() => run(command)))
      rows.push([name, median(times), percentile(times, 0.99)])
      if (within !== undefined) bars.push(below(name, within, median(times), ' ms'))
    }
    return [
      {
        title: `From process start to the end of the answer, ${items} items`,
        columns: [{ name: 'command' }, { name: 'median', unit: 'ms' }, { name: 'p99', unit: 'ms' }],
        rows,
        notes: [
          'Files are in the cache of the operating system. The first recommendation of all also learns item-item scores; it is not counted.',
        ],
      },
      barsTable('What starting is held to', bars),
    ]
  },
}

interface Command {
  readonly name: string
  readonly args: readonly string[]
  /** Milliseconds, in the median, to be held to. */
  readonly within?: number
}

/** @throws Error with what the process said, if it fails */
async function run(args: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk) => {
    said += String(chunk)
  })
  const [code] = (await once(child, 'exit')) as [number | null]
  if (code !== 0) throw new Error(`node ${args.join(' ')} ended with ${code}: ${said}`)
}
