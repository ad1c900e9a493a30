import { spawnSync } from 'node:child_process'
import { chmodSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Recommender } from 'textrec'
import { expect, test } from 'vitest'
import { ITEMS, REVIEWS, temporaryFolder } from './shelf.js'

const library = new URL('../../dist/src/index.js', import.meta.url).href

/**
 * Asks everything of the project in argv[1] and tries every call that writes, as somebody who may not: root may
 * do anything, so whoever is root becomes nobody first.
 */
const SCRIPT = `
  if (process.getuid() === 0) {
    process.setgid(65534)
    process.setuid(65534)
  }
  const { Recommender } = await import(${JSON.stringify(library)})
  const shop = await Recommender.open(process.argv[1], { create: false, threads: 1, cacheDirectory: process.argv[2] })
  const first = ({ items }) => items[0].itemId
  const answers = [
    first(await shop.similarItems('guitar-1')),
    first(await shop.similarToItem({ description: 'water for the flower beds' })),
    first(await shop.search('frying pan')),
    (await shop.recommend({ user: 'ann' })).items.length > 0,
    (await shop.stats()).items,
    (await shop.doctor()).healthy,
    (await shop.export({ out: process.argv[2] + '/copy-' + process.pid })).items,
  ]
  const codes = {}
  const writes = {
    import: () => shop.import({ items: 'none.jsonl' }),
    index: () => shop.index(),
    upsert: () => shop.upsert({ items: [{ id: 'x' }] }),
    remove: () => shop.remove({ items: ['guitar-1'] }),
    forget: () => shop.forget({ user: 'ann' }),
    train: () => shop.train(),
    repair: () => shop.doctor({ repair: true }),
  }
  for (const [name, write] of Object.entries(writes)) codes[name] = await write().then(() => 'done', ({ code }) => code)
  await shop.close()
  console.log(JSON.stringify({ answers, codes }))
`

function askAsNobody(folder: string, cache: string): { answers: unknown[]; codes: Record<string, string> } {
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', SCRIPT, folder, cache], {
    encoding: 'utf8',
  })
  expect(child.stderr).toBe('')
  return JSON.parse(child.stdout)
}

function setWritable(folder: string, writable: boolean): void {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    const bits = entry.isDirectory() ? 0o555 : 0o444
    chmodSync(path, writable ? bits | 0o200 : bits)
  }
  chmodSync(folder, writable ? 0o755 : 0o555)
}

test.skipIf(process.platform === 'win32')(
  'a project that may be read but not written answers, and says why it does not write',
  async () => {
    const folder = temporaryFolder()
    const cacheDirectory = temporaryFolder()
    chmodSync(cacheDirectory, 0o777)
    const shop = await Recommender.open(folder, { threads: 1, cacheDirectory })
    await shop.upsert({ items: ITEMS, reviews: REVIEWS })
    await shop.index()
    // Beside a writer SQLite shares the log; without one it is a copy that is read. Both have to answer.
    for (const closed of [false, true]) {
      if (closed) await shop.close()
      setWritable(folder, false)
      const before = readdirSync(folder).map((name) => [name, statSync(join(folder, name)).mtimeMs])
      const { answers, codes } = askAsNobody(folder, cacheDirectory)
      expect(answers).toEqual(['guitar-4', 'garden-4', 'kitchen-1', true, 13, true, 13])
      expect(new Set(Object.values(codes))).toEqual(new Set(['PROJECT_READONLY']))
      expect(readdirSync(folder).map((name) => [name, statSync(join(folder, name)).mtimeMs])).toEqual(before)
      setWritable(folder, true)
    }
  },
  60_000,
)
