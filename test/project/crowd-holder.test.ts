import { afterAll, expect, test } from 'vitest'
import { CrowdHolder } from '#src/project/crowd-holder.js'
import { crowdPublication, isCurrent, openCrowd } from '#src/recommend/crowd-files.js'
import { SERVING_DEFAULTS } from '#src/recommend/serving.js'
import { Store } from '#src/store/index.js'
import { ITEMS, temporaryFolder } from './shelf.js'

const folder = temporaryFolder()
const open = () => {
  const store = Store.open(folder, { create: true })
  return { store, holder: new CrowdHolder(store) }
}
const here = open()
const elsewhere = open()
afterAll(async () => {
  for (const { holder, store } of [here, elsewhere]) {
    await holder.close()
    store.close()
  }
})

test('events that changed without changing in number count after an update, in every process', async () => {
  const rate = (value: number, [liked, loathed]: readonly [string, string]) =>
    here.store.write({
      interactions: Array.from({ length: 8 }, (_, p) => [
        { userId: `p${p}`, itemId: liked, value },
        { userId: `p${p}`, itemId: loathed, value: 6 - value },
      ]).flat(),
    })
  here.store.write({ items: ITEMS })
  const [first, second] = ITEMS.map(({ id }) => id)
  const keys = here.store.itemKeys([first, second]) as number[]
  const popularity = async ({ holder }: typeof here) => {
    const crowd = await holder.get(SERVING_DEFAULTS)
    return keys.map((key) => crowd.position(key) !== -1)
  }

  rate(5, [first, second])
  await here.holder.update()
  expect(await popularity(here)).toEqual([true, false])
  expect(await popularity(elsewhere)).toEqual([true, false])
  const before = await elsewhere.holder.get(SERVING_DEFAULTS)
  await here.holder.update()
  expect(await elsewhere.holder.get(SERVING_DEFAULTS)).toBe(before)

  const events = here.store.counts().interactions
  expect(rate(5, [second, first]).interactions.replaced).toBe(16)
  expect(here.store.counts().interactions).toBe(events)
  // As a command line does: what wrote is closed, what indexes opens afresh.
  const another = open()
  await another.holder.update()
  expect(await popularity(another)).toEqual([false, true])
  expect(await popularity(elsewhere)).toEqual([false, true])
  await another.holder.close()
  another.store.close()
})

test('what a killed process had published and not told of is told of by the next update', async () => {
  const other = open()
  const users = Array.from({ length: 8 }, (_, p) => `q${p}`)
  const [{ id }] = ITEMS
  await other.holder.get(SERVING_DEFAULTS)
  here.store.write({ interactions: users.map((userId) => ({ userId, itemId: id, value: 5 })) })
  const told = crowdPublication(here.store)
  await here.holder.update()
  const published = crowdPublication(here.store)
  here.store.setMeta('crowd', told)
  const late = open()
  await late.holder.update()
  expect(crowdPublication(other.store)).toBe(published)
  expect(await other.holder.get(SERVING_DEFAULTS)).toEqual(await late.holder.get(SERVING_DEFAULTS))
  for (const { holder, store } of [other, late]) {
    await holder.close()
    store.close()
  }
})

test('what says nothing new about who took what leaves item-item scores as they are', async () => {
  const { holder, store } = here
  const publication = () => crowdPublication(store)
  await holder.update()
  const [served, made] = [await holder.get(SERVING_DEFAULTS), publication()]
  const [{ id }] = ITEMS
  const quiet = [
    () => store.write({ items: [{ id, title: 'Another title' }, { id: 'nobody took this' }] }),
    () => store.write({ reviews: [{ userId: 'p0', itemId: id, text: 'Words without a rating.' }] }),
    () => store.write({ interactions: [{ userId: 'p0', itemId: id, value: 5 }] }),
    () => store.removeItems(['nobody took this']),
  ]
  store.write({ interactions: [{ userId: 'p0', itemId: id, value: 5 }] })
  await holder.update()
  const again = publication()
  expect([again === made, served === (await holder.get(SERVING_DEFAULTS))]).toEqual([false, false])
  for (const change of quiet) {
    change()
    const kept = await holder.get(SERVING_DEFAULTS)
    await holder.update()
    expect(publication()).toBe(again)
    expect(await holder.get(SERVING_DEFAULTS)).toBe(kept)
    // Noted for all: the next one need not even look.
    expect(isCurrent(store, (await openCrowd(store.directory)).origin)).toBe(true)
  }
  const events = store.counts().interactions
  store.write({ interactions: [{ userId: 'p0', itemId: id, value: 1 }] })
  expect(store.counts().interactions).toBe(events)
  expect(isCurrent(store, (await openCrowd(store.directory)).origin)).toBe(false)
  await holder.update()
  expect(publication()).not.toBe(again)
  const reworded = publication()
  store.removeItems([id])
  await holder.update()
  expect(publication()).not.toBe(reworded)
})
