#!/usr/bin/env node
/**
 * How fast recommendations are, on a catalogue made from the built-in sample: every item is a sample book's
 * vector with noise, every person took a few neighbours of a few books.
 *
 *     taskset -c 0 node dist/scripts/bench-recommend.js --items 100000 --people 20000
 *
 * Prints medians and 99th percentiles in milliseconds, memory in MB. Run it on a quiet machine.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Recommender, sampleFiles } from 'textrec'
import { matrix, normalize, row } from '../src/math/matrix.js'
import { type Random, random } from '../src/math/random.js'
import { indexFolder, type LiveState, liveState, setLiveState } from '../src/project/live-index.js'
import { Store } from '../src/store/index.js'
import type { ItemKey, Matrix } from '../src/types.js'
import { buildIndex, openIndex, publishIndex } from '../src/vector-index/index.js'
import { innerProduct } from '../src/vector-index/rows.js'

const { values: flags } = parseArgs({
  options: {
    items: { type: 'string', default: '100000' },
    people: { type: 'string', default: '20000' },
    questions: { type: 'string', default: '2000' },
    events: { type: 'string', default: '20' },
    kind: { type: 'string', default: 'auto' },
    noise: { type: 'string', default: '0.04' },
    json: { type: 'boolean', default: false },
  },
})
const ITEMS = Number(flags.items)
const PEOPLE = Number(flags.people)
const QUESTIONS = Math.min(Number(flags.questions), PEOPLE)
const EVENTS = Number(flags.events)
const K = 10

interface Timing {
  readonly p50: number
  readonly p99: number
}
const figures: Record<string, number | Timing> = {}

function note(name: string, figure: number | Timing): void {
  figures[name] = figure
  if (flags.json) return
  const shown =
    typeof figure === 'number'
      ? figure.toFixed(2)
      : `p50 ${figure.p50.toFixed(3)}  p99 ${figure.p99.toFixed(3)}`
  process.stdout.write(`${name.padEnd(64)} ${shown}\n`)
}

async function timed(job: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await job()
  return performance.now() - started
}

async function percentiles(count: number, job: (i: number) => Promise<unknown>): Promise<Timing> {
  const all = new Float64Array(count)
  for (let i = 0; i < count; i++) all[i] = await timed(() => job(i))
  all.sort()
  return { p50: all[Math.floor(count / 2)], p99: all[Math.floor(count * 0.99)] }
}

const megabytes = () => process.memoryUsage().rss / 2 ** 20

/** The vectors of the sample's books, and what made them. */
async function sampleVectors(folder: string): Promise<{ state: LiveState; vectors: Matrix }> {
  const shop = await Recommender.open(folder)
  const { items, reviews } = sampleFiles()
  await shop.import({ items, reviews })
  await shop.index()
  await shop.close()
  const store = Store.open(folder, {})
  const state = liveState(store) as LiveState
  const { vectors } = store.itemVectors(state.space)
  store.close()
  return { state, vectors }
}

/** Fills a project with noisy copies of `base`, people and an index. */
async function fill(folder: string, base: Matrix, state: LiveState, draw: Random): Promise<void> {
  const store = Store.open(folder, { create: true })
  const name = (i: number) => `item-${i}`
  const step = 10_000
  for (let start = 0; start < ITEMS; start += step) {
    const some = Array.from({ length: Math.min(step, ITEMS - start) }, (_, i) => start + i)
    store.write({
      items: some.map((i) => ({ id: name(i), title: `Item ${i}`, attributes: { price: draw.next() * 100 } })),
    })
    const sources = store.itemSources(store.itemKeys(some.map(name)) as ItemKey[])
    const rows = sources.map(({ key, textVersion }, i) => {
      const vector = row(base, (start + i) % base.rows).slice()
      for (let j = 0; j < vector.length; j++) vector[j] += Number(flags.noise) * draw.normal()
      return { key, textVersion, vector: normalize(vector) }
    })
    store.putItemVectors(state.space, rows)
  }
  for (let start = 0; start < PEOPLE; start += 1000) {
    const interactions = []
    for (let person = start; person < Math.min(PEOPLE, start + 1000); person++) {
      const tastes = Array.from({ length: 3 }, () => draw.integer(base.rows))
      for (let event = 0; event < EVENTS; event++) {
        const copies = Math.floor((ITEMS - 1 - tastes[event % 3]) / base.rows) + 1
        // Few are taken often and many seldom, as in a shop.
        const copy = Math.floor(copies * draw.next() ** 3)
        const item = tastes[event % 3] + copy * base.rows
        interactions.push({ userId: `person-${person}`, itemId: name(item), time: event })
      }
    }
    store.write({ interactions })
  }
  const { keys, vectors, sequence } = store.itemVectors(state.space)
  const kind = flags.kind as 'auto' | 'exact' | 'hnsw'
  note(
    'building the index, s',
    (await timed(async () => {
      const built = await buildIndex({ keys, vectors, kind })
      await publishIndex(indexFolder(folder, 'bench'), built, { fingerprint: state.space, sequence })
      await built.close()
    })) / 1000,
  )
  setLiveState(store, { ...state, indexId: 'bench' })
  store.close()
}

