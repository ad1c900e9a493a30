import { copyFileSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { Store } from '#src/store/index.js'
import { codeOf, openStore, temporaryFolder } from './temporary.js'

const DAY = 86_400

function shop(): string {
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
  return folder
}

const catalog = (folder: string) => join(folder, 'catalog.db')
const record = (folder: string) => `${catalog(folder)}-checked`

/** What asking says of the project as it is opened now, where it refuses. */
function asked(folder: string): string | undefined {
  return codeOf(() => {
    const store = Store.open(folder)
    try {
      store.requireSound()
    } finally {
      store.close()
    }
  })
}

/** Damage that answers would not show: a statement of another program, that no longer agrees with what is derived. */
function damage(folder: string): void {
  const db = new Sqlite(catalog(folder))
  db.exec('DELETE FROM item_attribute WHERE item = 1')
  db.close()
}

/** As if textrec had left the file as it is now. */
function vouchFor(folder: string): void {
  const { dev, ino, size, mtimeNs, ctimeNs } = statSync(catalog(folder), { bigint: true })
  writeFileSync(record(folder), `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}\n`)
}

describe('a catalogue is checked before it is believed', () => {
  test('where something else has written it, and again until it is mended', () => {
    const folder = shop()
    const kept = `${catalog(folder)}.backup`
    copyFileSync(catalog(folder), kept)
    damage(folder)
    const store = Store.open(folder)
    for (let i = 0; i < 2; i++) expect(codeOf(() => store.requireSound())).toBe('DATABASE_DAMAGED')
    store.close()
    expect(asked(folder)).toBe('DATABASE_DAMAGED')
    copyFileSync(kept, catalog(folder))
    expect(asked(folder)).toBeUndefined()
  })

  test('whatever byte of whichever page was turned, what is found is refused at every opening', () => {
    const folder = shop()
    const sound = readFileSync(catalog(folder))
    let refused = 0
    for (let page = 1; page < sound.length / 4096; page += 3) {
      const bytes = Buffer.from(sound)
      bytes.fill(0, page * 4096, (page + 1) * 4096)
      writeFileSync(catalog(folder), bytes)
      const [first, second] = [asked(folder), asked(folder)]
      expect(second).toBe(first)
      if (first !== undefined) refused++
    }
    expect(refused).toBeGreaterThan(5)
  })

  test('not where textrec left it so', () => {
    const folder = shop()
    damage(folder)
    vouchFor(folder)
    expect(asked(folder)).toBeUndefined()
    // The same state without the record.
    rmSync(record(folder))
    expect(asked(folder)).toBe('DATABASE_DAMAGED')
    writeFileSync(record(folder), 'nonsense')
    expect(asked(folder)).toBe('DATABASE_DAMAGED')
  })

  test('a sound copy is checked once, and its state kept', () => {
    const folder = shop()
    const copy = temporaryFolder()
    copyFileSync(catalog(folder), catalog(copy))
    copyFileSync(record(folder), record(copy))
    expect(asked(copy)).toBeUndefined()
    expect(readFileSync(record(copy), 'utf8')).not.toBe(readFileSync(record(folder), 'utf8'))
  })

  test('writes of several processes leave a record of the last state', () => {
    const folder = shop()
    const [first, second] = [openStore(folder), openStore(folder)]
    for (let i = 0; i < 30; i++) {
      for (const store of [first, second])
        store.write({ items: [{ id: `new ${i}`, description: 'word '.repeat(40_000) }] })
    }
    // SQLite carries its log into the file on the way, not only at the end.
    const before = readFileSync(record(folder), 'utf8')
    first.close()
    second.close()
    const after = readFileSync(record(folder), 'utf8')
    vouchFor(folder)
    expect(after).toBe(readFileSync(record(folder), 'utf8'))
    expect(after).not.toBe(before)
  })

  test('what was put in its place is not vouched for', () => {
    const folder = shop()
    const other = shop()
    damage(other)
    const store = openStore(folder)
    store.write({ items: [{ id: 'one more' }] })
    rmSync(catalog(folder))
    copyFileSync(catalog(other), catalog(folder))
    store.close()
    for (const part of ['-wal', '-shm']) rmSync(catalog(folder) + part, { force: true })
    expect(asked(folder)).toBe('DATABASE_DAMAGED')
  })

  test('a folder that may only be read gets no record', () => {
    const folder = shop()
    rmSync(record(folder))
    const store = Store.open(folder, { readonly: true })
    store.requireSound()
    store.close()
    expect(existsSync(record(folder))).toBe(false)
  })
})
