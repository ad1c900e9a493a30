/**
 * The load that exports are made under: batches of new items, people and events without end, and every so often a
 * new index. `node export-writer.js FOLDER BASE_ITEMS`; says the number of each batch once it is committed, waits
 * while it is told to ('pause'), goes on ('go'), and ends when its standard input does.
 */
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
import { random } from '../../src/math/random.js'
import { openBase } from './export-project.js'
import { madeItem } from './shop.js'

const [folder, first] = process.argv.slice(2)
const shop = await openBase(folder)
const source = random(5)
let paused = false
let ended = false
const input = createInterface({ input: process.stdin })
input.on('line', (line) => {
  paused = line === 'pause'
})
input.on('close', () => {
  ended = true
})

/** Batches between two index builds. */
const REBUILD_EVERY = 6

for (let batch = 0; !ended; batch++) {
  if (paused) {
    // Item-item scores follow events in the background: brought up to date, they stay as they are.
    await shop.index()
    process.stdout.write('paused\n')
  }
  while (paused && !ended) await wait(5)
  const items = Array.from({ length: 2 }, (_, i) => ({
    ...madeItem(source, Number(first) + 2 * batch + i),
    attributes: { late: true, batch },
  }))
  const interactions = Array.from({ length: 10 }, (_, i) => ({
    userId: `late-${batch}`,
    itemId: `item-${source.integer(Number(first))}`,
    time: Date.UTC(2024, 0, 1) + i,
  }))
  await shop.upsert({ items, interactions })
  process.stdout.write(`${batch}\n`)
  if (batch % REBUILD_EVERY === REBUILD_EVERY - 1) await shop.index({ rebuild: true })
}
await shop.close()
