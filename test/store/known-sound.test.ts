import { createHash } from 'node:crypto'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { describe, expect, test, vi } from 'vitest'
import { isTextrecError } from '#src/errors.js'
import { Store } from '#src/store/index.js'
import { openStore, startChild, temporaryFolder } from './temporary.js'

const DAY = 86_400

async function shop(): Promise<string> {
  const folder = temporaryFolder()
  const store = openStore(folder)
  store.write({
    items: Array.from({ length: 40 }, (_, i) => ({ id: `i${i}`, title: `Thing ${i}`, attributes: { n: i } })),
    interactions: Array.from({ length: 400 }, (_, i) => ({
      userId: `u${i % 20}`,
      itemId: `i${i % 40}`,
      timestamp: i * DAY,
    })),
  })
  store.close()
  await store.leaveHash()
  return folder
}

const catalog = (folder: string) => join(folder, 'catalog.db')
const record = (folder: string) => `${catalog(folder)}-checked`

async function refusal(work: () => unknown): Promise<string | undefined> {
  try {
    await work()
    return undefined
  } catch (error) {
    if (!isTextrecError(error)) throw error
    return error.code
  }
}

/** What asking says of the project as it is opened now, where it refuses. */
function asked(folder: string): Promise<string | undefined> {
  return refusal(async () => {
    const store = Store.open(folder)
    try {
      await store.requireSound()
    } finally {
      store.close()
      await store.leaveHash()
    }
  })
}

/** Damage that answers would not show: a statement of another program, that no longer agrees with what is derived. */
function damage(folder: string): void {
  const db = new Sqlite(catalog(folder))
  db.exec('DELETE FROM item_attribute WHERE item = 1')
  db.close()
}

/** What the system says of the file. */
function stateOf(folder: string): string {
  const { dev, ino, size, mtimeNs, ctimeNs } = statSync(catalog(folder), { bigint: true })
  return `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`
}

const left = (folder: string): { state: string; hash?: string } =>
  JSON.parse(readFileSync(record(folder), 'utf8'))
const hashOf = (folder: string) =>
  createHash('sha256')
    .update(readFileSync(catalog(folder)))
    .digest('hex')

