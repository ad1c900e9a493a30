import { execFileSync } from 'node:child_process'
import {
  constants,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { importFiles } from '#src/ingest/import.js'
import { inFolder, jsonLines, MemorySink } from './memory-sink.js'

/** A project with an input of one good and one refused line, and the import of it. */
function inProject(
  use: (
    at: (name: string) => string,
    run: (rejects: string) => Promise<unknown>,
    sink: MemorySink,
  ) => unknown,
): Promise<void> {
  return inFolder(async (folder) => {
    const at = (name: string) => join(folder, name)
    writeFileSync(at('e.csv'), 'user,item\n,1\nu,2\n')
    mkdirSync(at('p/locks'), { recursive: true })
    mkdirSync(at('p/indexes'))
    writeFileSync(at('p/catalog.db'), 'the truth')
    writeFileSync(at('p/catalog.db-wal'), '')
    writeFileSync(at('p/locks/index.lock'), '')
    const sink = new MemorySink(at('p'))
    await use(at, (rejects) => importFiles(sink, { interactions: at('e.csv'), rejects }), sink)
  })
}

const earlier = jsonLines({ file: 'x', kind: 'items', line: 3, field: 'id', expected: 'an id', received: '' })
const fields = (path: string) =>
  readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line).field)

test.each([
  'p/catalog.db',
  'p/catalog.db-wal',
  'p/catalog.db-journal',
  'p/indexes/new/rejects.jsonl',
  'p/locks/index.lock',
  'p/adapters',
  'p/crowd/x',
  'p',
  'e.csv',
  'notes.txt',
  'data.jsonl',
  'linked',
  'hard',
  'hard-wal',
  'nowhere',
  'folder',
  '',
])('rejects: %s is refused, nothing is read, and what is there stays', (name) =>
  inProject(async (at, run, sink) => {
    writeFileSync(at('notes.txt'), 'dear diary\n')
    writeFileSync(at('data.jsonl'), jsonLines({ id: 'a' }) + earlier)
    symlinkSync(at('p/catalog.db'), at('linked'))
    linkSync(at('e.csv'), at('hard'))
    linkSync(at('p/catalog.db-wal'), at('hard-wal'))
    symlinkSync(at('nothing'), at('nowhere'))
    mkdirSync(at('folder'))
    const path = name === '' ? '' : at(name)
    const before = existsSync(path) && statSync(path).isFile() ? readFileSync(path) : undefined
    await expect(run(path)).rejects.toMatchObject({ code: 'OPTION_INVALID' })
    expect(sink.writes).toEqual([])
    if (before !== undefined) expect(readFileSync(path)).toEqual(before)
    else expect(existsSync(path)).toBe(['p', 'folder'].includes(name))
    expect(readFileSync(at('p/catalog.db'), 'utf8')).toBe('the truth')
  }),
)

test('a missing file, an empty one and an earlier reject file are taken; the last is emptied, not replaced', () =>
  inProject(async (at, run) => {
    writeFileSync(at('empty'), '')
    writeFileSync(at('earlier'), earlier.repeat(3))
    symlinkSync(at('earlier'), at('link'))
    const inode = statSync(at('earlier')).ino
    for (const name of ['new', 'sub/new', 'empty', 'earlier', 'link', 'p/rejects.jsonl', 'p/rejects/all']) {
      await run(at(name))
      expect(fields(at(name))).toEqual(['userId'])
      await run(at(name))
      expect(fields(at(name))).toEqual(['userId'])
    }
    expect(statSync(at('earlier')).ino).toBe(inode)
    writeFileSync(at('e.csv'), 'user,item\nu,2\n')
    await run(at('earlier'))
    expect(readFileSync(at('earlier'), 'utf8')).toBe('')
    await run(at('other'))
    expect(existsSync(at('other'))).toBe(false)
  }))

test('a file below another file cannot be made: FILE_UNREADABLE', () =>
  inProject(async (at, run, sink) => {
    await expect(run(at('e.csv/x.jsonl'))).rejects.toMatchObject({ code: 'FILE_UNREADABLE' })
    expect(sink.writes).toEqual([])
  }))

test('default reject files never take the place of an input', () =>
  inProject(async (at, _, sink) => {
    mkdirSync(at('p/rejects'))
    writeFileSync(at('p/rejects/e.csv.jsonl'), jsonLines({ user: 'u', item: '1' }))
    const report = await importFiles(sink, { interactions: [at('e.csv'), at('p/rejects/e.csv.jsonl')] })
    expect(report.files[0].rejectFile).toBe(at('p/rejects/e.csv-2.jsonl'))
    expect(report).toMatchObject({ read: 3, accepted: 2 })
  }))

test.skipIf(process.platform === 'win32')(
  'a pipe gets the rejects and stays; without a reader it is refused',
  () =>
    inProject(async (at, run, sink) => {
      execFileSync('mkfifo', [at('pipe')])
      await expect(run(at('pipe'))).rejects.toMatchObject({ code: 'FILE_UNREADABLE' })
      expect(sink.writes).toEqual([])
      const reader = openSync(at('pipe'), constants.O_RDONLY | constants.O_NONBLOCK)
      await run(at('pipe'))
      const got = Buffer.alloc(4096)
      expect(JSON.parse(got.toString('utf8', 0, readSync(reader, got))).field).toBe('userId')
      expect(statSync(at('pipe')).isFIFO()).toBe(true)
    }),
)

test.skipIf(!existsSync('/dev/full'))('a device is written, never removed; a full one is DISK_FULL', () =>
  inProject(async (_, run) => {
    await expect(run('/dev/full')).rejects.toMatchObject({ code: 'DISK_FULL' })
    expect(statSync('/dev/full').isCharacterDevice()).toBe(true)
    await run('/dev/null')
    expect(statSync('/dev/null').isCharacterDevice()).toBe(true)
  }),
)
