import { existsSync, mkdirSync, readdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Recommender } from 'textrec'
import { describe, expect, test } from 'vitest'
import { Store } from '#src/store/index.js'
import { ITEMS, REVIEWS, temporaryFolder } from './shelf.js'

async function shelf(indexed = true): Promise<{ shop: Recommender; folder: string }> {
  const folder = temporaryFolder()
  const shop = await Recommender.open(join(folder, 'shop'), { device: 'cpu' })
  await shop.upsert({ items: ITEMS, reviews: REVIEWS })
  if (indexed) await shop.index()
  return { shop, folder }
}

async function answers(shop: Recommender): Promise<unknown> {
  return [
    await shop.similarItems('guitar-1', { k: 5 }),
    await shop.recommend({ user: 'ann', k: 5 }),
    await shop.search('watering flowers', { k: 5 }),
  ]
}

describe('export', () => {
  test('the copy is a project: it opens elsewhere, is sound, and answers like the original', async () => {
    const { shop, folder } = await shelf()
    const expected = await answers(shop)
    const seen: string[] = []
    const report = await shop.export({
      out: join(folder, 'new', 'copy'),
      onProgress: ({ stage, done, total }) => seen.push(`${stage} ${done <= (total ?? 0)}`),
    })
    const { items, reviews } = await shop.stats()
    expect(report).toMatchObject({ out: join(folder, 'new', 'copy'), items, reviews })
    expect(readdirSync(report.out).sort()).toEqual(['catalog.db', 'catalog.db-checked', 'crowd', 'indexes'])
    expect(readdirSync(join(folder, 'new'))).toEqual(['copy'])
    expect(new Set(seen)).toEqual(
      new Set(['copying the catalogue true', 'copying the index true', 'checking the copy true']),
    )
    // What the original does from now on is nothing to the copy.
    await shop.remove({ items: ['guitar-2'] })
    await shop.close()
    renameSync(report.out, join(folder, 'moved'))
    const copy = await Recommender.open(join(folder, 'moved'), { create: false, device: 'cpu' })
    expect(await answers(copy)).toEqual(expected)
    expect((await copy.doctor()).healthy).toBe(true)
    await copy.upsert({ items: [{ id: 'guitar-5', title: 'Ukulele with four strings' }] })
    expect((await copy.similarItems('guitar-5', { k: 1 })).items).toHaveLength(1)
    await copy.close()
  })

  test('an index that is replaced while it is copied makes the export start again', async () => {
    const { shop, folder } = await shelf()
    const other = await Recommender.open(shop.directory, { device: 'cpu' })
    let rebuilding: Promise<unknown> | undefined
    const report = await shop.export({
      out: join(folder, 'copy'),
      onProgress: ({ stage }) => {
        if (stage === 'copying the index') rebuilding ??= other.index({ rebuild: true })
      },
    })
    await rebuilding
    await other.close()
    const copy = await Recommender.open(report.out, { create: false, device: 'cpu' })
    expect((await copy.doctor()).checks.filter(({ ok }) => !ok)).toEqual([])
    expect(await answers(copy)).toEqual(await answers(shop))
    await Promise.all([copy.close(), shop.close()])
  })

  test('a project without an index, and the names of reject files outside that mean nothing elsewhere', async () => {
    const { shop, folder } = await shelf(false)
    const bad = join(folder, 'bad.jsonl')
    writeFileSync(bad, '{"title":"no id"}\n')
    await shop.import({ items: [bad], rejects: join(folder, 'refused.jsonl') })
    const report = await shop.export({ out: join(folder, 'copy') })
    expect(report).not.toHaveProperty('indexId')
    await shop.close()
    const store = Store.open(report.out)
    expect(store.meta('rejectFiles')).toBeUndefined()
    store.close()
    const copy = await Recommender.open(report.out, { create: false, device: 'cpu' })
    expect((await copy.index()).index.size).toBe(13)
    await copy.close()
  })

  test('what a killed export left is removed by the next one of that name', async () => {
    const { shop, folder } = await shelf(false)
    const left = (name: string) => `.${name}.new-999999999.1-0123456789ab`
    mkdirSync(join(folder, left('copy')))
    mkdirSync(join(folder, left('other')))
    await shop.export({ out: join(folder, 'copy') })
    expect(readdirSync(folder).sort()).toEqual([left('other'), 'copy', 'shop'])
    await shop.close()
  })

  test('what is refused leaves nothing behind', async () => {
    const { shop, folder } = await shelf()
    const refusal = (out: string) => shop.export({ out }).catch((error) => error.code as string)
    mkdirSync(join(folder, 'empty'))
    symlinkSync(join(folder, 'nowhere'), join(folder, 'link'))
    symlinkSync(shop.directory, join(folder, 'inside'))
    expect(await refusal('')).toBe('OPTION_INVALID')
    expect(await refusal(join(folder, 'empty'))).toBe('OPTION_INVALID')
    expect(await refusal(join(folder, 'link'))).toBe('OPTION_INVALID')
    expect(await refusal(shop.directory)).toBe('OPTION_INVALID')
    expect(await refusal(join(shop.directory, 'a', 'b'))).toBe('OPTION_INVALID')
    expect(await refusal(join(folder, 'inside', 'a'))).toBe('OPTION_INVALID')
    expect(await refusal(join(folder, 'x'.repeat(250)))).toBe('OPTION_INVALID')
    expect(await refusal(`${folder}/a\0b`)).toBe('OPTION_INVALID')
    const out = join(folder, 'copy')
    await expect(shop.export({ out, signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' })
    await expect(shop.export({ out, colour: 1 } as never)).rejects.toMatchObject({ code: 'OPTION_UNKNOWN' })
    const [index] = readdirSync(join(shop.directory, 'indexes')).filter((name) => !name.startsWith('.'))
    writeFileSync(join(shop.directory, 'indexes', index, 'vectors.f32'), 'damage')
    await expect(shop.export({ out })).rejects.toMatchObject({ code: 'INDEX_DAMAGED' })
    // A damaged crowd is no loss: the copy makes its own.
    const crowd = join(shop.directory, 'crowd', 'current', 'manifest.json')
    await shop.index({ rebuild: true })
    writeFileSync(crowd, 'damage')
    await shop.export({ out })
    expect(existsSync(join(out, 'crowd'))).toBe(false)
    await shop.close()
    await expect(shop.export({ out: `${out}2` })).rejects.toMatchObject({ code: 'PROJECT_CLOSED' })
    expect(readdirSync(folder).sort()).toEqual(['copy', 'empty', 'inside', 'link', 'shop'])
  })
})
