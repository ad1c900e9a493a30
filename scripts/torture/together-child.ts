/**
 * One of several processes on one project: `node together-child.js reader|writer FOLDER NUMBER SECONDS`. A writer
 * gives all five items of one of its groups the same new stamp in one call; a reader must never see two stamps in one
 * group. Its last line is a report.
 */
import { isTextrecError, Recommender } from '../../src/index.js'
import { random } from '../../src/math/random.js'
import { Store } from '../../src/store/index.js'
import { GROUP_SIZE, GROUPS, groupItem, type TogetherReport, WRITERS } from './together-groups.js'

const [, , role, folder, numberText, secondsText] = process.argv
const number = Number(numberText)
const source = random(100 + number)
const report: TogetherReport = { operations: 0, torn: 0, busy: 0, errors: [], stamps: {} }
const until = performance.now() + Number(secondsText) * 1000

async function write(shop: Recommender): Promise<void> {
  const group = number + WRITERS * source.integer(GROUPS / WRITERS)
  const stamp = (report.stamps[group] ?? 0) + 1
  const items = Array.from({ length: GROUP_SIZE }, (_, place) => groupItem(group, place, stamp))
  const [{ id }] = items
  await shop.upsert({
    items,
    interactions: [{ userId: `person-${source.integer(50)}`, itemId: id, time: 1e12 + stamp }],
  })
  report.stamps[group] = stamp
}

/** One statement sees one state: all five items have the stamp that the first one has, or none. */
function look(store: Store): void {
  const group = source.integer(GROUPS)
  const first = store.itemKey(groupItem(group, 0, 0).id)
  if (first === undefined) return
  const stamp = store.items([first])[0]?.attributes?.stamp as number
  const found = store.filterItems({ group, stamp }).length
  if (found !== 0 && found !== GROUP_SIZE) report.torn++
}

/** Somebody of whom nothing is known yet is no error of ours. */
function unlessUnknown(error: unknown): undefined {
  if (!isTextrecError(error) || error.code !== 'NOT_FOUND') throw error
}

async function ask(shop: Recommender): Promise<void> {
  const { id } = groupItem(source.integer(GROUPS), source.integer(GROUP_SIZE), 0)
  const questions = [
    () => shop.similarItems(id, { k: 5 }),
    () => shop.recommend({ likes: [id], k: 5 }),
    () => shop.recommend({ user: `person-${source.integer(50)}`, k: 5 }).catch(unlessUnknown),
    () => shop.search('guitar string', { k: 5, mode: 'text' }),
  ]
  const answer = await questions[source.integer(questions.length)]()
  if (answer === undefined) return
  const { items } = answer
  const isSorted = items.every(
    ({ score }, i) => Number.isFinite(score) && (i === 0 || score <= items[i - 1].score),
  )
  if (!isSorted || items.length === 0) report.torn++
}

async function one(shop: Recommender, store: Store): Promise<void> {
  try {
    if (role === 'writer') {
      await write(shop)
    } else {
      look(store)
      await ask(shop)
    }
    report.operations++
  } catch (error) {
    const code = isTextrecError(error) ? error.code : 'UNTYPED'
    if (code === 'DATABASE_BUSY') report.busy++
    report.errors.push(`${code}: ${(error as Error).message}`.slice(0, 300))
  }
}

const shop = await Recommender.open(folder, { threads: 1, create: false })
const store = Store.open(folder, { readonly: role === 'reader' })
while (performance.now() < until && report.errors.length < 10) await one(shop, store)
store.close()
await shop.close()
process.stdout.write(`${JSON.stringify(report)}\n`)
