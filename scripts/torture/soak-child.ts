/**
 * A long life: `node soak-child.js FOLDER SECONDS SEED`. Upserts, removals, questions and rebuilds in one process, mixed;
 * a line of figures every so often on standard output. Made to be killed.
 */
import { readdirSync } from 'node:fs'
import { type Item, Recommender } from '../../src/index.js'
import { random } from '../../src/math/random.js'
import { madeInteraction, madeItem } from './shop.js'
import { SIZES } from './stages.js'

/** What a soaking process weighs at one moment. */
export interface SoakSample {
  readonly seconds: number
  readonly operations: number
  /** MiB of resident memory. */
  readonly resident: number
  readonly descriptors: number
}

const [, , folder, secondsText, seedText] = process.argv
const started = performance.now()
const seconds = Number(secondsText)
const source = random(Number(seedText))
/** Seconds between two samples. */
const EVERY = Math.max(0.5, seconds / 120)
/** Items that come and go; their number stays about the same, so memory should too. */
const CHANGING = 400

const elapsed = () => (performance.now() - started) / 1000
const changing = (): Item => madeItem(source, 100_000 + source.integer(CHANGING))

const shop = await Recommender.open(folder, { threads: 1, dtype: 'int8', create: false })

const deeds: readonly (readonly [weight: number, deed: () => Promise<unknown>])[] = [
  [20, () => shop.upsert({ items: [changing()], interactions: [madeInteraction(source, SIZES.long.shop)] })],
  [8, () => shop.remove({ items: [changing().id] })],
  [40, () => shop.similarItems(`item-${source.integer(400)}`, { k: 10 })],
  [20, () => shop.recommend({ likes: [`item-${source.integer(400)}`], k: 10 })],
  [10, () => shop.search('guitar string', { k: 10, filter: { price: { $lt: 10 + source.integer(80) } } })],
  [0.2, () => shop.index({ kind: 'hnsw', rebuild: true })],
]
const weights = deeds.reduce((sum, [weight]) => sum + weight, 0)

function drawn(): () => Promise<unknown> {
  let at = source.next() * weights
  for (const [weight, deed] of deeds) {
    at -= weight
    if (at < 0) return deed
  }
  return deeds[0][1]
}

let operations = 0
let next = 0
while (elapsed() < seconds) {
  await drawn()()
  operations++
  if (elapsed() < next) continue
  next = elapsed() + EVERY
  const resident = process.memoryUsage.rss() / 2 ** 20
  const sample: SoakSample = {
    seconds: elapsed(),
    operations,
    resident,
    descriptors: readdirSync('/proc/self/fd').length,
  }
  process.stdout.write(`${JSON.stringify(sample)}\n`)
}
await shop.close()