describe('a catalogue is checked before it is believed', () => {
  test('where something else has written it, and again until it is mended', async () => {
    const folder = await shop()
    const kept = `${catalog(folder)}.backup`
    copyFileSync(catalog(folder), kept)
    damage(folder)
    const store = Store.open(folder)
    for (let i = 0; i < 2; i++) expect(await refusal(() => store.requireSound())).toBe('DATABASE_DAMAGED')
    store.close()
    expect(await asked(folder)).toBe('DATABASE_DAMAGED')
    copyFileSync(kept, catalog(folder))
    expect(await asked(folder)).toBeUndefined()
  })

  test.each(['closed', 'killed'])('whichever page is damaged after the last process was %s', async (how) => {
    const folder = await shop()
    const sound = readFileSync(catalog(folder))
    const outcome = { refused: 0, believed: 0 }
    for (let page = 1; page < sound.length / 4096; page += 3) {
      const bytes = Buffer.from(sound)
      bytes.fill(0, page * 4096, (page + 1) * 4096)
      writeFileSync(catalog(folder), bytes)
      // A killed process leaves no hash: SQLite's own check does not look at pages that nothing uses.
      if (how === 'killed') rmSync(record(folder), { force: true })
      const first = await asked(folder)
      expect(await asked(folder)).toBe(first)
      if (first === undefined && !sound.equals(bytes)) outcome.believed++
      else outcome.refused++
    }
    expect(outcome.refused).toBeGreaterThan(5)
    if (how === 'closed') expect(outcome.believed).toBe(0)
  })

  test('a single bit of a text, which SQLite does not see; said by check, believed once it is accepted', async () => {
    const folder = await shop()
    const bytes = readFileSync(catalog(folder))
    const at = bytes.indexOf('Thing 7')
    bytes[at] ^= 1
    writeFileSync(catalog(folder), bytes)
    expect(await asked(folder)).toBe('DATABASE_DAMAGED')
    const store = Store.open(folder)
    expect(store.check()).toEqual([])
    expect(await store.doubt()).toMatch(/something else/)
    expect(store.accept()).toEqual([])
    expect(await store.doubt()).toBeUndefined()
    await store.requireSound()
    store.close()
    expect(await asked(folder)).toBeUndefined()
    expect(left(folder)).toEqual({ state: stateOf(folder), hash: hashOf(folder) })
  })

  test('what is not sound is not accepted', async () => {
    const folder = await shop()
    damage(folder)
    const store = Store.open(folder)
    expect(store.accept()).not.toEqual([])
    store.close()
    expect(await asked(folder)).toBe('DATABASE_DAMAGED')
  })

  test('not where textrec left it so', async () => {
    const folder = await shop()
    damage(folder)
    writeFileSync(record(folder), JSON.stringify({ state: stateOf(folder) }))
    expect(await asked(folder)).toBeUndefined()
    // The same state with other records, or none.
    for (const text of ['nonsense', '{}', 'null', '{"state":7}', undefined]) {
      if (text === undefined) rmSync(record(folder), { force: true })
      else writeFileSync(record(folder), text)
      expect(await asked(folder)).toBe('DATABASE_DAMAGED')
    }
  })

  test('a sound copy is compared once, and its state kept', async () => {
    const folder = await shop()
    const copy = temporaryFolder()
    copyFileSync(catalog(folder), catalog(copy))
    copyFileSync(record(folder), record(copy))
    expect(await asked(copy)).toBeUndefined()
    expect(left(copy)).toEqual({ state: stateOf(copy), hash: left(folder).hash })
  })

  test('writes of several processes leave the state, and once all are closed the hash', async () => {
    const folder = await shop()
    const [first, second] = [openStore(folder), openStore(folder)]
    const before = left(folder)
    for (let i = 0; i < 30; i++) {
      for (const store of [first, second])
        store.write({ items: [{ id: `new ${i}`, description: 'word '.repeat(150_000) }] })
      expect(left(folder)).toEqual({ state: stateOf(folder) })
    }
    // SQLite carries its log into the file on the way, not only at the end.
    expect(left(folder)).not.toEqual({ state: before.state })
    first.close()
    await first.leaveHash()
    expect(left(folder).hash).toBeUndefined()
    second.close()
    expect(left(folder).hash).toBeUndefined()
    await second.leaveHash()
    expect(left(folder)).toEqual({ state: stateOf(folder), hash: hashOf(folder) })
  })

  test('a process that is killed leaves no hash, and what it wrote is believed', async () => {
    const folder = await shop()
    const child = startChild(
      folder,
      `const store = Store.open(folder)
       store.write({ items: [{ id: 'last', description: 'word '.repeat(40_000) }] })
       console.log('written')
       setInterval(() => undefined, 1000)`,
    )
    await vi.waitUntil(() => child.lines.includes('written'), { timeout: 20_000 })
    child.kill()
    await child.ended
    // Whoever opens it next carries the log into the file.
    const other = new Sqlite(catalog(folder))
    other.pragma('wal_checkpoint(TRUNCATE)')
    other.close()
    expect(left(folder).hash).toBeUndefined()
    expect(left(folder).state).not.toBe(stateOf(folder))
    expect(await asked(folder)).toBeUndefined()
    expect(left(folder)).toEqual({ state: stateOf(folder), hash: hashOf(folder) })
  })

  test('a hash that another process leaves is taken away by the next write', async () => {
    const folder = await shop()
    writeFileSync(record(folder), JSON.stringify({ state: stateOf(folder) }))
    const store = openStore(folder)
    await store.requireSound()
    // As a process does that was the last to be closed before this one was opened, and hashed until now.
    writeFileSync(record(folder), JSON.stringify({ state: stateOf(folder), hash: hashOf(folder) }))
    store.write({ items: [{ id: 'written' }] })
    expect(left(folder)).toEqual({ state: stateOf(folder) })
  })

  test('of two that open a copy, one writes before the other asks', async () => {
    const folder = temporaryFolder()
    const original = await shop()
    for (const part of [catalog, record]) copyFileSync(part(original), part(folder))
    const [reader, writer] = [openStore(folder), openStore(folder)]
    await writer.requireSound()
    writer.write({ items: [{ id: 'written' }] })
    await reader.requireSound()
    expect(left(folder).hash).toBeUndefined()
  })

  test('one that has opened a copy and not asked yet, while another writes all of it anew', async () => {
    const folder = temporaryFolder()
    const original = await shop()
    for (const part of [catalog, record]) copyFileSync(part(original), part(folder))
    const [reader, writer] = [openStore(folder), openStore(folder)]
    await writer.requireSound()
    for (let i = 0; i < 50; i++)
      writer.write({ items: [{ id: `new ${i}`, description: 'word '.repeat(150_000) }] })
    writer.close()
    await writer.leaveHash()
    expect(await reader.doubt()).toBeUndefined()
    await reader.requireSound()
  })

  test.each(['idle', 'writing'])(
    'what is changed under a process that is %s is not vouched for',
    async (what) => {
      const folder = await shop()
      const store = openStore(folder)
      await store.requireSound()
      const bytes = readFileSync(catalog(folder))
      bytes[bytes.indexOf('Thing 7')] ^= 1
      writeFileSync(catalog(folder), bytes)
      if (what === 'writing') store.write({ items: [{ id: 'written' }] })
      store.close()
      await store.leaveHash()
      const again = Store.open(folder)
      expect(again.isKnownSound).toBe(false)
      again.close()
      // Whoever wrote took the hash away; what is left then is SQLite's own check.
      if (what === 'idle') expect(await asked(folder)).toBe('DATABASE_DAMAGED')
    },
  )

  test('a log that is not its own', async () => {
    const folder = await shop()
    const backup = readFileSync(catalog(folder))
    const hash = readFileSync(record(folder))
    const child = startChild(
      folder,
      `const store = Store.open(folder)
       store.write({ items: [{ id: 'after the backup' }] })
       console.log('written')
       setInterval(() => undefined, 1000)`,
    )
    await vi.waitUntil(() => child.lines.includes('written'), { timeout: 20_000 })
    child.kill()
    await child.ended
    writeFileSync(catalog(folder), backup)
    writeFileSync(record(folder), hash)
    expect(await asked(folder)).toBe('DATABASE_DAMAGED')
  })

  test.runIf(existsSync('/proc/locks'))('looking at the file cancels none of the locks on it', async () => {
    const folder = await shop()
    utimesSync(catalog(folder), 1, 1)
    const store = openStore(folder)
    const { ino } = statSync(catalog(folder))
    const locks = () =>
      readFileSync('/proc/locks', 'utf8')
        .split('\n')
        .filter((line) => line.includes(`:${ino} `)).length
    const before = locks()
    expect(before).toBeGreaterThan(0)
    await store.requireSound()
    expect(locks()).toBe(before)
    const other = openStore(folder)
    other.write({ items: [{ id: 'written' }] })
    other.close()
    await other.leaveHash()
    expect(locks()).toBe(before)
  })

  test.each(['a folder', 'a link', 'something long'])('%s where the record should be', async (what) => {
    const folder = await shop()
    rmSync(record(folder))
    const target = join(folder, 'other')
    writeFileSync(target, 'precious')
    if (what === 'a folder') mkdirSync(record(folder))
    else if (what === 'a link') symlinkSync(target, record(folder))
    else writeFileSync(record(folder), JSON.stringify({ state: 'x'.repeat(10_000), hash: 'y' }))
    expect(await asked(folder)).toBeUndefined()
    const store = openStore(folder)
    store.write({ items: [{ id: 'written' }] })
    store.close()
    store.close()
    await store.leaveHash()
    expect(await asked(folder)).toBeUndefined()
    expect(readFileSync(target, 'utf8')).toBe('precious')
  })

  test('what was put in its place is not vouched for', async () => {
    const folder = await shop()
    const other = await shop()
    damage(other)
    const store = openStore(folder)
    store.write({ items: [{ id: 'one more' }] })
    rmSync(catalog(folder))
    copyFileSync(catalog(other), catalog(folder))
    store.close()
    for (const part of ['-wal', '-shm']) rmSync(catalog(folder) + part, { force: true })
    expect(await asked(folder)).toBe('DATABASE_DAMAGED')
  })

  test('a folder that may only be read gets no record', async () => {
    const folder = await shop()
    rmSync(record(folder))
    const store = Store.open(folder, { readonly: true })
    await store.requireSound()
    store.close()
    expect(existsSync(record(folder))).toBe(false)
  })
})