async function searchAlone(folder: string, state: LiveState, draw: Random): Promise<void> {
  const { index } = await openIndex(indexFolder(folder, 'bench'), {
    fingerprint: state.space,
    dim: state.dim,
  })
  const { keys, vectors } = index.entries()
  const query = () => row(vectors, draw.integer(vectors.rows))
  note(`the index alone (${index.kind}), k = 10`, await percentiles(500, () => index.search(query(), K)))
  const batch = matrix(64, vectors.dim)
  for (let i = 0; i < batch.rows; i++) row(batch, i).set(query())
  note('the index alone, per query in batches of 64', (await timed(() => index.searchMany(batch, K))) / 64)
  const scores = new Float32Array(keys.length)
  note(
    'exact search as a plain loop over all vectors',
    await percentiles(10, async () => {
      const one = query()
      for (let i = 0; i < keys.length; i++) scores[i] = innerProduct(one, vectors.data, i * vectors.dim)
    }),
  )
  await index.close()
}

const folder = mkdtempSync(join(tmpdir(), 'textrec-bench-'))
try {
  const draw = random(1)
  const { state, vectors } = await sampleVectors(join(folder, 'sample'))
  const project = join(folder, 'project')
  await fill(project, vectors, state, draw)
  await searchAlone(project, state, draw)

  const first = await Recommender.open(project)
  note(
    'first answer of all (learns item-item scores), s',
    (await timed(() => first.recommend({ user: 'person-0' }))) / 1000,
  )
  await first.close()

  let shop!: Recommender
  note(
    'open()',
    await timed(async () => {
      shop = await Recommender.open(project)
    }),
  )
  note('first answer after open()', await timed(() => shop.recommend({ user: 'person-0' })))
  const person = (i: number) => `person-${(i * 7919) % PEOPLE}`
  const ask = (i: number, options = {}) => shop.recommend({ user: person(i), k: K, ...options })
  for (let i = 0; i < 200; i++) await ask(QUESTIONS + i)
  note('a person asked about for the first time', await percentiles(QUESTIONS, (i) => ask(i)))
  note('a known person, k = 10', await percentiles(QUESTIONS, (i) => ask(i)))
  const window = (width: number) => {
    const from = draw.next() * (100 - width)
    return { filter: { price: { $gte: from, $lt: from + width } } }
  }
  note('with a filter that 10 % pass, another each time', await percentiles(500, (i) => ask(i, window(10))))
  const some = Array.from({ length: 10 }, () => window(10))
  note('with one of ten such filters', await percentiles(500, (i) => ask(i, some[i % 10])))
  note('with a filter that 0.1 % pass', await percentiles(500, (i) => ask(i, window(0.1))))
  note('with diversity 0.3', await percentiles(500, (i) => ask(i, { diversity: 0.3 })))
  const users = Array.from({ length: 1024 }, (_, i) => person(i))
  note('per person, 1,024 in one call', (await timed(() => shop.recommend({ users, k: K }))) / users.length)
  note(
    'a person whose history has just changed',
    await percentiles(50, async (i) => {
      await shop.upsert({ interactions: [{ userId: person(i), itemId: `item-${i}`, time: EVENTS + i }] })
      return ask(i)
    }),
  )
  const item = (i: number) => ({
    id: `new-${i}`,
    title: `The lighthouse ${i}`,
    description: 'A keeper goes mad in a storm.',
  })
  await shop.upsert({ items: [item(-1)] })
  note('upsert of a new item, encoder warm', await percentiles(20, (i) => shop.upsert({ items: [item(i)] })))
  const found = await shop.similarItems('new-3', { k: 30 })
  if (!found.items.some(({ itemId }) => itemId === 'new-19'))
    throw new Error('an upserted item was not found')
  note(
    'upsert and the answer that finds it',
    await percentiles(20, async (i) => {
      await shop.upsert({ items: [item(100 + i)] })
      return shop.similarItems(`new-${100 + i}`)
    }),
  )
  note('memory, MB', megabytes())
  note('the first audience() (makes all people)', await timed(() => shop.audience('item-0')))
  note('an audience() after that', await percentiles(10, (i) => shop.audience(`item-${i}`)))
  note('memory with everybody in it, MB', megabytes())
  await shop.close()
  if (flags.json) process.stdout.write(`${JSON.stringify({ items: ITEMS, people: PEOPLE, figures })}\n`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
