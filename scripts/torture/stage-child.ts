/**
 * One stage in a process of its own: `node stage-child.js '{"stage": "import", ...}'`. It is made to be killed. SIGINT
 * and SIGTERM fire the AbortSignal of the call. Exit code 0 done, 130 aborted, 1 failed.
 */
import { readdirSync, readFileSync, writeSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { isTextrecError, type Progress, Recommender, TextrecError } from '../../src/index.js'
import { random } from '../../src/math/random.js'
import { Store } from '../../src/store/index.js'
import { madeInteraction, madeItem, madeReview } from './shop.js'
import { type Said, SIZES, type StageCall, TRAINING } from './stages.js'
import { isIndexNewest } from './state.js'

const call = JSON.parse(process.argv[2]) as StageCall
const size = SIZES[call.size]
const controller = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => controller.abort())

/** At once: what has been said is in the pipe before anything else happens. */
function say(said: Said): void {
  writeSync(1, `${JSON.stringify(said)}\n`)
}

/** Milliseconds between two looks of the other connection. */
const LOOK_EVERY = 50

/** Says what another connection sees of what is being written, now and then. */
function watched(count: (store: Store) => number): (progress: Progress) => void {
  let last = 0
  let store: Store | undefined
  return ({ stage, done }) => {
    say({ kind: 'progress', what: `${stage} ${done}` })
    if (performance.now() - last < LOOK_EVERY) return
    store ??= Store.open(call.folder, { readonly: true })
    say({ kind: 'acknowledged', count: count(store) })
    last = performance.now()
  }
}

const recordsIn = (store: Store): number => {
  const { items, users, reviews, interactions } = store.counts()
  return items + users + reviews + interactions
}
const embeddingsIn = (store: Store): number =>
  store.spaces().reduce((sum, space) => sum + store.countEmbeddings(space), 0)

async function upserts(shop: Recommender, signal: AbortSignal): Promise<void> {
  for (let number = call.from ?? 0; number < size.upserts; number++) {
    // Of the number alone: what a resumed client sends is what the first one sent.
    const source = random(1000 + number)
    const review = madeReview(source, 1_000_000 + number, size.shop)
    await shop.upsert(
      {
        items: [madeItem(source, number % 3 === 0 ? number : 10_000 + number)],
        reviews: [review],
        interactions: [madeInteraction(source, size.shop), madeInteraction(source, size.shop)],
      },
      { signal },
    )
    say({ kind: 'acknowledged', count: number + 1 })
  }
}

/**
 * The first question starts the rebuild; it runs in the background, and ends when the live index is of the newest
 * vectors. That it is at once where a run was killed between publishing and tidying up.
 */
async function compaction(shop: Recommender, signal: AbortSignal): Promise<void> {
  const store = Store.open(call.folder, { readonly: true })
  await shop.similarItems('item-1', { k: 5 })
  while (!isIndexNewest(store)) {
    const failed = (await shop.stats()).live?.rebuildFailed
    if (failed !== undefined) throw new TextrecError(failed.code, failed.fact, 'See index().')
    await wait(20, undefined, { signal })
  }
  store.close()
}

/** Until every thread of this process has a tracer. */
async function tracer(): Promise<void> {
  const statuses = () =>
    readdirSync('/proc/self/task').map((thread) => readFileSync(`/proc/self/task/${thread}/status`, 'latin1'))
  while (statuses().some((status) => /^TracerPid:\t0$/m.test(status))) await wait(5)
}

async function run(): Promise<void> {
  const { stage, folder, files, dtype, threads = 1 } = call
  const { signal } = controller
  if (call.waitsForTracer) {
    say({ kind: 'waiting', pid: process.pid })
    await tracer()
  }
  const begin = () => say({ kind: 'begin', pid: process.pid })
  if (stage === 'import') begin() // making the project is part of it
  const shop = await Recommender.open(folder, { dtype, threads, create: stage === 'import' })
  try {
    // Loads the encoder before anything counts: it belongs to no stage.
    if (stage === 'upsert') await shop.similarToItem({ title: 'guitar' })
    if (stage !== 'import') begin()
    switch (stage) {
      case 'import':
        await shop.import({ ...files }, { signal, onProgress: watched(recordsIn) })
        break
      case 'encode':
        await shop.index({ kind: 'exact', signal, onProgress: watched(embeddingsIn) })
        break
      case 'index':
        await shop.index({ kind: 'hnsw', rebuild: true, signal, onProgress: watched(embeddingsIn) })
        break
      case 'upsert':
        await upserts(shop, signal)
        break
      case 'compact':
        await compaction(shop, signal)
        break
      case 'train':
        await shop.train({
          ...TRAINING,
          ...size.training,
          signal,
          onProgress: ({ stage: what, done }) => say({ kind: 'progress', what: `${what} ${done}` }),
        })
        break
    }
    say({ kind: 'end' })
  } finally {
    await shop.close()
  }
}

try {
  await run()
} catch (error) {
  const known = isTextrecError(error)
  const isAbort = (error as Error).name === 'AbortError'
  const code = known ? error.code : isAbort ? 'ABORTED' : 'UNTYPED'
  say({ kind: 'failed', code, fact: known ? error.fact : ((error as Error).stack ?? String(error)) })
  process.exitCode = code === 'ABORTED' ? 130 : 1
}
