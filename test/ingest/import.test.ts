import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { importFiles } from '#src/ingest/import.js'
import { CHUNK_BYTES } from '#src/ingest/source.js'
import type { Progress } from '#src/types.js'
import { importContent, inFolder, jsonLines, MemorySink } from './memory-sink.js'

const interactions = (rows: number) =>
  `user,item,time\n${Array.from({ length: rows }, (_, i) => `u${i % 97},p${i % 1009},${1e9 + i}\n`).join('')}`

function write(folder: string, files: { [name: string]: string | Buffer }): void {
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name)
    mkdirSync(join(path, '..'), { recursive: true })
    writeFileSync(path, content)
  }
}

test('the report adds up, by file and in total; items come before reviews before interactions', () =>
  inFolder(async (folder) => {
    write(folder, {
      'i.csv': 'id\n1\n2\n',
      'r.jsonl': jsonLines({ user: 'u', item: '1', text: 'x' }, { user: '', item: '1' }),
      'e1.csv': 'user,item\nu,1\n',
      'e2.csv': 'user,item\nu,\nv,2\nw,2\n',
    })
    const sink = new MemorySink(folder)
    const at = (name: string) => join(folder, name)
    const report = await importFiles(sink, {
      interactions: [at('e1.csv'), at('e2.csv')],
      reviews: at('r.jsonl'),
      items: [at('i.csv')],
    })
    expect(report).toEqual({
      files: [
        {
          path: at('i.csv'),
          kind: 'items',
          format: 'csv',
          read: 2,
          accepted: 2,
          rejected: 0,
          added: 2,
          replaced: 0,
          unchanged: 0,
        },
        {
          path: at('r.jsonl'),
          kind: 'reviews',
          format: 'jsonl',
          read: 2,
          accepted: 1,
          rejected: 1,
          added: 1,
          replaced: 0,
          unchanged: 0,
          rejectFile: at('rejects/r.jsonl.jsonl'),
        },
        {
          path: at('e1.csv'),
          kind: 'interactions',
          format: 'csv',
          read: 1,
          accepted: 1,
          rejected: 0,
          added: 1,
          replaced: 0,
          unchanged: 0,
        },
        {
          path: at('e2.csv'),
          kind: 'interactions',
          format: 'csv',
          read: 3,
          accepted: 2,
          rejected: 1,
          added: 2,
          replaced: 0,
          unchanged: 0,
          rejectFile: at('rejects/e2.csv.jsonl'),
        },
      ],
      read: 8,
      accepted: 6,
      rejected: 2,
    })
    expect(existsSync(at('rejects/i.csv.jsonl'))).toBe(false)
  }))

test('a reject names file, line, field, what was expected and, shortened, what was there', () =>
  inFolder(async (folder) => {
    const path = join(folder, 'r.csv')
    write(folder, { 'r.csv': `user,item,rating\nu,i,${'9'.repeat(5000)}x\n` })
    await importFiles(new MemorySink(folder), { reviews: path })
    const reject = JSON.parse(readFileSync(join(folder, 'rejects/r.csv.jsonl'), 'utf8'))
    expect(reject).toEqual({
      file: path,
      kind: 'reviews',
      line: 2,
      field: 'rating',
      expected: 'a finite number of at most 1000000000',
      received: `${'9'.repeat(200)}... (5001 characters)`,
    })
  }))

test('a rerun replaces the reject file, and removes it when nothing is refused any more', () =>
  inFolder(async (folder) => {
    const path = join(folder, 'e.csv')
    const rejects = join(folder, 'rejects/e.csv.jsonl')
    const lines = () => readFileSync(rejects, 'utf8').trimEnd().split('\n').length
    write(folder, { 'e.csv': 'user,item\n,1\n,2\nu,3\n' })
    await importFiles(new MemorySink(folder), { interactions: path })
    expect(lines()).toBe(2)
    write(folder, { 'e.csv': 'user,item\n,1\nu,3\n' })
    await importFiles(new MemorySink(folder), { interactions: path })
    expect(lines()).toBe(1)
    write(folder, { 'e.csv': 'user,item\nu,3\n' })
    await importFiles(new MemorySink(folder), { interactions: path })
    expect(existsSync(rejects)).toBe(false)
  }))

