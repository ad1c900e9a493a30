import { join } from 'node:path'
import { random } from '../../src/math/random.js'
import { barsTable, below } from './bars.js'
import { fillProject, NOISE, type RealVectors, realVectors } from './catalogue.js'
import { inChild } from './measure.js'
import type { BenchContext, BenchPart, BenchTable, Cell } from './part.js'
import { ASKED, type Figure, type Project, type Serving } from './recommend-child.js'
import { measureRates, type Rates, ratesTable } from './recommend-rates.js'

const CHILD = new URL('./recommend-child.js', import.meta.url)
/** The catalogue of which bars are set. */
const BARS_FROM = 100_000

interface Measured {
  readonly items: number
  readonly learned: number
  readonly serving: Serving
  readonly alone: Serving['rows']
  readonly rates: Rates
}

export const part: BenchPart = {
  name: 'recommend',
  summary: 'answers for people: time, throughput, memory',
  async run(context) {
    const { data, log, quick, work } = context
    log('encoding real items')
    const real = await realVectors(quick ? undefined : data, join(work, 'real'))
    const measured: Measured[] = []
    for (const items of quick ? [2_000, 10_000] : [10_000, 100_000]) {
      measured.push(await measure(items, real, context))
    }
    return [times(measured, real), ratesTable(measured), bars(measured)]
  },
}

async function measure(items: number, real: RealVectors, { log, quick, work }: BenchContext) {
  const people = Math.min(20_000, items)
  const project: Project = {
    folder: join(work, `items-${items}`),
    people,
    questions: quick ? 300 : 2000,
  }
  log(`making a project of ${items} items`)
  await fillProject(project.folder, real, { items, people, events: 20 }, random(1))
  log('asking')
  const learned = await inChild<number>(CHILD, 'learn', project)
  const alone = await inChild<{ rows: Serving['rows'] }>(CHILD, 'search', project)
  const serving = await inChild<Serving>(CHILD, 'serve', project)
  return {
    items,
    learned: learned.result,
    alone: alone.result.rows,
    serving: serving.result,
    rates: await measureRates(project, quick ? 2000 : 10_000),
  }
}

function times(measured: readonly Measured[], { from }: RealVectors): BenchTable {
  const rows: Cell[][] = []
  for (const { alone, items, learned, serving } of measured) {
    rows.push([items, 'first answer of all: learns item-item scores', learned, undefined])
    rows.push([items, 'opening a project', serving.open, undefined])
    rows.push([items, 'first answer after opening: reads index and scores', serving.first, undefined])
    for (const { name, p50, p99 } of [...serving.rows, ...alone]) rows.push([items, name, p50, p99])
  }
  const memory = measured.map(({ items, serving }) => `${Math.round(serving.memory)} MB with ${items} items`)
  return {
    title: 'Answers for people, k = 10',
    columns: [
      { name: 'items' },
      { name: 'question' },
      { name: 'p50', unit: 'ms' },
      { name: 'p99', unit: 'ms' },
    ],
    rows,
    notes: [
      `Items are vectors of ${from}, repeated with normal noise of ${NOISE} on each number; 20 events a person.`,
      `Memory of the serving process, encoder included, everybody's vectors for audience() not: ${memory.join(', ')}.`,
      "One process; to hold it to one core, start it under 'taskset -c 0'.",
    ],
  }
}

/** What was promised of the largest catalogue. */
function bars(measured: readonly Measured[]): BenchTable {
  const { items, serving } = measured[measured.length - 1]
  const of = (name: string) => serving.rows.find((row) => row.name === name) as Figure
  const [first, again, filtered, upsert] = [ASKED.first, ASKED.again, ASKED.filtered, ASKED.upsert].map(of)
  return barsTable(
    `Bars, ${items} items, milliseconds`,
    [
      below('known person (kept in memory), p50', 1, again.p50),
      below('known person (kept in memory), p99', 5, again.p99),
      below('known person, first time since opening, p50', 1, first.p50),
      below('known person, first time since opening, p99', 5, first.p99),
      below('filter that 10 % pass, another each time, p50', 3, filtered.p50),
      below('upsert of a new item, p99', 100, upsert.p99),
      below('opening', 1000, serving.open),
      below('opening and the first answer', 1000, serving.open + serving.first),
    ],
    items < BARS_FROM ? [`The bars are those of ${BARS_FROM} items.`] : [],
  )
}
