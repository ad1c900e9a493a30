import { closeSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { importFiles } from '../../src/ingest/import.js'
import { random } from '../../src/math/random.js'
import { Store } from '../../src/store/index.js'
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
    const most = Number(flags.rows ?? (quick ? 200_000 : 1_000_000))
    const rows = []
    for (const order of ['by person', 'by time'] as const) {
      context.log(`${most} rows ${order}`)
      const { seconds, peakMegabytes } = await timedImport(context, most, order)
      rows.push([order, most, most / seconds, peakMegabytes])
    }
    const table: BenchTable = {
      title: 'Importing interactions',
      columns: [
        { name: 'order of the file' },
        { name: 'rows' },
        { name: 'rows', unit: '1/s' },
        { name: 'peak memory', unit: 'MB' },
      ],
      rows,
      notes: [
        `CSV with person, item, rating and time; ${EVENTS_PER_PERSON} rows a person, ${EVENTS_PER_ITEM} an item; a new project, each run in a process of its own.`,
        '--with rows=10000000 for another size.',
      ],
    }
    return [table]
  },
}

/** Writes a file of so many rows and imports it into a new project, in a process of its own. */
export async function timedImport(
  { work }: Pick<BenchContext, 'work'>,
  rows: number,
  order: Order,
): Promise<{ readonly seconds: number; readonly peakMegabytes: number }> {
  const path = join(work, `${rows} ${order}.csv`)
  writeInteractions(path, rows, order)
  const input = { path, folder: join(work, `project ${rows} ${order}`) }
  const { milliseconds, peakBytes, result } = await inChild<number>(
    new URL(import.meta.url),
    'importInteractions',
    input,
  )
  if (result !== rows) throw new Error(`${result} of ${rows} rows were imported`)
  return { seconds: milliseconds / 1000, peakMegabytes: peakBytes / 2 ** 20 }
}

/** Runs in a process of its own. @returns rows that the project holds now */
export async function importInteractions(input: { path: string; folder: string }): Promise<number> {
  const store = Store.open(input.folder, { create: true })
  try {
    return (await importFiles(store, { interactions: input.path })).accepted
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
