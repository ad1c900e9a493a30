import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type OpenOptions, Store } from '#src/store/index.js'
import { openStore, temporaryFolder } from './temporary.js'

test('an empty folder name is refused, whatever lies in the current folder', () => {
  for (const options of [{}, { create: true }]) {
    expect(() => Store.open('', options)).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }))
  }
})

test.each<OpenOptions>([{}, { create: false }, { readonly: true }, { readonly: true, create: true }])(
  'an empty catalog.db is DATABASE_DAMAGED for %o, and stays empty',
  (options) => {
    const folder = temporaryFolder()
    writeFileSync(join(folder, 'catalog.db'), '')
    expect(() => Store.open(folder, options)).toThrow(expect.objectContaining({ code: 'DATABASE_DAMAGED' }))
    expect(statSync(join(folder, 'catalog.db')).size).toBe(0)
  },
)

test('an empty catalog.db becomes a catalogue with create, unless what was made from one lies beside it', () => {
  const folder = temporaryFolder()
  writeFileSync(join(folder, 'catalog.db'), '')
  mkdirSync(join(folder, 'locks'))
  openStore(folder).close()
  openStore(folder, {}).close()
  const lost = temporaryFolder()
  writeFileSync(join(lost, 'catalog.db'), '')
  mkdirSync(join(lost, 'indexes'))
  expect(() => Store.open(lost, { create: true })).toThrow(/empty, and indexes beside it/)
  expect(statSync(join(lost, 'catalog.db')).size).toBe(0)
})
