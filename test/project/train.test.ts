import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { Recommender, sampleFiles } from 'textrec'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { liveState } from '#src/project/live-index.js'
import { Store } from '#src/store/index.js'
import { acquireLock } from '#src/store/lock.js'
import { ITEMS, temporaryFolder } from './shelf.js'

const code = (value: string) => expect.objectContaining({ name: 'TextrecError', code: value })

/** Small enough for seconds, and enough to beat what there is on the sample. */
const TINY = { dim: 16, hidden: 16, textDim: 32, length: 8, epochs: 3, ids: 'on', seed: 2 } as const

const NEW_BOOK = {
  id: 'lighthouse-vampire',
  title: 'The Vampire of the Lighthouse',
  description: 'A vampire count haunts a lonely lighthouse; letters and diaries tell of the horror.',
}

let shelf: string
beforeAll(async () => {
  shelf = temporaryFolder()
  const shop = await Recommender.open(shelf, { threads: 1, dtype: 'int8' })
  await shop.import(sampleFiles())
  await shop.index()
  await shop.close()
}, 120_000)

/** A project of its own with the indexed sample. */
function copyOfShelf(): string {
  const folder = temporaryFolder()
  cpSync(shelf, folder, { recursive: true })
  return folder
}

const open = (folder: string) => Recommender.open(folder, { threads: 1 })

function adapterOf(folder: string): string | undefined {
  const store = Store.open(folder)
  try {
    return liveState(store)?.model?.adapter
  } finally {
    store.close()
  }
}

