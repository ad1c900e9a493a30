import { spawnSync } from 'node:child_process'
import { setTimeout as wait } from 'node:timers/promises'
import { Recommender } from 'textrec'
import { inChild, timed } from './measure.js'
import type { BenchTable } from './part.js'
import { type Figure, figure, K, type Project, personOf } from './recommend-child.js'

/** Answers a second: processes that work at the same time, each held to a core of its own where that can be. */

const MODULE = new URL('./recommend-rates.js', import.meta.url)
/** Until so long after they were asked for, all workers have opened the project. */
const TIME_TO_OPEN = 15_000
const PEOPLE_ASKED = 2000

interface Shift extends Project {
  /** When all begin, and when they end: milliseconds since 1970. */
  readonly from: number
  readonly to: number
  /** Tells the workers apart; and the core to work on. */
  readonly worker: number
}

interface Answered extends Figure {
  readonly rate: number
  readonly isPinned: boolean
}

export interface Rates {
  readonly one: Answered
  readonly two: readonly [Answered, Answered]
  readonly besideUpserts: Answered
  /** Items added a second. */
  readonly upserts: number
}

/** @param milliseconds that each of the three takes */
export async function measureRates(project: Project, milliseconds: number): Promise<Rates> {
  const shiftsOf = (count: number) => {
    const from = Date.now() + TIME_TO_OPEN
    return Array.from({ length: count }, (_, worker): Shift => {
      return { ...project, from, to: from + milliseconds, worker }
    })
  }
  const answered = async (shift: Shift) => (await inChild<Answered>(MODULE, 'answers', shift)).result
  const one = await answered(shiftsOf(1)[0])
  const [first, second] = await Promise.all(shiftsOf(2).map(answered))
  const [asking, adding] = shiftsOf(2)
  const [besideUpserts, added] = await Promise.all([
    answered(asking),
    inChild<number>(MODULE, 'additions', adding),
  ])
  return { one, two: [first, second], besideUpserts, upserts: (1000 * added.result) / milliseconds }
}

/** Holds this process to one core. @returns false where nothing can, and the system moves it about */
function pinTo(core: number): boolean {
  return spawnSync('taskset', ['-acp', String(core), String(process.pid)]).status === 0
}

/** Asks one question after the other. */
export async function answers({ folder, from, people, to, worker }: Shift): Promise<Answered> {
  const isPinned = pinTo(worker)
  const shop = await Recommender.open(folder, { threads: 1 })
  const ask = (i: number) => shop.recommend({ user: personOf(i % PEOPLE_ASKED, people), k: K })
  for (let i = 0; i < 200; i++) await ask(worker + i)
  await wait(Math.max(0, from - Date.now()))
  const times: number[] = []
  const started = performance.now()
  while (Date.now() < to) await timed(() => ask(worker * 1000 + times.length)).then((one) => times.push(one))
  const rate = (1000 * times.length) / (performance.now() - started)
  await shop.close()
  return { ...figure('answers', times), rate, isPinned }
}

/** Adds an item every tenth of a second. @returns how many */
export async function additions({ folder, from, to, worker }: Shift): Promise<number> {
  pinTo(worker)
  const shop = await Recommender.open(folder, { threads: 1 })
  const add = (i: number) => shop.upsert({ items: [{ id: `late-${i}`, title: `A late item, number ${i}` }] })
  await add(0)
  await wait(Math.max(0, from - Date.now()))
  let done = 0
  while (Date.now() < to) {
    const next = Date.now() + 100
    await add(++done)
    await wait(Math.max(0, next - Date.now()))
  }
  await shop.close()
  return done
}

export function ratesTable(
  measured: readonly { readonly name: string; readonly rates: Rates }[],
): BenchTable {
  const isPinned = measured.every(({ rates: { one, two } }) => [one, ...two].every((each) => each.isPinned))
  return {
    title: 'Answers a second, k = 10',
    columns: [
      { name: 'items' },
      { name: 'who' },
      { name: 'answers', unit: '1/s' },
      { name: 'p50', unit: 'ms' },
      { name: 'p99', unit: 'ms' },
    ],
    rows: measured.flatMap(({ name, rates: { besideUpserts, one, two, upserts } }) => [
      [name, 'one process on one core', one.rate, one.p50, one.p99],
      [
        name,
        'two processes on two cores, the slower p50 and p99',
        two[0].rate + two[1].rate,
        Math.max(two[0].p50, two[1].p50),
        Math.max(two[0].p99, two[1].p99),
      ],
      [
        name,
        `one process, while another upserts ${upserts.toFixed(1)} new items a second`,
        besideUpserts.rate,
        besideUpserts.p50,
        besideUpserts.p99,
      ],
    ]),
    notes: [
      `${PEOPLE_ASKED} people in turn, the first of them for the first time; each process one question after the other.`,
      isPinned
        ? 'Each process is held to a core of its own by taskset.'
        : 'taskset is missing: processes choose their cores.',
    ],
  }
}
