import { copyFileSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { random } from '#src/math/random.js'
import { Store } from '#src/store/index.js'
import { requireVersion, translate } from '#src/store/sqlite.js'
import { codeOf, openStore, startChild, temporaryFolder } from './temporary.js'

const Sqlite = createRequire(import.meta.url)('better-sqlite3') as typeof import('better-sqlite3')

/** Batches of one person's 20 interactions, told apart by the person's id; prints each number once it is acknowledged. */
const WRITE_BATCHES = (name: string, batches: number) => `
  const store = Store.open(folder, { create: true })
  for (let batch = 0; batch < ${batches}; batch++) {
    const interactions = Array.from({ length: 20 }, (_, i) => ({ userId: '${name}' + batch, itemId: 'i' + (batch + i) }))
    const reviews = [{ userId: '${name}' + batch, itemId: 'i' + batch, text: 'words of ${name}' + batch }]
    store.write({ interactions, reviews })
    console.log(batch)
  }
  store.close()`

describe('kill', () => {
  test('after SIGKILL at any moment every acknowledged batch is there, and none in part', async () => {
    const source = random(11)
    const outcome = { kills: 0, acknowledged: 0, lost: 0, partial: 0 }
    for (let round = 0; round < 8; round++) {
      const folder = temporaryFolder()
      const child = startChild(folder, WRITE_BATCHES('u', 1_000_000))
      const wanted = 1 + source.integer(60)
      while (child.lines.length < wanted) await new Promise((resolve) => setTimeout(resolve, 1))
      child.kill()
      expect(await child.ended).toBe('SIGKILL')
      outcome.kills++
      const store = openStore(folder, {})
      for (let batch = 0; ; batch++) {
        const user = store.userKey(`u${batch}`)
        const events = user === undefined ? 0 : store.historyOf(user).items.length
        const reviews = user === undefined ? 0 : store.reviewsBy(user).length
        if (batch < child.lines.length) {
          outcome.acknowledged++
          if (events === 0) outcome.lost++
        } else if (events === 0) break
        if (events !== 20 || reviews !== 1) outcome.partial++
      }
      expect(store.check()).toEqual([])
      store.close()
    }
    expect(outcome).toMatchObject({ kills: 8, lost: 0, partial: 0 })
    expect(outcome.acknowledged).toBeGreaterThan(8)
  })
})

describe('together', () => {
  test('two processes write and a third connection reads whole batches only', async () => {
    const folder = temporaryFolder()
    const store = openStore(folder)
    const writers = ['a', 'b'].map((name) => startChild(folder, WRITE_BATCHES(name, 60)))
    let ended = false
    void Promise.all(writers.map((writer) => writer.ended)).then(() => {
      ended = true
    })
    while (!ended) {
      expect(store.interactions().users.length % 20).toBe(0)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    expect(await Promise.all(writers.map((writer) => writer.ended))).toEqual([0, 0])
    expect(store.counts()).toMatchObject({ users: 120, interactions: 2_400, reviews: 120 })
    expect(store.check()).toEqual([])
  })

  test('many processes may create the same project at once', async () => {
    const folder = temporaryFolder()
    const children = Array.from({ length: 4 }, (_, i) => startChild(folder, WRITE_BATCHES(`p${i}-`, 3)))
    expect(await Promise.all(children.map((child) => child.ended))).toEqual([0, 0, 0, 0])
    expect(openStore(folder, {}).counts().users).toBe(12)
  })

  test('a lock held for too long is DATABASE_BUSY, and nothing is stored', () => {
    const folder = temporaryFolder()
    const store = openStore(folder, { create: true, busyTimeout: 50 })
    const other = new Sqlite(join(folder, 'catalog.db'))
    other.exec('BEGIN IMMEDIATE')
    expect(codeOf(() => store.write({ items: [{ id: 'a' }] }))).toBe('DATABASE_BUSY')
    other.exec('COMMIT')
    other.close()
    expect(store.counts().items).toBe(0)
    expect(store.write({ items: [{ id: 'a' }] }).items.added).toBe(1)
  })
})

describe('open', () => {
  test('settings that keep promises: WAL, FULL, foreign keys, secure delete', () => {
    const folder = temporaryFolder()
    openStore(folder)
    const db = new Sqlite(join(folder, 'catalog.db'), { readonly: true })
    expect(db.pragma('journal_mode', { simple: true })).toBe('wal')
    expect(db.pragma('application_id', { simple: true })).toBe(0x74787263)
    db.close()
  })

  test('a missing project, a folder in the way', () => {
    const folder = temporaryFolder()
    expect(codeOf(() => Store.open(join(folder, 'none')))).toBe('PROJECT_MISSING')
    expect(codeOf(() => Store.open(join(folder, 'none'), { readonly: true, create: true }))).toBe(
      'PROJECT_MISSING',
    )
    writeFileSync(join(folder, 'file'), '')
    expect(codeOf(() => Store.open(join(folder, 'file', 'x'), { create: true }))).toBe('FILE_UNREADABLE')
  })

  test('read-only: answers, and refuses to write', () => {
    const folder = temporaryFolder()
    openStore(folder).write({ items: [{ id: 'a' }] })
    const store = openStore(folder, { readonly: true })
    expect(store.counts().items).toBe(1)
    expect(codeOf(() => store.write({ items: [{ id: 'b' }] }))).toBe('PROJECT_READONLY')
  })

  test('a foreign database is refused and left as it was', () => {
    const folder = temporaryFolder()
    const path = join(folder, 'catalog.db')
    const foreign = new Sqlite(path)
    foreign.exec('CREATE TABLE t (x); PRAGMA user_version = 1')
    foreign.close()
    const before = readFileSync(path)
    expect(codeOf(() => Store.open(folder))).toBe('DATABASE_VERSION')
    expect(readFileSync(path).equals(before)).toBe(true)
  })

  test('a newer database is refused', () => {
    const folder = temporaryFolder()
    openStore(folder).close()
    const db = new Sqlite(join(folder, 'catalog.db'))
    db.pragma('user_version = 999')
    db.close()
    expect(codeOf(() => Store.open(folder))).toBe('DATABASE_VERSION')
  })

  test('an old SQLite is refused', () => {
    expect(codeOf(() => requireVersion('3.51.2'))).toBe('DEPENDENCY_MISSING')
    expect(codeOf(() => requireVersion('3.9.9'))).toBe('DEPENDENCY_MISSING')
    for (const version of ['3.51.3', '3.52.0', '4.0.0'])
      expect(codeOf(() => requireVersion(version))).toBeUndefined()
  })

  test('a missing native module is one clear line', async () => {
    const child = startChild(
      temporaryFolder(),
      `const { createRequire, Module } = await import('node:module')
       const load = Module._load
       Module._load = (name, ...rest) => {
         if (name === 'better-sqlite3') throw new Error('Could not locate the bindings file. Tried: ...')
         return load(name, ...rest)
       }
       try { Store.open(folder, { create: true }) } catch (error) { console.log(error.code + '|' + error.message) }`,
    )
    await child.ended
    expect(child.lines).toHaveLength(1)
    expect(child.lines[0]).toMatch(
      /^DEPENDENCY_MISSING\|better-sqlite3 could not be loaded\. Install textrec again/,
    )
  })
})

describe('damage', () => {
  /** A catalogue of a few hundred pages, closed, with its log folded in. */
  function catalogue(): string {
    const folder = temporaryFolder()
    const store = openStore(folder)
    for (let part = 0; part < 4; part++) {
      store.write({
        items: Array.from({ length: 100 }, (_, i) => ({
          id: `i${part}-${i}`,
          title: `Title ${i}`,
          description: `words number ${i} `.repeat(30),
          attributes: { price: i, brand: `b${i % 7}` },
        })),
        reviews: Array.from({ length: 200 }, (_, i) => ({
          userId: `u${i}`,
          itemId: `i${part}-${i % 100}`,
          rating: 4,
          time: 1e12 + i,
          text: `review text ${i} `.repeat(20),
        })),
      })
    }
    store.close()
    // Without free pages: what lies in them is nobody's, so damage there is rightly silent.
    const db = new Sqlite(join(folder, 'catalog.db'))
    db.exec('VACUUM')
    db.close()
    // A killed process leaves no hash of the file, and SQLite's own check has to do.
    rmSync(join(folder, 'catalog.db-checked'))
    return folder
  }

  function readEverything(folder: string): string[] {
    const store = Store.open(folder)
    try {
      for (const item of store.eachItem()) store.reviewsOf(item.key)
      store.interactions()
      store.searchText('words review', 5)
      store.filterItems({ price: { $gt: 3 } })
      return store.check()
    } finally {
      store.close()
    }
  }

  test('overwritten pages: refused or reported, never silence or a dead process', () => {
    const sound = catalogue()
    expect(readEverything(sound)).toEqual([])
    const path = join(sound, 'catalog.db')
    const pages = statSync(path).size / 4096
    const source = random(3)
    const outcome = { damaged: 0, reported: 0, silent: 0 }
    for (let round = 0; round < 60; round++) {
      const folder = temporaryFolder()
      const copy = join(folder, 'catalog.db')
      copyFileSync(path, copy)
      const bytes = readFileSync(copy)
      const start = source.integer(pages) * 4096
      const fill = [0, 0xff, -1][round % 3]
      for (let i = 0; i < 4096; i++) bytes[start + i] = fill === -1 ? source.integer(256) : fill
      writeFileSync(copy, bytes)
      const problems: string[] = []
      const code = codeOf(() => problems.push(...readEverything(folder)))
      if (code !== undefined) {
        expect(['DATABASE_DAMAGED', 'DATABASE_VERSION']).toContain(code)
        outcome.damaged++
      } else if (problems.length > 0) outcome.reported++
      else outcome.silent++
      rmSync(folder, { recursive: true })
    }
    expect(outcome.silent).toBe(0)
    expect(outcome.damaged).toBeGreaterThan(0)
  })

  test('a truncated file and a file of something else', () => {
    const folder = catalogue()
    const path = join(folder, 'catalog.db')
    truncateSync(path, 4096 * 20)
    expect(codeOf(() => readEverything(folder))).toBe('DATABASE_DAMAGED')
    writeFileSync(path, 'this is not a database, it is a letter to a friend'.repeat(100))
    expect(codeOf(() => Store.open(folder))).toBe('DATABASE_DAMAGED')
  })

  test('a stored vector of the wrong length or of NaNs is not answered with', () => {
    const folder = temporaryFolder()
    const store = openStore(folder)
    store.write({ items: [{ id: 'a' }] })
    store.putItemVectors('s', [{ key: store.itemKey('a')!, textVersion: 1, vector: Float32Array.of(1, 0) }])
    const db = new Sqlite(join(folder, 'catalog.db'))
    for (const blob of [Buffer.alloc(7), Buffer.alloc(8, 0xff)]) {
      db.prepare('UPDATE item_vector SET vector = ?').run(blob)
      expect(codeOf(() => store.itemVectors('s'))).toBe('DATABASE_DAMAGED')
      expect(codeOf(() => store.vectorChanges('s', 0))).toBe('DATABASE_DAMAGED')
    }
    db.close()
  })

  test('check finds derived rows that do not agree with their source', () => {
    const folder = catalogue()
    const store = openStore(folder, {})
    const db = new Sqlite(join(folder, 'catalog.db'))
    db.pragma('foreign_keys = OFF')
    db.exec(
      'DELETE FROM event WHERE user = 1; DELETE FROM item_attribute WHERE item = 1; DELETE FROM item WHERE key = 2',
    )
    db.close()
    const problems = store.check().join('\n')
    expect(problems).toMatch(/rated reviews have no event/)
    expect(problems).toMatch(/items lack their attribute rows/)
    expect(problems).toMatch(/events name a missing item or person/)
    expect(problems).toMatch(/of review refers to a missing item/)
  })
})

describe('a full disk', () => {
  test('is DISK_FULL; what was acknowledged is kept and the store goes on when there is room', async () => {
    const folder = temporaryFolder()
    openStore(folder).close()
    // A limit on the size of any file the child writes stands for a full disk.
    const child = startChild(
      folder,
      `const store = Store.open(folder)
       try {
         for (let batch = 0; ; batch++) {
           store.write({ items: Array.from({ length: 50 }, (_, i) => ({ id: batch + '-' + i, description: 'x'.repeat(2000) })) })
           console.log(batch)
         }
       } catch (error) { console.log(error.code) }
       console.log(store.counts().items)`,
      ['bash', '-c', 'trap "" XFSZ; ulimit -f 1500; exec "$0" "$@"'],
    )
    expect(await child.ended).toBe(0)
    const [code, items] = child.lines.slice(-2)
    expect(code).toBe('DISK_FULL')
    expect(Number(items)).toBe(50 * (child.lines.length - 2))
    const store = openStore(folder, {})
    expect(store.counts().items).toBe(Number(items))
    expect(store.check()).toEqual([])
    expect(store.write({ items: [{ id: 'more' }] }).items.added).toBe(1)
  })

  test('SQLite codes become ours', () => {
    const of = (code: string) => {
      const error = Object.assign(new Error('said'), { code })
      error.name = 'SqliteError'
      return (translate(error, 'p') as { code: string }).code
    }
    expect(of('SQLITE_FULL')).toBe('DISK_FULL')
    expect(of('SQLITE_IOERR_FSYNC')).toBe('DISK_FULL')
    expect(of('SQLITE_BUSY_SNAPSHOT')).toBe('DATABASE_BUSY')
    expect(of('SQLITE_CORRUPT_VTAB')).toBe('DATABASE_DAMAGED')
    expect(of('SQLITE_NOTADB')).toBe('DATABASE_DAMAGED')
    expect(of('SQLITE_CANTOPEN')).toBe('FILE_UNREADABLE')
    expect(of('SQLITE_ERROR')).toBe('INTERNAL')
    const other = new Error('x')
    expect(translate(other, 'p')).toBe(other)
  })
})

describe('backup', () => {
  test('every copy made while another process writes opens and answers like the original did', async () => {
    const folder = temporaryFolder()
    const store = openStore(folder)
    const writer = startChild(folder, WRITE_BATCHES('w', 150))
    const copies: string[] = []
    for (let i = 0; i < 5; i++) {
      const copy = temporaryFolder()
      await store.backup(join(copy, 'catalog.db'))
      copies.push(copy)
    }
    expect(await writer.ended).toBe(0)
    let least = 0
    for (const copy of copies) {
      const restored = openStore(copy, {})
      const { users, interactions } = restored.counts()
      expect(interactions).toBe(users * 20)
      expect(users).toBeGreaterThanOrEqual(least)
      least = users
      expect(restored.check()).toEqual([])
    }
  })

  test('does not overwrite, and leaves nothing behind when it fails', async () => {
    const folder = temporaryFolder()
    const store = openStore(folder)
    await expect(store.backup(join(folder, 'catalog.db'))).rejects.toMatchObject({ code: 'OPTION_INVALID' })
    await expect(store.backup(join(folder, 'none', 'x.db'))).rejects.toMatchObject({
      code: 'FILE_UNREADABLE',
    })
  })
})
