import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Recommender } from '../../src/index.js'
import { matrix, row } from '../../src/math/matrix.js'
import { liveState } from '../../src/project/live-index.js'
import { Store } from '../../src/store/index.js'
import { ExactIndex } from '../../src/vector-index/exact-index.js'
import { Child } from './children.js'
import type { SoakSample } from './soak-child.js'
import { stateOf } from './state.js'
import { lineOf, type TortureContext, type TortureLine, type TortureTest } from './test.js'
import { Trials } from './trials.js'

/** An hour of mixed use: first with kills, then in one process whose memory and descriptors are watched. */
export const test: TortureTest = {
  name: 'soak',
  promise:
    'An hour of upserts, removals, questions, rebuilds and kills leaks neither memory nor file descriptors, and the index still finds at least 98 of 100 true neighbours.',
  run,
}

const CHILD = fileURLToPath(new URL('./soak-child.js', import.meta.url))
/** Seconds of lives that are killed, and of the one that is not. */
const HOUR = { withKills: 1200, calm: 2400 }
const SHORT = { withKills: 0, calm: 10 }
const LEAST_RECALL = 0.98
/** MiB by which the second half of the last life may outgrow the first: what caches and fragments take. */
const MOST_GROWTH = 64
const MOST_DESCRIPTORS = 8

async function run(context: TortureContext): Promise<TortureLine> {
  const started = performance.now()
  const complaints: string[] = []
  const { short, random, work, log } = context
  const folder = await Trials.shared('long').project('index', 'int8', join(work, 'project'))
  let kills = 0
  let operations = 0
  const lengths = short ? SHORT : HOUR
  const elapsed = () => (performance.now() - started) / 1000
  for (let turn = 0; turn === 0 || elapsed() < lengths.withKills; turn++) {
    context.signal.throwIfAborted()
    const life = await live(folder, short ? 30 : 60, turn, (short ? 3 : 5 + 25 * random.next()) * 1000)
    if (life.signal === 'SIGKILL') kills++
    else
      complaints.push(
        `A life was to be killed and ended with ${life.signal ?? life.code}: ${life.stderr.slice(-300)}`,
      )
    operations += life.samples.at(-1)?.operations ?? 0
  }
  const calm = await live(folder, lengths.calm, 1000)
  if (calm.code !== 0)
    complaints.push(`It ended with ${calm.signal ?? calm.code}: ${calm.stderr.slice(-300)}`)
  operations += calm.samples.at(-1)?.operations ?? 0
  if (calm.samples.length === 0) throw new Error(`It did not live to say anything: ${calm.stderr}`)
  const half = calm.samples.slice(Math.floor(calm.samples.length / 2))
  const growth = growthOf(half)
  // Files are opened and closed all the time: what leaks is never given back, and lifts the least count.
  const least = (samples: typeof half) => Math.min(...samples.map((sample) => sample.descriptors))
  const middle = Math.floor(half.length / 2)
  const descriptors = half.length < 2 ? 0 : least(half.slice(middle)) - least(half.slice(0, middle))
  if (!short && growth > MOST_GROWTH)
    complaints.push(`Memory grew by ${growth.toFixed(0)} MiB in the second half.`)
  if (descriptors > MOST_DESCRIPTORS) complaints.push(`Open descriptors grew by ${descriptors}.`)
  const recall = await recallOf(folder)
  if (!(recall >= LEAST_RECALL)) complaints.push(`Recall@10 is ${recall.toFixed(4)} at the end.`)
  const shop = await Recommender.open(folder, { threads: 1, dtype: 'int8', create: false })
  await shop.doctor({ repair: true })
  await shop.close()
  const { faults } = stateOf(folder)
  complaints.push(...faults)
  log(`${operations} operations`)
  const last = half.at(-1)
  const notes = [
    `Resident memory ${last?.resident.toFixed(0)} MiB, ${growth.toFixed(1)} MiB of growth over the last ${((last?.seconds ?? 0) - half[0].seconds).toFixed(0)} s; ${last?.descriptors} descriptors, ${descriptors} of growth; recall@10 ${recall.toFixed(4)}.`,
  ]
  return lineOf(
    'soak',
    started,
    { operations, kills, damaged: faults.length },
    ['damaged'],
    complaints,
    notes,
  )
}

interface Life {
  readonly samples: readonly SoakSample[]
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stderr: string
}

/** One process's life, ended after `killAfter` milliseconds of work if that is given. */
async function live(folder: string, seconds: number, seed: number, killAfter?: number): Promise<Life> {
  const child = new Child(process.execPath, [CHILD, folder, String(seconds), String(seed)])
  const samples: SoakSample[] = []
  child.onLine((line) => {
    samples.push(JSON.parse(line) as SoakSample)
    if (samples.length === 1 && killAfter !== undefined) setTimeout(() => child.kill('SIGKILL'), killAfter)
  })
  const { code, signal, stderr } = await child.ended
  return { samples, code, signal, stderr }
}

/** MiB of resident memory gained from first to last sample, by the least-squares line through all of them. */
function growthOf(samples: readonly SoakSample[]): number {
  const mean = (of: (sample: SoakSample) => number) =>
    samples.reduce((sum, sample) => sum + of(sample), 0) / samples.length
  const time = mean(({ seconds }) => seconds)
  const memory = mean(({ resident }) => resident)
  const spread = mean(({ seconds }) => (seconds - time) ** 2)
  if (spread === 0) return 0
  const slope = mean(({ seconds, resident }) => (seconds - time) * (resident - memory)) / spread
  return slope * (samples[samples.length - 1].seconds - samples[0].seconds)
}

/** Of the ten nearest by exact search over the vectors as they are stored, the share that the live index finds. */
async function recallOf(folder: string): Promise<number> {
  const store = Store.open(folder)
  const live = liveState(store)
  if (live === undefined) throw new Error('nothing is live')
  const { keys, vectors } = store.itemVectors(live.space)
  const asked = Array.from({ length: Math.min(200, keys.length) }, (_, i) =>
    Math.floor((i * keys.length) / 200),
  )
  const queries = matrix(asked.length, vectors.dim)
  for (const [i, at] of asked.entries()) row(queries, i).set(row(vectors, at))
  const ids = store.itemIds(asked.map((at) => keys[at]))
  const exact = await ExactIndex.trusted(keys, vectors)
  // One more, because an item is no neighbour of its own.
  const truth = await exact.searchMany(queries, 11)
  await exact.close()
  const shop = await Recommender.open(folder, { threads: 1, create: false })
  let hits = 0
  let wanted = 0
  for (const [i, { keys: near }] of truth.entries()) {
    const { items } = await shop.similarItems(ids[i] as string, { k: 10 })
    const found = new Set(items.map(({ itemId }) => itemId))
    const true10 = store.itemIds(Array.from(near).filter((key) => key !== keys[asked[i]])).slice(0, 10)
    hits += true10.filter((id) => found.has(id as string)).length
    wanted += true10.length
  }
  await shop.close()
  store.close()
  return hits / wanted
}
