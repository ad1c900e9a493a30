import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Recommender } from '../../src/index.js'
import { Store } from '../../src/store/index.js'
import { acquireLock } from '../../src/store/lock.js'
import { COMMAND_LINE, runNode, runStage } from './children.js'
import { lineOf, type TortureContext, type TortureLine, type TortureTest } from './test.js'
import { GROUP_SIZE, GROUPS, groupItem, READERS, type TogetherReport, WRITERS } from './together-groups.js'
import { Trials } from './trials.js'

/** Eight processes on one project, two index builds at once, and a lock whose holder was killed. */
export const test: TortureTest = {
  name: 'together',
  promise:
    'Any number of processes read and write one project at once: nothing is damaged or half seen, nothing fails for being busy; of two index builds one builds and the other says so; the lock of a killed process is free within five seconds.',
  run,
}

const CHILD = fileURLToPath(new URL('./together-child.js', import.meta.url))
const TAKEOVER_SECONDS = 5

async function run(context: TortureContext): Promise<TortureLine> {
  const started = performance.now()
  const complaints: string[] = []
  const eight = await eightProcesses(context, complaints)
  const turnedAway = await twoBuilds(context, complaints)
  const takeover = await killedHolder(context)
  if (takeover > TAKEOVER_SECONDS)
    complaints.push(`A killed holder's lock was taken over after ${takeover} s only.`)
  const counts = { ...eight, turnedAway }
  const notes = [`A killed holder's lock was free after ${(1000 * takeover).toFixed(0)} ms.`]
  return lineOf('together', started, counts, ['torn', 'busy', 'lost', 'damaged'], complaints, notes)
}

async function eightProcesses({ work, short, log }: TortureContext, complaints: string[]) {
  const folder = join(work, 'shared')
  const shop = await Recommender.open(folder, { dtype: 'int8', threads: 1 })
  const items = Array.from({ length: GROUPS * GROUP_SIZE }, (_, i) =>
    groupItem(Math.floor(i / GROUP_SIZE), i % GROUP_SIZE, 0),
  )
  await shop.upsert({ items, interactions: [{ userId: 'person-0', itemId: items[0].id, time: 1e12 }] })
  await shop.index()
  const seconds = short ? 15 : 600
  const roles = [
    ...Array.from({ length: WRITERS }, (_, i) => ['writer', folder, String(i), String(seconds)]),
    ...Array.from({ length: READERS }, (_, i) => ['reader', folder, String(i), String(seconds)]),
  ]
  const ended = Promise.all(roles.map((words) => runNode([CHILD, ...words])))
  // The index is made anew under their hands.
  for (let turn = 0; turn < (short ? 2 : 20); turn++) {
    await wait((seconds * 1000) / (short ? 3 : 21))
    await shop.index({ rebuild: true })
  }
  const reports: TogetherReport[] = []
  for (const [i, { code, signal, stdout, stderr }] of (await ended).entries()) {
    if (code === 0) reports.push(JSON.parse(stdout) as TogetherReport)
    else complaints.push(`${roles[i][0]} ${i} ended with ${signal ?? code}: ${stderr.slice(-300)}`)
  }
  await shop.close()
  for (const { errors } of reports) complaints.push(...errors)
  const store = Store.open(folder)
  let lost = 0
  for (const { stamps } of reports) {
    for (const [group, stamp] of Object.entries(stamps)) {
      const found = store.filterItems({ group: Number(group), stamp }).length
      if (found !== GROUP_SIZE) lost++
    }
  }
  // Every acknowledged call added one interaction of its own, beside the first of all.
  const acknowledged = reports.flatMap(({ stamps }) => Object.values(stamps)).reduce((a, b) => a + b, 1)
  const { interactions } = store.counts()
  if (interactions < acknowledged) lost += acknowledged - interactions
  const damage = store.check()
  store.close()
  complaints.push(...damage)
  const sum = (of: (report: TogetherReport) => number) =>
    reports.reduce((total, report) => total + of(report), 0)
  const operations = sum((report) => report.operations)
  log(`${operations} operations of ${reports.length} processes`)
  const counts = {
    processes: reports.length,
    operations,
    torn: sum(({ torn }) => torn),
    busy: sum(({ busy }) => busy),
  }
  return { ...counts, lost, damaged: damage.length }
}

/** @returns how many of two builds that began together were turned away: one */
async function twoBuilds({ work }: TortureContext, complaints: string[]): Promise<number> {
  const folder = await Trials.shared('long').project('index', 'int8', join(work, 'two-builds'))
  const build = [
    'index',
    '--dir',
    folder,
    '--kind',
    'hnsw',
    '--rebuild',
    '--threads',
    '1',
    '--dtype',
    'int8',
    '--json',
  ]
  const both = await Promise.all([0, 1].map(() => runNode([COMMAND_LINE, ...build])))
  const away = both.filter(({ code, stderr }) => code === 1 && stderr.includes('PROJECT_LOCKED')).length
  const built = both.filter(({ code }) => code === 0).length
  if (built !== 1 || away !== 1) {
    complaints.push(
      `Of two builds at once ${built} built and ${away} said that the other did: ${both.map(({ stderr }) => stderr.slice(-200)).join(' | ')}`,
    )
  }
  return away
}

/** @returns seconds from the kill of the process that holds the lock to the moment at which it can be had */
async function killedHolder({ work }: TortureContext): Promise<number> {
  const trials = Trials.shared('long')
  const folder = await trials.project('index', 'int8', join(work, 'killed-holder'))
  let killedAt = 0
  const run = await runStage(trials.call('index', 'int8', folder), {
    progress: (child) => {
      killedAt ||= performance.now()
      child.kill('SIGKILL')
    },
  })
  if (run.ended.signal !== 'SIGKILL') throw new Error('The holder of the lock was over before it was killed.')
  for (;;) {
    try {
      acquireLock(folder, 'index').release()
      return (performance.now() - killedAt) / 1000
    } catch {
      if (performance.now() - killedAt > 60_000) return Number.POSITIVE_INFINITY
      await wait(20)
    }
  }
}
