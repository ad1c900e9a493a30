import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { HeldInteractions } from '#src/ingest/held.js'
import { importFiles } from '#src/ingest/import.js'
import { PackedInteractions } from '#src/ingest/packed.js'
import { random } from '#src/math/random.js'
import { Store } from '#src/store/index.js'
import { Connection } from '#src/store/sqlite.js'
import type { Interaction } from '#src/types.js'
import { inFolder, MemorySink } from './memory-sink.js'

const interaction: fc.Arbitrary<Interaction> = fc.record(
  {
    userId: fc.constantFrom('a', 'ab', 'b', 'c', 'naïve', '𝄞', 'a longer name than others'),
    itemId: fc.string({ minLength: 1, unit: 'grapheme' }),
    time: fc.double({ noNaN: true, noDefaultInfinity: true }),
    value: fc.integer(),
    attributes: fc.dictionary(fc.string(), fc.integer()),
  },
  { requiredKeys: ['userId', 'itemId'] },
)

const PEOPLE = 4000
const ROWS = 45_000

/** A log: by time, everybody at any moment, some rows twice. No item is declared. */
function log(): string {
  const draw = random(5)
  const rows = Array.from({ length: ROWS }, () => [draw.integer(PEOPLE), draw.integer(300), draw.integer(40)])
  return `user,item,time\n${rows.map(([user, item, time]) => `u${user},p${item},${1e9 + time}\n`).join('')}`
}

test('packed rows are what they were, absent fields included', () => {
  fc.assert(
    fc.property(fc.array(interaction), (rows) => {
      const packed = new PackedInteractions(rows)
      expect(rows.map((_, i) => packed.row(i))).toEqual(rows)
      expect(rows.map((_, i) => Object.keys(packed.row(i)).sort())).toEqual(
        rows.map((row) => Object.keys(row).sort()),
      )
    }),
  )
})

test('the order is that of a stable sort by key, newcomers last as they came', () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(interaction, { minLength: 1 }), { minLength: 1 }),
      fc.uniqueArray(fc.constantFrom<string>('a', 'ab', 'b', 'c', '𝄞')),
      fc.integer({ min: 1, max: 9 }),
      (batches, known, size) => {
        const key = (id: string) => (known.includes(id) ? known.indexOf(id) : undefined)
        const held = new HeldInteractions((ids) => ids.map(key))
        const rows = batches.filter((batch) => held.hold(batch, 1)).flat()
        const people = [
          ...known,
          ...new Set(rows.map(({ userId }) => userId).filter((id) => key(id) === undefined)),
        ]
        const wanted = rows.toSorted((a, b) => people.indexOf(a.userId) - people.indexOf(b.userId))
        const taken = [...held.taken(size)]
        expect(taken.flat()).toEqual(wanted)
        expect(taken.slice(0, -1).every(({ length }) => length === size)).toBe(true)
        expect(held.isEmpty).toBe(true)
      },
    ),
  )
})

describe('a file that goes by time', () => {
  test('is written person by person: nobody is in many transactions', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'log.csv')
      writeFileSync(path, log())
      const sink = new MemorySink(folder)
      const { accepted } = await importFiles(sink, { interactions: path })
      expect([accepted, sink.interactions.length]).toEqual([ROWS, ROWS])
      let start = 0
      const visits = sink.writes.map((length) => {
        const rows = sink.interactions.slice(start, start + length)
        start += length
        return new Set(rows.map(({ userId }) => userId)).size
      })
      expect(visits.length).toBeGreaterThan(3)
      // In the order of the file they are more than twice as many.
      expect(visits.reduce((sum, people) => sum + people)).toBeLessThan(PEOPLE + visits.length)
    }))

  test('that was broken off anywhere ends, when it is run again, as one that was not', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'log.csv')
      writeFileSync(path, log())
      const finished = async (name: string, failures: readonly number[]) => {
        const store = Store.open(join(folder, name), { create: true })
        try {
          for (const at of failures) {
            let writes = 0
            const failing = {
              directory: store.directory,
              timeKind: () => store.timeKind(),
              userKeys: (ids: readonly string[]) => store.userKeys(ids),
              write: (records: Parameters<Store['write']>[0]) => {
                if (++writes === at) throw new Error('broken off')
                return store.write(records)
              },
            }
            await expect(importFiles(failing, { interactions: path })).rejects.toThrow('broken off')
          }
          await importFiles(store, { interactions: path })
          const [again] = (await importFiles(store, { interactions: path })).files
          expect([again.added, again.replaced, again.unchanged]).toEqual([0, 0, ROWS])
        } finally {
          store.close()
        }
        const db = Connection.open(join(folder, name, 'catalog.db'), { readonly: true, busyTimeout: 1000 })
        const tables = ['event', 'item', 'user', 'counter'].map((table) =>
          db.prepareRaw(`SELECT * FROM ${table}`).all(),
        )
        db.close()
        return tables
      }
      expect(await finished('twice', [3, 4])).toEqual(await finished('undisturbed', []))
    }))

  test('and ends too early is imported up to there', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'log.csv.gz')
      const whole = gzipSync(log())
      writeFileSync(path, whole.subarray(0, whole.length - 100))
      const sink = new MemorySink(folder)
      await expect(importFiles(sink, { interactions: path })).rejects.toMatchObject({
        code: 'FILE_UNREADABLE',
      })
      expect(sink.interactions.length).toBeGreaterThan(ROWS / 2)
    }))
})
