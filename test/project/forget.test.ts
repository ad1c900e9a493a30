import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Recommender } from 'textrec'
import { expect, test } from 'vitest'
import { Store, textHash } from '#src/store/index.js'
import { ITEMS, temporaryFolder } from './shelf.js'

/** Names of all files under a folder that hold one of the texts, in any case. */
function filesWith(folder: string, texts: readonly string[]): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => {
      const bytes = readFileSync(path).toString('latin1').toLowerCase()
      return texts.some((text) => bytes.includes(text.toLowerCase()))
    })
}

const ANN = 'ann of the twelve things'

test('stopped or killed after the deletion, the next call for anybody finishes it; every long step tells of itself', async () => {
  const folder = temporaryFolder()
  const shop = await Recommender.open(folder, { threads: 1 })
  await shop.upsert({
    items: ITEMS,
    reviews: [{ userId: ANN, itemId: 'guitar-1', rating: 5, text: 'A xylorimba in disguise.' }],
  })
  const stages = new Set<string>()
  const onProgress = ({ stage }: { readonly stage: string }) => {
    stages.add(stage)
  }
  await shop.index({ onProgress })
  expect([...stages]).toEqual(['encode', 'index', 'item-item scores'])
  const { live } = await shop.stats()

  const stop = new AbortController()
  await expect(
    shop.forget(
      { user: ANN },
      { signal: stop.signal, onProgress: ({ done, total }) => done === total && stop.abort() },
    ),
  ).rejects.toMatchObject({ code: 'ABORTED' })
  expect((await shop.stats()).users).toBe(0)
  expect((await shop.stats()).live?.indexId).toBe(live?.indexId)
  expect((await shop.stats()).itemsStale).toBe(1)

  stages.clear()
  await shop.forget({ user: 'nobody' }, { onProgress })
  expect([...stages]).toEqual(expect.arrayContaining(['delete', 'index', 'item-item scores']))
  const after = await shop.stats()
  expect(after.live?.indexId).not.toBe(live?.indexId)
  expect(after.itemsStale).toBe(0)

  await shop.upsert({ items: [{ id: 'new', title: 'A cello bow' }] }, { onProgress })
  stages.clear()
  expect((await shop.doctor({ onProgress })).healthy).toBe(true)
  expect([...stages]).toEqual(['examine'])
  await shop.close()
})

const PERSON = 'zz-person-4711'
const SAID = 'quixotically resonant xylorimba'
const line = (record: object) => `${JSON.stringify(record)}\n`

test('nothing of a forgotten person is left in any file of the project, nor in its reject files', async () => {
  const folder = temporaryFolder()
  const sources = temporaryFolder()
  const reviews = join(sources, 'reviews.jsonl')
  const others = ['ann', 'bob', 'cem', 'dan'].map((userId, i) => ({
    user_id: userId,
    item_id: ITEMS[i].id,
    rating: 5,
    text: `I like it, says ${userId}.`,
  }))
  writeFileSync(
    reviews,
    [
      ...others,
      { user_id: PERSON, item_id: 'guitar-1', rating: 5, text: `What a ${SAID}!` },
      { user_id: PERSON, item_id: 'guitar-2', rating: 'splendiferous', text: 'refused for its rating' },
      { user_id: 'other', item_id: 'guitar-2', rating: 'nonsense', text: 'refused too' },
    ]
      .map(line)
      .join(''),
  )
  const outside = join(sources, 'rejects.jsonl')
  const shop = await Recommender.open(folder, { threads: 1 })
  await shop.upsert({ items: ITEMS, interactions: [{ userId: PERSON, itemId: 'guitar-3' }] })
  const report = await shop.import({ reviews })
  await shop.import({ reviews, rejects: outside })
  expect(report.rejected).toBe(2)
  await shop.index()
  await shop.recommend({ user: PERSON })
  await shop.audience('garden-1')
  const traces = [PERSON, 'xylorimba', 'quixotically', 'splendiferous']
  expect(filesWith(folder, traces).length).toBeGreaterThan(1)
  expect(readFileSync(outside, 'utf8')).toContain('splendiferous')
  const near = async () => (await shop.similarToItem({ description: `A ${SAID}` }, { k: 12 })).items
  const scoreBefore = (await near()).find(({ itemId }) => itemId === 'guitar-1')?.score as number

  const forgotten = await shop.forget({ user: PERSON })
  expect(forgotten).toMatchObject({
    found: true,
    reviews: 1,
    itemsUpdated: 1,
    rejectLines: 4,
    retrain: false,
  })
  expect(forgotten.interactions).toBe(2)
  expect(filesWith(folder, traces)).toEqual([])
  expect(filesWith(sources, ['splendiferous'])).toEqual([reviews])
  const rejects = readFileSync(outside, 'utf8').trimEnd().split('\n')
  expect(rejects).toHaveLength(2)
  expect(JSON.parse(rejects[0])).toMatchObject({ line: 6, received: '(removed by forget)' })

  await expect(shop.recommend({ user: PERSON })).rejects.toThrow(/nobody called/)
  const { people } = await shop.audience('garden-1', { k: 100 })
  expect(people.map(({ userId }) => userId).sort()).toEqual(['ann', 'bob', 'cem', 'dan'])
  const scoreAfter = (await near()).find(({ itemId }) => itemId === 'guitar-1')?.score as number
  expect(scoreAfter).toBeLessThan(scoreBefore - 0.01)
  expect(await shop.forget({ user: PERSON })).toMatchObject({ found: false, reviews: 0, rejectLines: 0 })
  await shop.close()
  expect(filesWith(folder, traces)).toEqual([])
})