test('two files of one name keep two reject files; the option rejects takes all in one', () =>
  inFolder(async (folder) => {
    write(folder, { 'a/e.csv': 'user,item\n,1\n', 'b/e.csv': 'user,item\nu,\n' })
    const files = [join(folder, 'a/e.csv'), join(folder, 'b/e.csv')]
    const apart = await importFiles(new MemorySink(folder), { interactions: files })
    expect(apart.files.map(({ rejectFile }) => rejectFile)).toEqual([
      join(folder, 'rejects/e.csv.jsonl'),
      join(folder, 'rejects/e.csv-2.jsonl'),
    ])
    const one = join(folder, 'refused/all.jsonl')
    await importFiles(new MemorySink(folder), { interactions: files, rejects: one })
    const found = readFileSync(one, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(found.map(({ file, field }) => [file, field])).toEqual([
      [files[0], 'userId'],
      [files[1], 'itemId'],
    ])
  }))

test('records reach the store in batches, and every one once', () =>
  inFolder(async (folder) => {
    const path = join(folder, 'e.csv')
    write(folder, { 'e.csv': interactions(50_000) })
    const sink = new MemorySink(folder)
    const report = await importFiles(sink, { interactions: path })
    expect(report.accepted).toBe(50_000)
    expect(sink.writes.length).toBeGreaterThan(3)
    expect(Math.max(...sink.writes)).toBeLessThan(20_000)
    expect(sink.interactions.map(({ time }) => time)).toEqual(
      Array.from({ length: 50_000 }, (_, i) => (1e9 + i) * 1000),
    )
  }))

test('progress counts rows and bytes up to all of them, over all files', () =>
  inFolder(async (folder) => {
    write(folder, { 'e.csv': interactions(30_000), 'f.csv.gz': gzipSync(interactions(1000)) })
    const seen: Progress[] = []
    await importFiles(
      new MemorySink(folder),
      { interactions: [join(folder, 'e.csv'), join(folder, 'f.csv.gz')] },
      { onProgress: (progress) => seen.push(progress) },
    )
    expect(seen.length).toBeGreaterThan(3)
    for (let i = 1; i < seen.length; i++) expect(seen[i].done).toBeGreaterThanOrEqual(seen[i - 1].done)
    const last = seen[seen.length - 1]
    expect(last).toMatchObject({
      stage: 'import',
      unit: 'rows',
      done: 31_000,
      figures: { accepted: 31_000, rejected: 0 },
    })
    expect(last.figures?.bytes).toBe(last.figures?.totalBytes)
  }))

test('a signal stops between batches: typed error, whole batches stay', () =>
  inFolder(async (folder) => {
    write(folder, { 'e.csv': interactions(100_000) })
    const stop = new AbortController()
    const sink = new MemorySink(folder)
    const running = importFiles(
      sink,
      { interactions: join(folder, 'e.csv') },
      { signal: stop.signal, onProgress: ({ done }) => done > 20_000 && stop.abort() },
    )
    await expect(running).rejects.toMatchObject({ code: 'ABORTED' })
    expect(sink.interactions.length).toBeGreaterThan(10_000)
    expect(sink.interactions.length).toBeLessThan(60_000)
    await expect(
      importFiles(sink, { interactions: join(folder, 'e.csv') }, { signal: stop.signal }),
    ).rejects.toMatchObject({ code: 'ABORTED' })
  }))

test('the event loop gets its turn after every chunk of a file', () =>
  inFolder(async (folder) => {
    const content = interactions(100_000)
    write(folder, { 'e.csv': content })
    let turns = 0
    let running = true
    const turn = () => {
      turns++
      if (running) setImmediate(turn)
    }
    setImmediate(turn)
    await importFiles(new MemorySink(folder), { interactions: join(folder, 'e.csv') })
    running = false
    expect(turns).toBeGreaterThanOrEqual(Math.floor(content.length / CHUNK_BYTES))
  }))

test('what the store throws comes through, and the rejects until then are kept', () =>
  inFolder(async (folder) => {
    write(folder, { 'e.csv': `user,item\n,1\nu,2\n` })
    const sink = new MemorySink(folder)
    sink.write = () => {
      throw new Error('disk on fire')
    }
    await expect(importFiles(sink, { interactions: join(folder, 'e.csv') })).rejects.toThrow('disk on fire')
    expect(existsSync(join(folder, 'rejects/e.csv.jsonl'))).toBe(true)
  }))

test.each([
  ['missing', (folder: string) => join(folder, 'nothing.csv')],
  ['a folder', (folder: string) => folder],
])('a path that is %s is FILE_UNREADABLE', (_, path) =>
  inFolder(async (folder) => {
    await expect(importFiles(new MemorySink(folder), { items: path(folder) })).rejects.toMatchObject({
      code: 'FILE_UNREADABLE',
    })
  }),
)

test('one input that is missing stops the call before any other is imported', () =>
  inFolder(async (folder) => {
    write(folder, { 'e.csv': 'user,item\nu,1\n' })
    const sink = new MemorySink(folder)
    for (const wrong of [join(folder, 'nothing.csv'), folder]) {
      const files = [join(folder, 'e.csv'), wrong]
      await expect(importFiles(sink, { interactions: files })).rejects.toMatchObject({
        code: 'FILE_UNREADABLE',
      })
    }
    expect(sink.writes).toEqual([])
  }))

test('a damaged gzip file is FILE_UNREADABLE; what came before the break is imported', async () => {
  const whole = gzipSync(interactions(100_000))
  await inFolder(async (folder) => {
    write(folder, { 'e.csv.gz': whole.subarray(0, whole.length / 2) })
    const sink = new MemorySink(folder)
    await expect(importFiles(sink, { interactions: join(folder, 'e.csv.gz') })).rejects.toMatchObject({
      code: 'FILE_UNREADABLE',
      message: expect.stringMatching(/ends too early/),
    })
    expect(sink.interactions.length).toBeGreaterThan(1000)
  })
  const flipped = Buffer.from(whole)
  for (let at = 2000; at < 2100; at++) flipped[at] ^= 0x55
  await expect(importContent('interactions', flipped)).rejects.toMatchObject({
    code: 'FILE_UNREADABLE',
    message: expect.stringMatching(/damaged/),
  })
})

test('options are checked by name', () =>
  inFolder(async (folder) => {
    const sink = new MemorySink(folder)
    await expect(importFiles(sink, {})).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: expect.stringMatching(/no file/),
    })
    await expect(importFiles(sink, { item: 'x' } as never)).rejects.toMatchObject({
      code: 'OPTION_UNKNOWN',
      message: expect.stringMatching(/'items'/),
    })
    await expect(importFiles(sink, { items: 'x', format: 'xml' as never })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: expect.stringMatching(/recbole/),
    })
    await expect(importFiles(sink, { items: 'x' }, { signals: 1 } as never)).rejects.toMatchObject({
      code: 'OPTION_UNKNOWN',
    })
  }))
