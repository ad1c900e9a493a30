import { createWriteStream, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Store } from '../../src/store/index.js'
import { Child, COMMAND_LINE } from './children.js'
import { lineOf, type TortureContext, type TortureLine, type TortureTest, Unavailable } from './test.js'

/** Ten million interactions, imported by the command line in little memory. */
export const test: TortureTest = {
  name: 'large',
  promise: 'Ten million interactions are imported with less than 512 MB of memory.',
  run,
}

const MOST_MEMORY = 512
const PEOPLE = 1_000_000
const ITEMS = 200_000

async function run({ short, random, work, log }: TortureContext): Promise<TortureLine> {
  const started = performance.now()
  if (!existsSync('/proc/self/status'))
    throw new Unavailable('Peak memory is read from /proc, which is not here.', 'Run it on Linux.')
  const complaints: string[] = []
  const rows = short ? 300_000 : 10_000_000
  const file = join(work, 'interactions.csv')
  const lines = function* () {
    yield 'user,item,time\n'
    for (let at = 0; at < rows; ) {
      let text = ''
      for (const last = Math.min(rows, at + 5000); at < last; at++) {
        // The row's own number is its time: no two of them are the same event.
        const popular = Math.floor(ITEMS * random.next() ** 3)
        text += `person-${random.integer(PEOPLE)},item-${popular},${1e12 + at * 1000}\n`
      }
      yield text
    }
  }
  await pipeline(Readable.from(lines()), createWriteStream(file))
  log(`${rows} rows written`)
  const folder = join(work, 'project')
  const child = new Child(process.execPath, [
    COMMAND_LINE,
    'import',
    '--dir',
    folder,
    '--interactions',
    file,
    '--json',
  ])
  let peak = 0
  const watch = setInterval(() => {
    peak = Math.max(peak, peakOf(child.process.pid))
  }, 100)
  const { code, signal, stderr } = await child.ended
  clearInterval(watch)
  if (code !== 0) complaints.push(`The import ended with ${signal ?? code}: ${stderr.slice(-300)}`)
  if (peak > MOST_MEMORY) complaints.push(`It took ${peak.toFixed(0)} MB.`)
  const store = Store.open(folder)
  const { interactions } = store.counts()
  const damage = code === 0 ? store.check() : []
  store.close()
  complaints.push(...damage)
  const counts = { rows, lost: rows - interactions, peakMB: Math.round(peak) }
  return lineOf('large', started, counts, ['lost'], complaints)
}

/** The most memory that a process has had resident so far, MB; 0 once it has ended. */
function peakOf(pid: number | undefined): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1')
    return (Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024) / 1e6
  } catch {
    return 0
  }
}
