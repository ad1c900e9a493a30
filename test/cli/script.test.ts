import { existsSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ImportReport, IndexReport, Progress } from 'textrec'
import { describe, expect, test } from 'vitest'
import { progressLines } from '../../dist/scripts/progress-lines.js'
import { document, script, temporaryFolder, textrec } from './textrec.js'

const folder = temporaryFolder()
const dir = join(folder, 'shop.textrec')

interface Report {
  readonly import?: ImportReport
  readonly index: IndexReport
}

describe('the indexing script', () => {
  test('imports and indexes in one run, and a second run changes nothing', async () => {
    const items = join(folder, 'items.csv')
    writeFileSync(items, 'sku,name\na,Claw hammer\nb,Hand saw\nc,Violin strings\n')
    const more = join(folder, 'more.jsonl')
    writeFileSync(more, '{"sku": "d", "name": "Guitar strings"}\n')
    const args = [
      '--dir',
      dir,
      '--items',
      items,
      more,
      '--map',
      'id=sku',
      'title=name',
      '--threads',
      '1',
      '--json',
    ]
    const first = document<Report>(await script(args))
    expect(first.import).toMatchObject({ read: 4, accepted: 4, rejected: 0 })
    expect(first.index).toMatchObject({ vectors: { items: 4, encoded: 4 }, index: { size: 4, built: true } })
    const second = document<Report>(await script(args))
    expect(second.import?.files.map(({ unchanged }) => unchanged)).toEqual([3, 1])
    expect(second.index).toMatchObject({ vectors: { items: 0, encoded: 0 }, index: { built: false } })
    const asked = await textrec(['similar', '--dir', dir, 'c', '-k', '1', '--json'])
    expect(document(asked)).toMatchObject({ items: [{ itemId: 'd' }] })
    const only = await script(['--dir', dir, '--threads', '1'])
    expect(only).toMatchObject({ code: 0, stderr: '' })
    expect(only.stdout).toMatch(/^exact index of 4 items, recall@10 1\.0000, was up to date$/m)
  })

  test.each([
    [[], 2, /^USAGE: --dir is missing/],
    [['--dir', 'x', '--itmes', 'f'], 2, /^USAGE: Unknown option '--itmes'/],
    [['--dir', 'x', 'f'], 2, /^USAGE: 'f' belongs to no flag/],
    [['--dir', 'x', '--map', 'id'], 2, /^USAGE: --map takes FIELD=COLUMN/],
    [['--dir', 'x', '--threads', 'two'], 2, /^USAGE: --threads takes a whole number/],
    [['--dir', 'x'], 1, /^PROJECT_MISSING: /],
    [['--dir', 'y', '--items', 'nowhere.csv'], 1, /^FILE_UNREADABLE: /],
  ])('%j ends with %i', async (args, code, says) => {
    const result = await script(args, { cwd: folder })
    expect(result).toMatchObject({ code, stdout: '' })
    expect(result.stderr).toMatch(says)
    expect(result.stderr.trim().split('\n')).toHaveLength(1)
    expect(existsSync(join(folder, 'x'))).toBe(false)
  })

  test('says how fast a stage goes and how long it has left, without what an earlier run had done', () => {
    const lines: string[] = []
    let now = 0
    const report = progressLines(
      (line) => lines.push(line),
      () => now,
    )
    const at = (seconds: number, progress: Progress) => {
      now = seconds * 1000
      report(progress)
    }
    at(1, { stage: 'read', done: 10, unit: 'rows' })
    at(6, { stage: 'read', done: 510, unit: 'rows' })
    at(7, { stage: 'encode', done: 200, total: 1000, unit: 'texts' })
    at(11, { stage: 'encode', done: 300, total: 1000, unit: 'texts' })
    at(17, { stage: 'encode', done: 600, total: 1000, unit: 'texts', share: 0.4 })
    at(18, { stage: 'encode', done: 700, total: 1000, unit: 'texts' })
    expect(lines).toEqual([
      'read: 510 rows, 100/s\n',
      'encode: 300/1000 texts, 25.0/s, 28 s left\n',
      'encode: 600/1000 texts, 40.0/s, 30 s left\n',
    ])
  })

  test('uses the public API and nothing else', async () => {
    const source = await readFile(new URL('../../scripts/index.ts', import.meta.url), 'utf8')
    const modules = [...source.matchAll(/from '([^']+)'/g)].map((match) => match[1])
    expect(modules.filter((name) => !name.startsWith('node:'))).toEqual(['textrec', './progress-lines.js'])
  })
})
