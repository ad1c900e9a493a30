import { join } from 'node:path'
import { random } from '../../src/math/random.js'
import { KEEP_FROM } from '../../src/project/people-keeper.js'
import { barsTable, below } from './bars.js'
import { fillProject, NOISE, type RealVectors, realVectors } from './catalogue.js'
import { inChild } from './measure.js'
import type { BenchContext, BenchPart, BenchTable, Cell } from './part.js'
import { ASKED, type Figure, type Learnt, type Project, type Serving } from './recommend-child.js'
import { measureRates, type Rates, ratesTable } from './recommend-rates.js'
import { toyAdapter, withAdapter } from './trained-catalogue.js'

const CHILD = new URL('./recommend-child.js', import.meta.url)
/** The catalogue of which bars are set. */
const BARS_FROM = 100_000

interface Measured {
  /** What the table calls the project. */
  readonly name: string
  readonly learned: Learnt
  readonly unkept: Figure
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
    const sizes = quick ? [2_000, 10_000] : [10_000, BARS_FROM]
    const largest = sizes[sizes.length - 1]
    const projects: [name: string, project: Pick<Project, 'folder' | 'people'>][] = []
    for (const items of sizes) {
      const folder = join(work, `items-${items}`)
      const people = Math.min(20_000, items)
      log(`making a project of ${items} items`)
      await fillProject(folder, real, { items, people, events: 20 }, random(1))
      projects.push([`${items}`, { folder, people }])
    }
    // Copied before anything is asked: questions write too.
    log('serving a copy of the last with an adapter')
    const adapter = await toyAdapter(join(work, 'real-items'), real)
    const [, { folder, people }] = projects[projects.length - 1]
    await withAdapter(folder, join(work, 'adapter'), adapter)
    await adapter.close()
    projects.push([`${largest}, adapter`, { folder: join(work, 'adapter'), people }])
    for (const [name, project] of projects) measured.push(await measure(name, project, context))
    return [
      times(measured, real),
      ratesTable(measured),
      ...measured.slice(1).map((one) => bars(one, largest)),
    ]
  },
}

async function measure(
  name: string,
  { folder, people }: Pick<Project, 'folder' | 'people'>,
  { log, quick }: BenchContext,
): Promise<Measured> {
  const project: Project = { folder, people, questions: quick ? 300 : 2000 }
  log(`asking, ${name} items`)
  const learned = await inChild<Learnt>(CHILD, 'learn', project)
  const alone = await inChild<{ rows: Serving['rows'] }>(CHILD, 'indexAlone', project)
  const unkept = await inChild<Figure>(CHILD, 'unkept', project)
  const serving = await inChild<Serving>(CHILD, 'serve', project)
  return {
    name,
    learned: learned.result,
    unkept: unkept.result,
    alone: alone.result.rows,
    serving: serving.result,
    rates: await measureRates(project, quick ? 2000 : 10_000),
  }
}

function times(measured: readonly Measured[], { from }: RealVectors): BenchTable {
  const rows: Cell[][] = []
  for (const { alone, learned, name, serving, unkept } of measured) {
    rows.push([name, 'first answer of all: learns item-item scores', learned.scores, undefined])
    rows.push([name, 'index() with nothing to encode: keeps people', learned.people, undefined])
    rows.push([name, 'opening a project', serving.open, undefined])
    rows.push([name, 'first answer after opening: reads index and scores', serving.first, undefined])
    for (const { name: question, p50, p99 } of [...serving.rows, unkept, ...alone]) {
      rows.push([name, question, p50, p99])
    }
  }
  const kept = measured.map(({ learned, name }) => `${Math.round(learned.kept)} MB (${name})`)
  const memory = measured.map(({ name, serving }) => `${Math.round(serving.memory)} MB (${name})`)
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
      `What is kept of people on disk: ${kept.join(', ')}; only exact indexes of ${KEEP_FROM} items or more need it.`,
      `Memory of the serving process, encoder included, everybody's vectors for audience() not: ${memory.join(', ')}.`,
      'The adapter has the default size and has seen its histories once: it ranks badly, and costs what any does.',
      'The first questions of a process are asked while V8 still compiles: on one core its threads take turns with ours.',
      "One process; to hold it to one core, start it under 'taskset -c 0'.",
    ],
  }
}

/** What was promised of the largest catalogue. */
function bars({ name, serving }: Measured, items: number): BenchTable {
  const of = (name: string) => serving.rows.find((row) => row.name === name) as Figure
  const [first, again, filtered, upsert] = [ASKED.first, ASKED.again, ASKED.filtered, ASKED.upsert].map(of)
  return barsTable(
    `Bars, items: ${name}; milliseconds`,
    [
      below('known person (kept in memory), p50', 1, again.p50),
      below('known person (kept in memory), p99', 5, again.p99),
      below('known person, first time, p50', 1, first.p50),
      below('known person, first time, p99', 5, first.p99),
      below('filter that 10 % pass, another each time, p50', 3, filtered.p50),
      below('upsert of a new item, p99', 100, upsert.p99),
      below('opening', 1000, serving.open),
      below('opening and the first answer', 1000, serving.open + serving.first),
    ],
    items < BARS_FROM ? [`The bars are those of ${BARS_FROM} items.`] : [],
  )
}
