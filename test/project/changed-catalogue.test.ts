import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Recommender } from 'textrec'
import { expect, test } from 'vitest'
import { ITEMS, temporaryFolder } from './shelf.js'

test('a catalogue that something else has changed is refused, named by doctor, and believed again on request', async () => {
  const folder = temporaryFolder()
  const shop = await Recommender.open(folder)
  await shop.upsert({ items: [...ITEMS, { id: 'z', title: 'Zither with a crack' }] })
  await shop.close()
  const catalog = join(folder, 'catalog.db')
  const bytes = readFileSync(catalog)
  for (let at = bytes.indexOf('Zither'); at >= 0; at = bytes.indexOf('Zither', at + 1)) bytes[at] ^= 2
  writeFileSync(catalog, bytes)

  const changed = await Recommender.open(folder)
  const refused = expect.objectContaining({ name: 'TextrecError', code: 'DATABASE_DAMAGED' })
  await expect(changed.search('zither')).rejects.toThrow(refused)
  await expect(changed.stats()).rejects.toThrow(refused)
  await expect(changed.upsert({ items: [{ id: 'y', title: 'New' }] })).rejects.toThrow(refused)
  await expect(changed.export({ out: `${folder}-copy` })).rejects.toThrow(refused)
  await changed.export({ out: `${folder}-as-it-is`, check: false })
  const { checks, healthy } = await changed.doctor()
  expect(healthy).toBe(false)
  expect(checks[0]).toMatchObject({ name: 'database', ok: false })
  const mended = await changed.doctor({ repair: true })
  expect(mended.checks[0]).toMatchObject({ name: 'database', ok: true, repaired: true })
  expect(await changed.stats()).toMatchObject({ items: ITEMS.length + 1 })
  await changed.close()

  const again = await Recommender.open(folder)
  expect(await again.stats()).toMatchObject({ items: ITEMS.length + 1 })
  await again.close()
})
