import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { row } from '#src/math/matrix.js'
import { buildIndex, openIndex, publishIndex } from '#src/vector-index/index.js'
import { quantizeRows } from '#src/vector-index/quantize.js'
import { writeQuantized } from '#src/vector-index/quantized-files.js'
import { clustered, countingKeys, rowOf, Twin } from './twin.js'

const ROWS = 1500
const parent = mkdtempSync(join(tmpdir(), 'textrec-quantized-'))
afterAll(() => rmSync(parent, { recursive: true, force: true }))

const keys = countingKeys(ROWS)
const vectors = clustered(ROWS, 16, 1)
const origin = { fingerprint: 'encoder x', sequence: 1 }

async function expectLikeTwin(folder: string): Promise<void> {
  const twin = new Twin(keys, vectors)
  const { index } = await openIndex(folder, {})
  for (const i of [0, 700, ROWS - 1]) {
    expect(await index.search(rowOf(vectors, i), 20)).toEqual(twin.search(rowOf(vectors, i), 20))
  }
  // Changes go on top of what was read.
  index.upsert(3, rowOf(vectors, 900))
  twin.upsert(3, rowOf(vectors, 900))
  index.remove(901)
  twin.remove(901)
  expect(await index.search(rowOf(vectors, 900), 20)).toEqual(twin.search(rowOf(vectors, 900), 20))
  await index.close()
}

test('an index opened from its stored int8 form answers like a plain loop, and so does one without it', async () => {
  const folder = join(parent, 'with')
  await publishIndex(folder, await buildIndex({ keys, vectors, kind: 'exact' }), origin)
  expect(readdirSync(folder)).toContain('levels.i8')
  await expectLikeTwin(folder)

  const without = join(parent, 'without')
  const built = await buildIndex({ keys, vectors, kind: 'exact' })
  await publishIndex(
    without,
    {
      ...built,
      save: async (temporary) => {
        await built.save(temporary)
        for (const name of ['levels.i8', 'scales.f32', 'errors.f64']) rmSync(join(temporary, name))
      },
    },
    origin,
  )
  await expectLikeTwin(without)
})

test('an int8 form of other rows is refused, not believed', async () => {
  const folder = join(parent, 'short')
  const built = await buildIndex({ keys, vectors, kind: 'exact' })
  const save = async (temporary: string) => {
    await built.save(temporary)
    for (const name of ['levels.i8', 'scales.f32', 'errors.f64']) rmSync(join(temporary, name))
    await writeQuantized(
      temporary,
      quantizeRows(64, 16, (one) => row(vectors, one)),
    )
  }
  await expect(publishIndex(folder, { ...built, save }, origin)).rejects.toMatchObject({
    code: 'INDEX_DAMAGED',
  })
})
