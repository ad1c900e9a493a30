import { join } from 'node:path'
import { Recommender } from '../../src/index.js'
import { shuffle } from '../../src/math/random.js'
import { runStage } from './children.js'
import { SIZES } from './stages.js'
import { stateOf } from './state.js'
import { lineOf, type TortureContext, type TortureLine, type TortureTest } from './test.js'
import { Trials } from './trials.js'

/** The same seed and data again, and the same data with other numbers of threads. */
export const test: TortureTest = {
  name: 'again',
  promise:
    'The same seed and data give the same adapter, byte for byte, and the same rankings; another number of threads changes fewer than one in a hundred of the ten nearest.',
  run,
}

const LEAST_OVERLAP = 0.99

async function run(context: TortureContext): Promise<TortureLine> {
  const started = performance.now()
  const size = context.short ? 'brief' : 'long'
  const trials = Trials.shared(size)
  const complaints: string[] = []
  const counts = { trainings: 0, different: 0, threads: 0 }
  let adapter: string | undefined
  let rankings: string | undefined
  for (let turn = 0; turn < (context.short ? 2 : 3); turn++) {
    context.signal.throwIfAborted()
    const folder = await trials.project('train', 'int8', join(context.work, `train-${turn}`))
    const { finished, failed } = await runStage(trials.call('train', 'int8', folder))
    if (!finished) throw new Error(`training failed: ${failed?.fact}`)
    const found = stateOf(folder).adapter
    if (found === 'none') complaints.push('The training published no adapter.')
    const answered = await rankingsOf(folder)
    adapter ??= found
    rankings ??= answered
    counts.trainings++
    if (found !== adapter || answered !== rankings) counts.different++
  }
  // One line in 500 of the shop's file is no item.
  const all = Array.from({ length: Math.min(499, SIZES[size].shop.items) }, (_, i) => i)
  const asked = shuffle(all, context.random).slice(0, 200)
  const neighbours: (readonly string[])[][] = []
  for (const threads of [1, 2, 4]) {
    context.signal.throwIfAborted()
    const folder = await trials.project('encode', 'int8', join(context.work, `threads-${threads}`))
    const { finished, failed } = await runStage({ ...trials.call('encode', 'int8', folder), threads })
    if (!finished) throw new Error(`encoding with ${threads} threads failed: ${failed?.fact}`)
    neighbours.push(await neighboursOf(folder, asked))
    counts.threads++
  }
  const overlaps = neighbours.slice(1).map((some) => overlapOf(some, neighbours[0]))
  if (Math.min(...overlaps) < LEAST_OVERLAP) complaints.push('Threads change what is near.')
  const notes = [
    `Of the ten nearest, ${overlaps.map((share) => share.toFixed(4)).join(' and ')} are the same with 2 and 4 threads as with 1.`,
  ]
  return lineOf('again', started, counts, ['different'], complaints, notes)
}

/** What a few people of the bookshelf get, scores included. */
async function rankingsOf(folder: string): Promise<string> {
  const shop = await Recommender.open(folder, { threads: 1, create: false })
  try {
    const asked = ['dracula', 'moby-dick', 'typhoon', 'carmilla']
    const answers: unknown[] = []
    for (const likes of asked) answers.push(await shop.recommend({ likes: [likes], k: 50 }))
    return JSON.stringify(answers)
  } finally {
    await shop.close()
  }
}

async function neighboursOf(folder: string, numbers: readonly number[]): Promise<(readonly string[])[]> {
  const shop = await Recommender.open(folder, { threads: 1, create: false })
  try {
    const found: (readonly string[])[] = []
    for (const number of numbers) {
      const { items } = await shop.similarItems(`item-${number}`, { k: 10 })
      found.push(items.map(({ itemId }) => itemId))
    }
    return found
  } finally {
    await shop.close()
  }
}

function overlapOf(some: readonly (readonly string[])[], wanted: readonly (readonly string[])[]): number {
  const shared = some.map((ids, i) => ids.filter((id) => wanted[i].includes(id)).length)
  return shared.reduce((sum, count) => sum + count, 0) / (10 * some.length)
}
