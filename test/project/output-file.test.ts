import { existsSync, linkSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { Recommender } from 'textrec'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { requireOutput, writeOutput } from '#src/project/output-file.js'
import { ITEMS, temporaryFolder } from './shelf.js'

const project = temporaryFolder()
const beside = temporaryFolder()
let shop: Recommender
beforeAll(async () => {
  shop = await Recommender.open(project, { threads: 1 })
  await shop.upsert({ items: ITEMS, interactions: [{ userId: 'ann', itemId: ITEMS[0].id }] })
  await shop.index()
})
afterAll(() => shop.close())

/** The catalogue by its name, by a link to it, by a second name, and other parts that are or may come to be there. */
function projectFiles(): string[] {
  const link = join(beside, 'link')
  const second = join(beside, 'second')
  if (!existsSync(link)) symlinkSync(join(project, 'catalog.db'), link)
  if (!existsSync(second)) linkSync(join(project, 'catalog.db'), second)
  const parts = ['catalog.db', 'catalog.db-wal', 'locks/index.lock', 'crowd/new', 'people/new', 'tuning/new']
  return [link, second, ...parts.map((part) => join(project, part))]
}

test('no file of the project is written over, by whatever call and name', async () => {
  for (const path of projectFiles()) {
    const refused = { code: 'OPTION_INVALID', fact: expect.stringContaining("the project's own files") }
    await expect(shop.recommendAll({ out: path }), path).rejects.toMatchObject(refused)
    await expect(shop.evaluate({ report: path }), path).rejects.toMatchObject(refused)
    await expect(shop.train({ report: path }), path).rejects.toMatchObject(refused)
  }
  const { checks } = await shop.doctor()
  expect(checks.filter(({ ok }) => !ok)).toEqual([])
  expect(readFileSync(join(project, 'catalog.db'), 'latin1')).toMatch(/^SQLite format 3/)
})

test('a report that could not be written is refused before any work is done for it', async () => {
  for (const report of [join(beside, 'none', 'report.html'), beside, '/dev/null/x', 'a\0b']) {
    // There is too little to learn from: whoever began would say so.
    await expect(shop.evaluate({ report }), report).rejects.toMatchObject({ code: 'OPTION_INVALID' })
    await expect(shop.train({ report }), report).rejects.toMatchObject({ code: 'OPTION_INVALID' })
  }
})

test('beside its own files a project takes what is written for people, and so do devices', async () => {
  const out = join(project, 'everybody.jsonl')
  await shop.recommendAll({ out })
  expect(JSON.parse(readFileSync(out, 'utf8')).userId).toBe('ann')
  const report = join(project, 'reports')
  mkdirSync(report)
  for (const path of [join(report, 'a.html'), '/dev/null']) {
    requireOutput('report', path, project)
    await writeOutput('report', path, 'x', project)
  }
  expect(readFileSync(join(report, 'a.html'), 'utf8')).toBe('x')
  await expect(writeOutput('report', '/dev/full', 'x', project)).rejects.toMatchObject({ code: 'DISK_FULL' })
})
