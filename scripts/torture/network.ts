import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { random } from '../../src/math/random.js'
import { COMMAND_LINE, requireStrace } from './children.js'
import { madeItem } from './shop.js'
import { Talker } from './talker.js'
import { lineOf, type TortureContext, type TortureTest } from './test.js'

/** Every command that a shop uses, traced. */
export const test: TortureTest = {
  name: 'network',
  promise: 'Nothing is fetched at run time unless an encoder that is not there is asked for by name.',
  run,
}

async function run({ work, signal, log }: TortureContext) {
  const started = performance.now()
  await requireStrace()
  const counts = { commands: 0, failed: 0, connections: 0 }
  const complaints: string[] = []
  const source = random(1)
  const items = join(work, 'items.jsonl')
  writeFileSync(
    items,
    Array.from({ length: 24 }, (_, i) => `${JSON.stringify(madeItem(source, i))}\n`).join(''),
  )
  const events = join(work, 'events.csv')
  const rows = Array.from(
    { length: 60 },
    (_, i) => `person-${i % 9},item-${source.integer(24)},${1_600_000_000 + i}`,
  )
  writeFileSync(events, `user,item,time\n${rows.join('\n')}\n`)
  const shop = ['--dir', join(work, 'shop')]
  const commands: readonly (readonly string[])[] = [
    ['import', ...shop, '--items', items, '--interactions', events],
    // A cache of its own: the encoder's graph is built, as on the first day.
    ['index', ...shop, '--device', 'cpu', '--cache-dir', join(work, 'cache')],
    ['similar', ...shop, 'item-0'],
    ['search', ...shop, 'guitar string', '--cache-dir', join(work, 'cache')],
    ['recommend', ...shop, '--user', 'person-1'],
    ['explain', ...shop, '--user', 'person-1', '--item', 'item-5', '--cache-dir', join(work, 'cache')],
    ['audience', ...shop, 'item-3'],
    ['remove', ...shop, 'item-7'],
    ['stats', ...shop],
    ['doctor', ...shop],
    ['export', ...shop, '--out', join(work, 'copy')],
    ['stats', '--dir', join(work, 'copy')],
  ]
  for (const [i, args] of commands.entries()) {
    signal.throwIfAborted()
    const trace = join(work, `trace-${i}.txt`)
    const traced = ['-f', '--seccomp-bpf', '-qq', '-e', 'trace=connect,sendto,sendmsg', '-o', trace]
    const child = new Talker(
      'strace',
      [...traced, process.execPath, COMMAND_LINE, ...args, '-q', '--json'],
      () => undefined,
    )
    const bad = await child.end()
    counts.commands++
    if (bad !== undefined) {
      counts.failed++
      complaints.push(`textrec ${args[0]}: ${bad.slice(0, 300)}`)
    }
    const outside = readFileSync(trace, 'utf8')
      .split('\n')
      .filter((line) => /AF_INET6?/.test(line))
    counts.connections += outside.length
    complaints.push(...outside.slice(0, 3).map((line) => `textrec ${args[0]}: ${line}`))
  }
  log(`${counts.commands} commands`)
  return lineOf('network', started, counts, ['failed', 'connections'], complaints)
}