describe('a trained project', () => {
  let folder: string
  let shop: Recommender
  beforeAll(async () => {
    folder = copyOfShelf()
    shop = await open(folder)
  })
  afterAll(() => shop.close())

  test('publishes what beat the frozen encoder, the collaborative scores and what was live', async () => {
    const other = await open(folder)
    expect((await other.similarItems('dracula')).basis).toBe('frozen text')
    const stages = new Set<string>()
    const report = join(folder, 'training.html')
    const result = await shop.train({
      ...TINY,
      report,
      onProgress: ({ stage, figures }: { stage: string; figures?: object }) => {
        if (figures !== undefined && 'validation' in figures) stages.add(stage)
      },
    })
    expect(result).toMatchObject({ published: true, withdrawn: false })
    expect([...stages]).toEqual(['text + ids'])
    expect(result.contests.map(({ against }) => against)).toEqual(['frozen', 'collaborative', 'what is live'])
    for (const { won, overall } of result.contests) {
      expect(won).toBe(true)
      expect(overall.mean).toBeGreaterThan(0)
    }
    expect(result.candidate.name).toMatch(/^adapter/)
    expect(result.validation.people).toBeGreaterThan(50)
    expect(readFileSync(report, 'utf8')).toContain('<svg')
    expect(await shop.stats()).toMatchObject({ trained: { id: result.model, adapter: true, retrain: false } })
    expect(readdirSync(join(folder, 'adapters'))).toEqual([result.model])
    expect((await shop.doctor()).healthy).toBe(true)
    // Here and in another open project, from the next call on.
    for (const project of [shop, other]) {
      expect((await project.similarItems('dracula')).basis).toBe('adapter')
      expect((await project.recommend({ likes: ['dracula', 'carmilla'] })).basis).toBe(
        result.candidate.share > 0 ? 'fused' : 'adapter',
      )
    }
    await other.close()
  }, 120_000)

  test('a new item is found at once, and a changed one moves', async () => {
    await shop.upsert({ items: [NEW_BOOK] })
    expect((await shop.similarItems('dracula', { k: 20 })).items.map(({ itemId }) => itemId)).toContain(
      NEW_BOOK.id,
    )
    expect((await shop.search('vampire lighthouse', { mode: 'vector', k: 5 })).items[0].itemId).toBe(
      NEW_BOOK.id,
    )
    const scoreOf = async (id: string) =>
      (await shop.similarItems('dracula', { k: 300 })).items.find(({ itemId }) => itemId === id)
        ?.score as number
    const before = await scoreOf(NEW_BOOK.id)
    await shop.upsert({
      items: [{ ...NEW_BOOK, title: 'Sums', description: 'A treatise on long division.' }],
    })
    expect(await scoreOf(NEW_BOOK.id)).toBeLessThan(before)
    expect((await shop.doctor()).healthy).toBe(true)
    await shop.remove({ items: [NEW_BOOK.id] })
  })

  test('is used on another catalogue as it is, but on none whose people have taught it', async () => {
    const models = ['frozen', 'transfer', 'transfer-guarded']
    const asked = { split: 'hold-last', models, transferFrom: [folder] }
    const copy = copyOfShelf()
    const same = await open(copy)
    await expect(same.evaluate(asked)).rejects.toEqual(code('LEAK_FOUND'))
    await expect(same.evaluate({ ...asked, transferFrom: [copy] })).rejects.toThrow(/No adapter is published/)
    await expect(same.evaluate({ ...asked, transferFrom: [] })).rejects.toEqual(code('OPTION_INVALID'))
    await same.close()
    const database = new Database(join(copy, 'catalog.db'))
    database.exec("UPDATE user SET id = 'somebody else than ' || id")
    database.close()
    const other = await open(copy)
    await other.doctor({ repair: true })
    const { results } = await other.evaluate(asked)
    const ndcg = Object.fromEntries(results.map(({ name, metrics }) => [name, metrics['ndcg@10'].mean]))
    expect(ndcg.transfer).toBeGreaterThan(ndcg.frozen)
    // So few people can be sure of nothing, and then it is frozen text.
    expect(ndcg['transfer-guarded']).toBeGreaterThan(0.7 * ndcg.frozen)
    const learnt = await other.evaluate({
      ...asked,
      models: ['transfer-tuned', 'transfer-fused'],
      training: { ...TINY, epochs: 1, refit: false },
    })
    // One pass would take a model that starts from nothing nowhere: these have learnt elsewhere.
    for (const { metrics } of learnt.results) {
      expect(metrics['ndcg@10'].mean).toBeGreaterThan(0.3 * ndcg.frozen)
    }
    // Two of them speak as one, and each alone says the same.
    const twice = await other.evaluate({ ...asked, models: ['transfer'], transferFrom: [folder, folder] })
    expect(twice.results[0].metrics['ndcg@10'].mean).toBeCloseTo(ndcg.transfer, 5)
    await other.close()
  }, 300_000)

  test('index() keeps the adapter', async () => {
    const answer = await shop.similarItems('dracula')
    expect((await shop.index()).index.built).toBe(false)
    expect((await shop.index({ rebuild: true })).index.built).toBe(true)
    expect(await shop.similarItems('dracula')).toEqual(answer)
  })

  test('the same training again is no better than what is live: it stays', async () => {
    const { trained } = await shop.stats()
    const again = await shop.train(TINY)
    expect(again).toMatchObject({ published: false, model: trained?.id })
    expect(again.contests.at(-1)).toMatchObject({ against: 'what is live', won: false })
    const live = again.judged.find(({ name }) => name === 'what is live')
    const same = again.judged.find(({ name, share }) => name.startsWith('adapter') && share === live?.share)
    expect(same?.overall.mean).toBeCloseTo(live?.overall.mean as number, 9)
    // Frozen text with item-item scores comes out a little better here, and finds hardly any new item.
    expect(live?.cold).toEqual(same?.cold)
    expect(live?.cold?.mean).toBeGreaterThan(0.3)
    expect((await shop.stats()).trained).toEqual(trained)
    expect(readdirSync(join(folder, 'adapters'))).toEqual([trained?.id])
  }, 120_000)

  test('a damaged adapter is refused, named by doctor, and withdrawn on request', async () => {
    const damaged = temporaryFolder()
    cpSync(folder, damaged, { recursive: true })
    const [id] = readdirSync(join(damaged, 'adapters'))
    const tensors = join(damaged, 'adapters', id, 'adapter', 'items.json')
    writeFileSync(tensors, readFileSync(tensors, 'utf8').replace('dracula', 'draculb'))
    const project = await open(damaged)
    await expect(project.similarItems('dracula')).rejects.toThrow(code('MODEL_INVALID'))
    const { checks } = await project.doctor()
    expect(checks.find(({ name }) => name === 'model')).toMatchObject({ ok: false })
    expect((await project.doctor({ repair: true })).healthy).toBe(true)
    expect((await project.similarItems('dracula')).basis).toBe('frozen text')
    expect(existsSync(join(damaged, 'adapters', id))).toBe(false)
    await project.close()
  })

  test('after somebody was forgotten it is withdrawn before anything is trained', async () => {
    const { trained } = await shop.stats()
    const [user] = (await shop.audience('dracula', { k: 1 })).people.map(({ userId }) => userId)
    expect(await shop.forget({ user })).toMatchObject({ found: true, retrain: true })
    expect((await shop.stats()).trained?.retrain).toBe(true)
    expect((await shop.doctor()).checks.find(({ name }) => name === 'model')?.fact).toMatch(/forgotten/)
    // Stopped on its way: what had learnt from them is gone all the same.
    const stop = new AbortController()
    const stopped = shop.train({
      ...TINY,
      signal: stop.signal,
      onProgress: ({ unit }: { unit: string }) => unit === 'epochs' && stop.abort(),
    })
    await expect(stopped).rejects.toThrow(code('ABORTED'))
    expect((await shop.stats()).trained).toBeUndefined()
    expect((await shop.similarItems('dracula')).basis).toBe('frozen text')
    expect(existsSync(join(folder, 'adapters', trained?.id as string))).toBe(false)
    expect((await shop.doctor()).healthy).toBe(true)
  }, 120_000)
})

