import { closeSync, existsSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { importFiles } from '../../src/ingest/import.js'
import { random } from '../../src/math/random.js'
import { Store } from '../../src/store/index.js'
import { atLeast, barsTable, below } from './bars.js'
import { inChild } from './measure.js'
import type { BenchContext, BenchPart, BenchTable } from './part.js'

/**
 * In which order a file of interactions lists them: a data set goes by person, a log by time. By time anybody may be
 * next: in the order of the table, which goes by person, such a file is random.
 */
export type Order = 'by person' | 'by time'

const EVENTS_PER_PERSON = 20
const EVENTS_PER_ITEM = 25
/** What memory may grow by from the first size to another, once the first fills what is held of a file. */
const FLAT = 1.1
const FILLS = 1_000_000

export const part: BenchPart = {
  name: 'import',
  summary: 'interactions from a CSV file into a project',
  async run(context) {
    const { quick, flags } = context
    const sizes = (flags.sizes ?? (quick ? '200000' : '1000000')).split(',').map(Number)
    const rows = []
    const bars = []
    for (const order of ['by person', 'by time'] as const) {
      const peaks: number[] = []
      for (const size of sizes) {
        context.log(`${size} rows ${order}`)
        const run = await timedImport(context, size, order)
        const { seconds, peakMegabytes, cpuSeconds, writtenBytes } = run
        const written = writtenBytes === undefined ? undefined : writtenBytes / size
        rows.push([order, size, size / seconds, size / cpuSeconds, peakMegabytes, written])
        const name = `${size.toLocaleString('en-US')} rows ${order}`
        bars.push(atLeast(`rows a second, ${name}`, 100_000, size / seconds))
        bars.push(below(`peak memory, ${name}`, 512, peakMegabytes, ' MB'))
        if (peaks.length > 0 && sizes[0] >= FILLS)
          bars.push(below(`peak memory, ${name}, beside the first size`, FLAT, peakMegabytes / peaks[0]))
        peaks.push(peakMegabytes)
      }
    }
    const table: BenchTable = {
      title: 'Importing interactions',
      columns: [
        { name: 'order of the file' },
        { name: 'rows' },
        { name: 'rows', unit: '1/s' },
        { name: 'rows a second of processor time', unit: '1/s' },
        { name: 'peak memory', unit: 'MB' },
        { name: 'written to disk for each row', unit: 'bytes' },
      ],
      rows,
      notes: [
        `CSV with person, item, rating and time; ${EVENTS_PER_PERSON} rows a person, ${EVENTS_PER_ITEM} an item; a new project, each run in a process of its own.`,
        'By time anybody may be next, which is random in the order of the table.',
        '--size 1000000,10000000 for other sizes; from a million on, memory is held to stay within a tenth of that at the first.',
      ],
    }
    return [table, barsTable('What importing is held to', bars)]
  },
}

interface Imported {
  /** That the project holds now. */
  readonly rows: number
  /** Processor time of all threads; says more than the clock where others use the machine. */
  readonly cpuSeconds: number
  /** Handed to the disk, database and log; undefined where the system does not tell. */
  readonly writtenBytes?: number
}

export interface TimedImport extends Omit<Imported, 'rows'> {
  readonly seconds: number
  readonly peakMegabytes: number
}

/** Writes a file of so many rows and imports it into a new project, in a process of its own. Leaves neither behind. */
export async function timedImport(
  { work }: Pick<BenchContext, 'work'>,
  rows: number,
  order: Order,
): Promise<TimedImport> {
  const path = join(work, `${rows} ${order}.csv`)
  const folder = join(work, `project ${rows} ${order}`)
  try {
    writeInteractions(path, rows, order)
    const { milliseconds, peakBytes, result } = await inChild<Imported>(
      new URL(import.meta.url),
      'importInteractions',
      { path, folder },
    )
    const { rows: held, ...taken } = result
    if (held !== rows) throw new Error(`${held} of ${rows} rows were imported`)
    return { ...taken, seconds: milliseconds / 1000, peakMegabytes: peakBytes / 2 ** 20 }
  } finally {
    for (const made of [path, folder]) rmSync(made, { recursive: true, force: true })
  }
}

/** Runs in a process of its own. */
export async function importInteractions(input: { path: string; folder: string }): Promise<Imported> {
  const before = process.cpuUsage()
  const writtenBefore = writtenBytes()
  const store = Store.open(input.folder, { create: true })
  try {
    const { accepted } = await importFiles(store, { interactions: input.path })
    // Takes over what is left in the log.
    store.close()
    const { user, system } = process.cpuUsage(before)
    const written = writtenBytes()
    return {
      rows: accepted,
      cpuSeconds: (user + system) / 1e6,
      ...(written !== undefined && { writtenBytes: written - (writtenBefore ?? 0) }),
    }
  } finally {
    store.close()
  }
}

const IO = '/proc/self/io'

/** That this process has handed to disks so far; undefined where the system does not tell. */
function writtenBytes(): number | undefined {
  if (!existsSync(IO)) return undefined
  const line = /^write_bytes: (\d+)$/m.exec(readFileSync(IO, 'utf8'))
  return line === null ? undefined : Number(line[1])
}

/** Rows of one shop: everybody takes a few of many items, some items far more often than others. */
function writeInteractions(path: string, rows: number, order: Order): void {
  const draw = random(1)
  const people = Math.ceil(rows / EVENTS_PER_PERSON)
  const items = Math.ceil(rows / EVENTS_PER_ITEM)
  const file = openSync(path, 'w')
  try {
    writeSync(file, 'user_id,item_id,rating,timestamp\n')
    let lines: string[] = []
    for (let i = 0; i < rows; i++) {
      const person = order === 'by person' ? Math.floor(i / EVENTS_PER_PERSON) : draw.integer(people)
      const item = Math.floor(items * draw.next() ** 2)
      // A second apart: no two rows are the same event.
      lines.push(`u${100_000 + person},B${1_000_000 + item},${1 + draw.integer(5)},${1_500_000_000 + i}`)
      if (lines.length === 10_000 || i === rows - 1) {
        writeSync(file, `${lines.join('\n')}\n`)
        lines = []
      }
    }
  } finally {
    closeSync(file)
  }
}
