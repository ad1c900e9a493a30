import { join } from 'node:path'
import { random } from '../../src/math/random.js'
import { fillProject, NOISE, type RealVectors, realVectors } from './catalogue.js'
import { inChild } from './measure.js'
import type { BenchContext, BenchPart, BenchTable, Cell } from './part.js'
import type { Project, Serving, Shift } from './recommend-child.js'

const CHILD = new URL('./recommend-child.js', import.meta.url)
/** Until so long after they were asked for, all workers have opened the project. */
const TIME_TO_OPEN = 15_000

interface Measured {
  readonly items: number
  readonly learned: number
  readonly serving: Serving
  readonly alone: Serving['rows']
  readonly rates: Rates
}

interface Rates {
  readonly one: number
  readonly two: number
  readonly underUpserts: number
  readonly upserts: number
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
    return [times(measured, real), rates(measured)]
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
    rates: await throughput(project, quick ? 2000 : 10_000),
  }
}

async function throughput(project: Project, milliseconds: number): Promise<Rates> {
  const together = async (jobs: readonly ('answers' | 'additions')[]) => {
    const from = Date.now() + TIME_TO_OPEN
    const shifts = jobs.map((job, worker) => {
      const shift: Shift = { ...project, from, to: from + milliseconds, worker }
      return inChild<number>(CHILD, job, shift)
    })
    return (await Promise.all(shifts)).map(({ result }) => result)
  }
  const [one] = await together(['answers'])
  const two = await together(['answers', 'answers'])
  const [underUpserts, added] = await together(['answers', 'additions'])
  return { one, two: two[0] + two[1], underUpserts, upserts: (1000 * added) / milliseconds }
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

function rates(measured: readonly Measured[]): BenchTable {
  return {
    title: 'Answers a second, k = 10',
    columns: [
      { name: 'items' },
      { name: 'one process', unit: '1/s' },
      { name: 'two at once', unit: '1/s' },
      { name: 'one beside upserts', unit: '1/s' },
      { name: 'upserts', unit: '1/s' },
    ],
    rows: measured.map(({ items, rates: { one, two, underUpserts, upserts } }) => [
      items,
      one,
      two,
      underUpserts,
      upserts,
    ]),
    notes: [
      'Some 2,000 people in turn, each process one question after the other; another process adds new items.',
    ],
  }
}
