import { renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Store } from '#src/store/index.js'
import { temporaryFolder } from './temporary.js'

/** What somebody does to a project that a running process has open. */
const DEEDS: { readonly [what: string]: (folder: string) => void } = {
  removed: (folder) => rmSync(folder, { recursive: true }),
  moved: (folder) => renameSync(folder, `${folder}-moved`),
  'restored from a copy': (folder) => {
    const copy = Store.open(`${folder}-copy`, { create: true })
    copy.write({ items: [{ id: 'other' }] })
    copy.close()
    renameSync(join(`${folder}-copy`, 'catalog.db'), join(folder, 'catalog.db'))
  },
}

test.each(Object.keys(DEEDS))('nothing is acknowledged that goes into a catalogue that was %s', (what) => {
  const folder = join(temporaryFolder(), 'project')
  const store = Store.open(folder, { create: true })
  store.write({ items: [{ id: 'first' }] })
  expect(store.check()).toEqual([])
  DEEDS[what](folder)
  const lost = expect.objectContaining({
    code: 'PROJECT_MISSING',
    fact: expect.stringContaining('after it was opened'),
  })
  expect(() => store.write({ items: [{ id: 'second' }] })).toThrow(lost)
  expect(() => store.removeItems(['first'])).toThrow(lost)
  expect(() => store.setMeta('name', 1)).toThrow(lost)
  expect(store.check()).toEqual([expect.stringContaining('removed, moved or replaced')])
  // What was there is still read.
  expect(store.counts().items).toBe(1)
  store.close()
})
