import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { Adapter, adapterRanker, trainAdapter } from '#src/adapter/index.js'
import { dot, row } from '#src/math/matrix.js'
import { meanNdcg } from '#src/ranking.js'
import { ITEMS, SMALL, tableOf, toyShop } from '../../dist/scripts/toys/toy-shop.js'

const folder = mkdtempSync(join(tmpdir(), 'textrec-adapter-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const shop = toyShop()

async function trained(options = SMALL, hooks = {}) {
  const result = await trainAdapter(shop, options, hooks)
  await Promise.all([result.adapter.close(), result.judged.close()])
  return result
}

describe('trainAdapter', () => {
  test('learns what the order of events says and text does not', async () => {
    const { judged, report } = await trainAdapter(shop, SMALL)
    expect(report.validation.text).toBeLessThan(0.4)
    expect(report.validation.trained).toBeGreaterThan(0.8)
    expect(report.validation.blended).toBeGreaterThanOrEqual(report.validation.trained - 0.1)
    expect(report.epochs.filter(({ stage }) => stage === 'text')[0].validation).toBeLessThan(
      report.validation.trained,
    )
    // What the report says is what the ranker gives.
    const ranker = await adapterRanker(judged, shop.texts, shop.training.itemIds)
    expect(await meanNdcg(ranker, shop.validation, 10)).toBeCloseTo(report.validation.blended, 6)
    await ranker.close?.()
    await judged.close()
  })

  test('the same seed gives the same adapter, another seed another one', async () => {
    const [a, b] = [await trained({ ...SMALL, epochs: 2 }), await trained({ ...SMALL, epochs: 2 })]
    expect(a.adapter.fingerprint).toBe(b.adapter.fingerprint)
    expect(a.judged.fingerprint).not.toBe(a.adapter.fingerprint)
    const c = await trained({ ...SMALL, epochs: 2, seed: 2, refit: false })
    expect(c.adapter.fingerprint).not.toBe(a.adapter.fingerprint)
  })

  test.each([
    // Each run gets a little further than one epoch.
    ['all', {}, 11],
    ['sampled', { ids: 'on', encoder: 'mean', fullSoftmaxItems: 10 } as const, 5],
  ])(
    'stopped again and again it ends with the adapter of an undisturbed run (%s items as candidates)',
    async (name, more, after) => {
      const options = { ...SMALL, ...more, epochs: 3 }
      const whole = await trained(options)
      const checkpoint = join(folder, `stopped-${name}`)
      let stops = 0
      for (;;) {
        const stopper = new AbortController()
        let calls = 0
        const onProgress = () => {
          if (++calls === after) stopper.abort()
        }
        try {
          const hooks = { signal: stopper.signal, onProgress }
          const result = await trained({ ...options, checkpoint }, hooks)
          expect(result.adapter.fingerprint).toBe(whole.adapter.fingerprint)
          expect(result.judged.fingerprint).toBe(whole.judged.fingerprint)
          break
        } catch (error) {
          expect(error).toMatchObject({ code: 'ABORTED' })
          expect(existsSync(checkpoint)).toBe(true)
          stops++
        }
      }
      expect(stops).toBeGreaterThan(2)
      // What comes after may be cut off as well: asked again, nothing is trained anew.
      const onProgress = () => expect.unreachable('an epoch was trained again')
      const again = await trained({ ...options, checkpoint }, { onProgress })
      expect(again.adapter.fingerprint).toBe(whole.adapter.fingerprint)
    },
    180_000,
  )

  test('the event loop has next to nothing to do meanwhile', async () => {
    const before = performance.eventLoopUtilization()
    let during = before
    const onProgress = () => {
      during = performance.eventLoopUtilization(before)
    }
    await trained({ ...SMALL, epochs: 2, refit: false }, { onProgress })
    expect(during.active).toBeGreaterThan(0)
    expect(during.utilization).toBeLessThan(0.5)
  })

  test('a checkpoint of other data or options is not gone on with', async () => {
    const checkpoint = join(folder, 'other')
    const stopper = new AbortController()
    const onProgress = ({ done }: { done: number }) => done >= 2 && stopper.abort()
    const first = trained({ ...SMALL, seed: 9, checkpoint }, { signal: stopper.signal, onProgress })
    await expect(first).rejects.toMatchObject({ code: 'ABORTED' })
    const options = { ...SMALL, epochs: 2, refit: false }
    const [resumed, fresh] = [await trained({ ...options, checkpoint }), await trained(options)]
    expect(resumed.adapter.fingerprint).toBe(fresh.adapter.fingerprint)
  })

  test('with sampled candidates (large catalogues) it learns too', async () => {
    const { report } = await trained({ ...SMALL, fullSoftmaxItems: 10, refit: false })
    expect(report.validation.trained).toBeGreaterThan(0.6)
  })

  test('the recency mean and IDs train as well', async () => {
    const { report } = await trained({ ...SMALL, encoder: 'mean', ids: 'auto', epochs: 3, refit: false })
    expect(new Set(report.epochs.map(({ stage }) => stage))).toEqual(
      new Set(['text', 'text + ids', 'cold items']),
    )
    expect(report.validation.trained).toBeGreaterThan(report.validation.text)
  })

  test('too little data and options that do not fit are refused', async () => {
    const few = { ...shop, training: tableOf([[1, 2, 3]]), fitting: tableOf([[1, 2]]) }
    await expect(trainAdapter(few, SMALL)).rejects.toMatchObject({ code: 'NOT_ENOUGH_DATA' })
    await expect(trainAdapter({ ...shop, validation: [] })).rejects.toMatchObject({ code: 'NOT_ENOUGH_DATA' })
    await expect(trainAdapter(shop, { dim: 15 })).rejects.toThrow(/multiple of 'heads'/)
    await expect(trainAdapter(shop, { epoch: 3 } as never)).rejects.toThrow(/Did you mean 'epochs'/)
    const short = { ...shop, texts: { data: new Float32Array(32), rows: 1, dim: 32 } }
    await expect(trainAdapter(short, SMALL)).rejects.toMatchObject({ code: 'DIMENSION_MISMATCH' })
  })
})

describe('Adapter', () => {
  test('item and person vectors have unit length, cold items and strangers included', async () => {
    const { adapter } = await trainAdapter(shop, { ...SMALL, ids: 'on', epochs: 2 })
    const ids = [...shop.training.itemIds]
    ids[5] = 'never seen'
    const index = adapter.idIndex(ids)
    expect(index[5]).toBe(-1)
    const items = await adapter.itemVectors(shop.texts, index)
    expect([items.rows, items.dim]).toEqual([ITEMS, adapter.dim])
    for (let i = 0; i < ITEMS; i++) expect(dot(row(items, i), row(items, i))).toBeCloseTo(1, 5)
    const histories = [[5, 3, 5], [], Array.from({ length: 40 }, (_, i) => i)]
    const people = await adapter.personVectors(
      items,
      histories.map((history) => Int32Array.from(history)),
    )
    const lengths = [0, 1, 2].map((i) => dot(row(people, i), row(people, i)))
    expect(lengths[0]).toBeCloseTo(1, 5)
    expect(lengths[1]).toBe(0)
    expect(lengths[2]).toBeCloseTo(1, 5)
    const mean = adapter.meanVector(items, [1, ...new Array(ITEMS - 1).fill(0)])
    expect(dot(mean, row(items, 0))).toBeGreaterThan(0.7)
    await adapter.close()
    await adapter.close()
  })

  test('a vector depends on its own history alone, whatever company it is computed in', async () => {
    const { adapter } = await trainAdapter(shop, { ...SMALL, epochs: 1, refit: false })
    const items = await adapter.itemVectors(shop.texts, adapter.idIndex(shop.training.itemIds))
    const histories = shop.validation.map(({ person }) => person.items)
    const together = await adapter.personVectors(items, histories)
    for (const i of [0, 17, 119]) {
      const alone = await adapter.personVectors(items, [histories[i]])
      for (const [d, value] of row(alone, 0).entries()) expect(row(together, i)[d]).toBeCloseTo(value, 5)
    }
    await adapter.close()
  })

  test('saved and loaded it gives the same vectors; a damaged folder is refused', async () => {
    const { adapter } = await trainAdapter(shop, { ...SMALL, ids: 'on', epochs: 1 })
    const target = join(folder, 'saved')
    await adapter.save(target)
    const loaded = await Adapter.load(target, { threads: 1 })
    expect(loaded.fingerprint).toBe(adapter.fingerprint)
    expect(loaded.parts.textSpace).toBe('toy')
    const index = loaded.idIndex(shop.training.itemIds)
    expect(index).toEqual(adapter.idIndex(shop.training.itemIds))
    const [before, after] = [
      await adapter.itemVectors(shop.texts, index),
      await loaded.itemVectors(shop.texts, index),
    ]
    expect(after.data).toEqual(before.data)
    await expect(loaded.itemVectors({ data: new Float32Array(3), rows: 1, dim: 3 })).rejects.toMatchObject({
      code: 'DIMENSION_MISMATCH',
    })
    rmSync(join(target, 'tensors.f32'))
    await expect(Adapter.load(target)).rejects.toMatchObject({ code: 'MODEL_INVALID' })
    await Promise.all([adapter.close(), loaded.close()])
  })
})
