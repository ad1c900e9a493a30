import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { importFiles } from '#src/ingest/import.js'
import { Store } from '#src/store/index.js'
import { inFolder, jsonLines } from './memory-sink.js'

const outcome = ({
  added,
  replaced,
  unchanged,
  rejected,
}: {
  added: number
  replaced: number
  unchanged: number
  rejected: number
}) => [added, replaced, unchanged, rejected]

test('into the real store: a rerun changes nothing, a corrected record replaces the old one', () =>
  inFolder(async (folder) => {
    const items = join(folder, 'items.jsonl')
    const reviews = join(folder, 'reviews.csv')
    const review = (rating: number) =>
      `user,item,text,rating,date\nu,p1,fine,${rating},2020-01-02\nv,p1,,4,2020-01-03\nw,p2,,NaN,2020-01-03\n`
    writeFileSync(items, jsonLines({ id: 'p1', title: 'Warm &amp; soft', price: '$9.99' }, { id: 'p2' }))
    writeFileSync(reviews, review(5))
    const store = Store.open(folder, { create: true })
    try {
      const run = async () => (await importFiles(store, { items, reviews })).files.map(outcome)
      expect(await run()).toEqual([
        [2, 0, 0, 0],
        [2, 0, 0, 1],
      ])
      expect(await run()).toEqual([
        [0, 0, 2, 0],
        [0, 0, 2, 1],
      ])
      writeFileSync(reviews, review(3))
      expect(await run()).toEqual([
        [0, 0, 2, 0],
        [0, 1, 1, 1],
      ])
      expect(store.counts()).toMatchObject({ items: 2, users: 2, reviews: 2 })
      const key = store.itemKey('p1')
      expect(key === undefined ? undefined : store.items([key])[0]).toMatchObject({
        title: 'Warm & soft',
        attributes: { price: 9.99 },
      })
      expect(store.timeKind()).toBe('date')
    } finally {
      store.close()
    }
  }))

test('positions are refused record by record in a project that holds dates', () =>
  inFolder(async (folder) => {
    const events = join(folder, 'events.csv')
    const store = Store.open(folder, { create: true })
    try {
      writeFileSync(events, 'user,item,time\nu,p,2020-01-01\n')
      await importFiles(store, { interactions: events })
      writeFileSync(events, 'user,item,time\nu,p,1\nu,p,2021-01-01\n')
      const report = await importFiles(store, { interactions: events })
      expect([report.accepted, report.rejected]).toEqual([1, 1])
    } finally {
      store.close()
    }
  }))