/** Trains in a process of its own, which says when an epoch is over, and when judging has begun. */
const SCRIPT = `
  const { Recommender } = await import(${JSON.stringify(new URL('../../dist/src/index.js', import.meta.url).href)})
  const shop = await Recommender.open(process.argv[1], { threads: 1 })
  let last = ''
  const onProgress = ({ stage, done, unit }) => {
    const now = unit === 'epochs' ? stage + Math.floor(done) : stage
    if ((unit === 'epochs' || stage === 'judge') && now !== last) console.log(last = now)
  }
  await shop.train({ ...${JSON.stringify(TINY)}, threads: 1, onProgress })
  await shop.close()
`

/** Trains until `enough` of what the process has said, and kills it there. @returns what it said */
async function killedTraining(folder: string, enough: (lines: readonly string[]) => boolean) {
  const child = spawn(process.execPath, ['--input-type=module', '-e', SCRIPT, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString()
    if (enough(said.split('\n').slice(0, -1))) child.kill('SIGKILL')
  })
  const [, signal] = await once(child, 'exit')
  expect(signal).toBe('SIGKILL')
  expect(adapterOf(folder)).toBeUndefined()
  expect(existsSync(join(folder, 'training', 'checkpoint'))).toBe(true)
  return said
}

test('a training that is killed, and killed again while it judges, goes on and ends with the same adapter', async () => {
  const [calm, killed] = [copyOfShelf(), copyOfShelf()]
  const undisturbed = await open(calm)
  await undisturbed.train({ ...TINY, threads: 1 })
  await undisturbed.close()
  expect(existsSync(join(calm, 'training'))).toBe(false)

  await killedTraining(killed, (lines) => lines.length >= 6)
  const resumed = await killedTraining(killed, (lines) => lines.includes('judge'))
  // What was finished before the kill is not done again.
  expect(resumed).not.toContain('text + ids')
  expect(resumed).toContain('everything')

  const shop = await open(killed)
  expect((await shop.similarItems('dracula')).basis).toBe('frozen text')
  const units = new Set<string>()
  await shop.train({ ...TINY, threads: 1, onProgress: ({ unit }: { unit: string }) => units.add(unit) })
  expect(units).not.toContain('epochs')
  expect((await shop.doctor()).healthy).toBe(true)
  await shop.close()
  expect(adapterOf(killed)).toBe(adapterOf(calm))
  expect(adapterOf(killed)).toBeDefined()
  expect(existsSync(join(killed, 'training'))).toBe(false)
}, 180_000)

test('says why it cannot train, and changes nothing', async () => {
  const folder = temporaryFolder()
  const shop = await open(folder)
  await shop.upsert({ items: ITEMS, interactions: [{ userId: 'ann', itemId: 'guitar-1' }] })
  await expect(shop.train()).rejects.toThrow(code('NOTHING_INDEXED'))
  await shop.index()
  const answer = await shop.similarItems('guitar-1')
  await expect(shop.train()).rejects.toThrow(code('NOT_ENOUGH_DATA'))
  await expect(shop.train({ epoch: 3 } as object)).rejects.toThrow(/no option 'epoch'. Did you mean 'epochs'/)
  const elsewhere = acquireLock(folder, 'train')
  await expect(shop.train()).rejects.toThrow(code('PROJECT_LOCKED'))
  elsewhere.release()
  expect(await shop.similarItems('guitar-1')).toEqual(answer)
  await shop.close()
})
