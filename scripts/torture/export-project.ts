import { Recommender } from '../../src/index.js'
import { random } from '../../src/math/random.js'
import { madeInteraction, madeItem } from './shop.js'

/** A small shop, for tests that need its answers. */
export const BASE = { items: 120, people: 60, reviews: 0, interactions: 900 }

export function openBase(folder: string, create = false): Promise<Recommender> {
  return Recommender.open(folder, { device: 'cpu', dtype: 'fp32', threads: 1, create })
}

/** Imported and indexed. */
export async function makeBase(folder: string, kind: 'exact' | 'hnsw', seed = 3): Promise<void> {
  const source = random(seed)
  const shop = await openBase(folder, true)
  try {
    await shop.upsert({ items: Array.from({ length: BASE.items }, (_, i) => madeItem(source, i)) })
    await shop.upsert({
      interactions: Array.from({ length: BASE.interactions }, () => madeInteraction(source, BASE)),
    })
    await shop.index({ kind })
  } finally {
    await shop.close()
  }
}

/** Keeps to the items that were there at the beginning: whatever has been added since, the answer is the same. */
const EARLY = { late: { $exists: false } }

/** What the shop says about its first items by text alone. */
export async function earlyAnswers(shop: Recommender, late: boolean): Promise<string> {
  const filter = late ? EARLY : undefined
  const answers: unknown[] = []
  for (const id of ['item-0', 'item-17', 'item-55', 'item-101']) {
    answers.push(await shop.similarItems(id, { k: 8, filter }))
  }
  return JSON.stringify(answers)
}

/** What it says to people, from everybody's events: changes with every event. */
export async function personalAnswers(shop: Recommender): Promise<string> {
  const answers: unknown[] = []
  for (const user of ['person-1', 'person-7']) answers.push(await shop.recommend({ user, k: 8 }))
  answers.push(await shop.recommend({ likes: ['item-3', 'item-15'], k: 8 }))
  return JSON.stringify(answers)
}
