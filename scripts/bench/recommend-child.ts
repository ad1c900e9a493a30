import { existsSync, readdirSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Recommender, type RecommendOptions } from 'textrec'
import { row } from '../../src/math/matrix.js'
import { random } from '../../src/math/random.js'
import { indexFolder, requireLiveState } from '../../src/project/live-index.js'
import { peopleFolder } from '../../src/recommend/people-files.js'
import { Store } from '../../src/store/index.js'
import { openIndex } from '../../src/vector-index/index.js'
import { innerProduct } from '../../src/vector-index/rows.js'
import { percentile } from './figures.js'
import { latencies, timed } from './measure.js'

/** What the part `recommend` does in processes of their own: each opens the project anew, as a server would. */

export interface Project {
  readonly folder: string
  readonly people: number
  readonly questions: number
}

export interface Figure {
  readonly name: string
  readonly p50: number
  readonly p99: number
}

export interface Serving {
  readonly open: number
  readonly first: number
  readonly rows: readonly Figure[]
  /** Megabytes. */
  readonly memory: number
}

export const K = 10
export const personOf = (i: number, people: number) => `person-${(i * 7919) % people}`

/** What is asked and held to a bar, by the name under which its figure is told. */
export const ASKED = {
  first: 'a known person, asked about for the first time',
  again: 'a known person, asked about again',
  filtered: 'with a filter that 10 % pass, another each time',
  upsert: 'upsert of a new item, encoder warm',
} as const

export function figure(name: string, times: readonly number[]): Figure {
  return { name, p50: percentile(times, 0.5), p99: percentile(times, 0.99) }
}

/** What index() does beside vectors and index, which are there: item-item scores, and what it keeps of people. */
export interface Learnt {
  /** Milliseconds. */
  readonly scores: number
  readonly people: number
  /** Megabytes on disk; 0 in a catalogue so small that nothing is kept. */
  readonly kept: number
}

export async function learn({ folder }: Project): Promise<Learnt> {
  const shop = await Recommender.open(folder)
  const scores = await timed(() => shop.recommend({ user: 'person-0' }))
  const people = await timed(() => shop.index())
  await shop.close()
  const kept = peopleFolder(folder)
  const files = existsSync(kept) ? readdirSync(kept) : []
  const bytes = files.reduce((sum, name) => sum + statSync(join(kept, name)).size, 0)
  return { scores, people, kept: bytes / 2 ** 20 }
}

/** First questions where nothing is kept of anybody: each has to look at the whole index. */
export async function unkept({ folder, people, questions }: Project): Promise<Figure> {
  const away = `${peopleFolder(folder)}-away`
  const isKept = existsSync(peopleFolder(folder))
  if (isKept) renameSync(peopleFolder(folder), away)
  try {
    const shop = await Recommender.open(folder)
    const ask = (i: number) => shop.recommend({ user: personOf(i, people), k: K })
    await latencies(100, (i) => ask(questions + i), 0)
    const times = await latencies(Math.min(questions, 500), ask, 0)
    await shop.close()
    return figure('a known person of whom nothing is kept, first time', times)
  } finally {
    if (isKept) renameSync(away, peopleFolder(folder))
  }
}

export async function serve({ folder, people, questions }: Project): Promise<Serving> {
  const draw = random(2)
  const rows: Figure[] = []
  let shop!: Recommender
  const open = await timed(async () => {
    shop = await Recommender.open(folder)
  })
  const first = await timed(() => shop.recommend({ user: 'person-0', k: K }))
  const ask = (i: number, options: Partial<RecommendOptions> & { users?: undefined } = {}) =>
    shop.recommend({ user: personOf(i, people), k: K, ...options })
  const measure = async (name: string, count: number, job: (i: number) => unknown) =>
    rows.push(figure(name, await latencies(count, job, 0)))
  await latencies(100, (i) => ask(2 * questions + i), 0)
  // While V8 still compiles what these questions run, its threads take turns with ours on a single core.
  await measure('the first questions of a process, about other people', questions, (i) => ask(questions + i))
  await measure(ASKED.first, questions, (i) => ask(i))
  await measure(ASKED.again, questions, (i) => ask(i))
  const window = (width: number) => {
    const from = draw.next() * (100 - width)
    return { filter: { price: { $gte: from, $lt: from + width } } }
  }
  const few = Math.min(questions, 500)
  await latencies(30, (i) => ask(i, window(10)), 0)
  await measure(ASKED.filtered, few, (i) => ask(i, window(10)))
  const ten = Array.from({ length: 10 }, () => window(10))
  await measure('with one of ten such filters', few, (i) => ask(i, ten[i % 10]))
  await measure('with a filter that 0.1 % pass', few, (i) => ask(i, window(0.1)))
  await measure('with diversity 0.3', few, (i) => ask(i, { diversity: 0.3 }))
  await measure('after a new interaction of theirs', 50, async (i) => {
    await shop.upsert({ interactions: [{ userId: personOf(i, people), itemId: `item-${i}`, time: 100 + i }] })
    return ask(i)
  })
  const upsert = async (i: number) => {
    const title = `The lighthouse ${i}`
    await shop.upsert({ items: [{ id: `new-${i}`, title, description: 'A keeper goes mad in a storm.' }] })
  }
  await upsert(0)
  await measure(ASKED.upsert, 20, (i) => upsert(1 + i))
  await measure('the same, and the answer that finds it', 20, async (i) => {
    await upsert(100 + i)
    const { items } = await shop.similarItems('new-0', { k: 50 })
    if (!items.some(({ itemId }) => itemId === `new-${100 + i}`)) throw new Error('a new item was not found')
  })
  const memory = process.memoryUsage().rss / 2 ** 20
  rows.push(figure('audience of an item, the first', [await timed(() => shop.audience('item-0'))]))
  await measure('audience of an item, after that', 10, (i) => shop.audience(`item-${i}`))
  await shop.close()
  return { open, first, rows, memory }
}

/** The index alone, as it is published, beside a loop over all vectors in JavaScript. */
export async function indexAlone({ folder }: Project): Promise<{ kind: string; rows: Figure[] }> {
  const store = Store.open(folder, {})
  const state = requireLiveState(store)
  store.close()
  const { index } = await openIndex(indexFolder(folder, state.indexId), {})
  const { keys, vectors } = index.entries()
  const draw = random(3)
  const query = () => row(vectors, draw.integer(vectors.rows))
  const times = await latencies(500, () => index.search(query(), K))
  const scores = new Float32Array(keys.length)
  const plain = await latencies(10, () => {
    const one = query()
    for (let i = 0; i < keys.length; i++) scores[i] = innerProduct(one, vectors.data, i * vectors.dim)
  })
  await index.close()
  return {
    kind: index.kind,
    rows: [
      figure(`the index alone (${index.kind}), k = 10`, times),
      figure('exact search as a plain loop over all vectors', plain),
    ],
  }
}