test('vectors of what somebody wrote before an edit, or about an item that is gone, go when anybody is forgotten', async () => {
  const folder = temporaryFolder()
  const shop = await Recommender.open(folder, { threads: 1 })
  const review = { id: 'r', userId: ANN, itemId: 'guitar-1', rating: 5, time: 1e12 }
  const other = { ...review, id: 's', itemId: 'garden-1', text: 'I live beside the mill.' }
  await shop.upsert({ items: ITEMS, reviews: [{ ...review, text: 'My gout is worse.' }, other] })
  await shop.index()
  await shop.upsert({ reviews: [{ ...review, text: 'Nice.' }] })
  await shop.remove({ items: ['garden-1'] })
  await shop.index()
  const pan = 'Frying pan\nCast iron pan for frying and searing steaks.'
  const wordings = ['My gout is worse.', 'I live beside the mill.', 'Nice.', pan]
  const store = Store.open(folder, { readonly: true })
  const held = () => {
    const vectors = store.spaces().flatMap((space) => store.embeddings(space, wordings.map(textHash)))
    return wordings.filter((_, i) => vectors[i] !== undefined)
  }

  expect(held()).toEqual(wordings)
  await shop.forget({ user: 'nobody' })
  expect(held()).toEqual(wordings.slice(2))
  expect(await shop.forget({ user: ANN })).toMatchObject({ found: true, embeddings: 1 })
  expect(held()).toEqual(wordings.slice(3))
  expect((await shop.index()).vectors.encoded).toBe(0)
  store.close()
  await shop.close()
})

test('whoever forgets people without end lets others write', async () => {
  const folder = temporaryFolder()
  const shop = await Recommender.open(folder, { threads: 1 })
  // Rewriting so much takes longer than the moment between two people.
  const items = Array.from({ length: 4000 }, (_, i) => ({
    id: `item-${i}`,
    description: `${i} `.repeat(400),
  }))
  await shop.upsert({ items })
  const source = `import { Recommender } from ${JSON.stringify(import.meta.resolve('textrec'))}
    const shop = await Recommender.open(${JSON.stringify(folder)})
    for (;;) { await shop.forget({ user: 'nobody' }); process.stdout.write('.') }`
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let people = 0
  child.stdout.on('data', ({ length }: Buffer) => {
    people += length
  })
  try {
    await once(child.stdout, 'data')
    // Each waits until it may write; if nobody lets it in, until it gives up.
    for (let i = 0; i < 3; i++) await shop.upsert({ items: [{ id: `new-${i}`, title: 'A bow' }] })
    expect((await shop.stats()).items).toBe(4003)
  } finally {
    child.kill('SIGKILL')
    await once(child, 'close')
    await shop.close()
  }
  expect(people).toBeLessThan(15)
})
