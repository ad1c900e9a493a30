import { closeSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { importFiles } from '../../src/ingest/import.js'
import { random } from '../../src/math/random.js'
import { Store } from '../../src/store/index.js'
import { atLeast, barsTable, below } from './bars.js'
import { inChild } from './measure.js'
import type { BenchContext, BenchPart, BenchTable } from './part.js'

/** In which order a file of interactions lists them: a data set goes by person, a log by time. */
export type Order = 'by person' | 'by time'

const EVENTS_PER_PERSON = 20
const EVENTS_PER_ITEM = 25

export const part: BenchPart = {
  name: 'import',
  summary: 'interactions from a CSV file into a project',
  async run(context) {
    const { quick, flags } = context
    const sizes = (flags.sizes ?? (quick ? '200000' : '1000000')).split(',').map(Number)
    const rows = []
    const bars = []
    for (const size of sizes) {
      for (const order of ['by person', 'by time'] as const) {
        context.log(`${size} rows ${order}`)
        const { seconds, peakMegabytes, cpuSeconds } = await timedImport(context, size, order)
        rows.push([order, size, size / seconds, size / cpuSeconds, peakMegabytes])
        const name = `${size.toLocaleString('en-US')} rows ${order}`
        bars.push(atLeast(`rows a second, ${name}`, 100_000, size / seconds))
        bars.push(below(`peak memory, ${name}`, 512, peakMegabytes, ' MB'))
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
      ],
      rows,
      notes: [
        `CSV with person, item, rating and time; ${EVENTS_PER_PERSON} rows a person, ${EVENTS_PER_ITEM} an item; a new project, each run in a process of its own.`,
        '--size 10000000 for another size.',
      ],
    }
    return [table, barsTable('What importing is held to', bars)]
  },
}

/** Writes a file of so many rows and imports it into a new project, in a process of its own. */
export async function timedImport(
  { work }: Pick<BenchContext, 'work'>,
  rows: number,
  order: Order,
): Promise<{ readonly seconds: number; readonly cpuSeconds: number; readonly peakMegabytes: number }> {
  const path = join(work, `${rows} ${order}.csv`)
  writeInteractions(path, rows, order)
  const input = { path, folder: join(work, `project ${rows} ${order}`) }
  const { milliseconds, peakBytes, result } = await inChild<Imported>(
    new URL(import.meta.url),
    'importInteractions',
    input,
  )
  if (result.rows !== rows) throw new Error(`${result.rows} of ${rows} rows were imported`)
  return { seconds: milliseconds / 1000, cpuSeconds: result.cpuSeconds, peakMegabytes: peakBytes / 2 ** 20 }
}

interface Imported {
  /** That the project holds now. */
  readonly rows: number
  /** Processor time of all threads; says more than the clock where others use the machine. */
  readonly cpuSeconds: number
}

/** Runs in a process of its own. */
export async function importInteractions(input: { path: string; folder: string }): Promise<Imported> {
  const before = process.cpuUsage()
  const store = Store.open(input.folder, { create: true })
  try {
    const { accepted } = await importFiles(store, { interactions: input.path })
    const { user, system } = process.cpuUsage(before)
    return { rows: accepted, cpuSeconds: (user + system) / 1e6 }
  } finally {
    store.close()
  }
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
