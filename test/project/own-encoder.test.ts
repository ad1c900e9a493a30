import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Recommender } from 'textrec'
import { expect, test } from 'vitest'
import { publishFolder, readManifest } from '#src/artifact/index.js'
import { openEncoder } from '#src/encode/index.js'
import { resolveModel } from '#src/encode/resolve-model.js'
import { safetensorsBytes } from '../../dist/scripts/toys/safetensors.js'
import { tinyModel } from '../../dist/scripts/toys/tiny-bert.js'
import { ITEMS, temporaryFolder } from './shelf.js'

const library = new URL('../../dist/src/index.js', import.meta.url).href

/** A folder with a BERT of 16 hidden units: a different one for each activation, of the same size. */
async function writeModel(folder: string, activation: string): Promise<void> {
  const { tokenizer } = await resolveModel('all-MiniLM-L6-v2', { hubDirectory: undefined })
  const tiny = tinyModel('bert', '', activation)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'model.safetensors'), safetensorsBytes(tiny.tensors))
  writeFileSync(join(folder, 'config.json'), JSON.stringify(tiny.config))
  copyFileSync(tokenizer, join(folder, 'tokenizer.json'))
}

/** The only graph in a cache. */
function graphIn(cacheDirectory: string): string {
  const graphs = join(cacheDirectory, 'graphs')
  const [name, ...others] = readdirSync(graphs)
  expect(others).toEqual([])
  return join(graphs, name)
}

test('a graph that came out otherwise under an unchanged version makes other vectors, and is noticed', async () => {
  const folder = temporaryFolder()
  const cacheDirectory = temporaryFolder()
  const encoder = join(folder, 'model')
  const options = { encoder, device: 'cpu', dtype: 'fp32', threads: 1, cacheDirectory } as const
  await writeModel(encoder, 'gelu')
  const shop = await Recommender.open(join(folder, 'shop'), options)
  await shop.upsert({ items: ITEMS })
  expect((await shop.index()).vectors.encoded).toBe(ITEMS.length)
  await shop.close()

  // What a faulty build, or another machine, might have left in the cache: sound, under the right name, different.
  const other = join(folder, 'other')
  await writeModel(other, 'relu')
  const otherCache = temporaryFolder()
  await (
    await openEncoder(other, { device: 'cpu', dtype: 'fp32', threads: 1, cacheDirectory: otherCache })
  ).close()
  const entry = graphIn(cacheDirectory)
  const { fields } = await readManifest(entry, 'encoder-graph', 'MODEL_INVALID')
  const bytes = readFileSync(join(graphIn(otherCache), 'model.onnx'))
  await publishFolder(entry, 'encoder-graph', async (target) => {
    writeFileSync(join(target, 'model.onnx'), bytes)
    return fields
  })

  const again = await Recommender.open(join(folder, 'shop'), options)
  await expect(again.similarToItem({ title: 'Guitar' })).rejects.toMatchObject({
    code: 'FINGERPRINT_MISMATCH',
  })
  await expect(again.search('guitar', { mode: 'vector' })).rejects.toMatchObject({
    code: 'FINGERPRINT_MISMATCH',
  })
  const report = await again.index()
  expect(report.vectors.encoded).toBe(ITEMS.length)
  expect(report.index.built).toBe(true)
  expect((await again.similarToItem({ title: 'Guitar' })).items).toHaveLength(10)
  await again.close()
})

const SCRIPT = `
  const { Recommender } = await import(${JSON.stringify(library)})
  const [step, directory, cacheDirectory] = process.argv.slice(1)
  const options = { dtype: 'fp32', device: 'cpu', threads: 1, cacheDirectory }
  if (step === 'index') {
    const shop = await Recommender.open(directory, { ...options, encoder: './model' })
    await shop.upsert({ items: [{ id: 'a', title: 'A lamp' }] })
    await shop.index()
    await shop.close()
  } else {
    const shop = await Recommender.open(directory, { ...options, create: false })
    await shop.upsert({ items: [{ id: 'b', title: 'A lantern' }] })
    console.log(JSON.stringify((await shop.search('light', { mode: 'vector' })).items.map(({ itemId }) => itemId).sort()))
    await shop.close()
  }
`

test('a model folder that was named by a relative path is found from another working directory', async () => {
  const folder = temporaryFolder()
  const cacheDirectory = temporaryFolder()
  await writeModel(join(folder, 'model'), 'gelu')
  mkdirSync(join(folder, 'elsewhere'))
  const run = (step: string, cwd: string, directory: string) =>
    spawnSync(process.execPath, ['--input-type=module', '-e', SCRIPT, step, directory, cacheDirectory], {
      cwd,
      encoding: 'utf8',
    })
  expect(run('index', folder, 'shop')).toMatchObject({ status: 0, stderr: '' })
  const asked = run('ask', join(folder, 'elsewhere'), join('..', 'shop'))
  expect(asked).toMatchObject({ status: 0, stderr: '' })
  expect(JSON.parse(asked.stdout)).toEqual(['a', 'b'])
})

test('a project whose model folder was moved goes on with it when indexed from its new place', async () => {
  const folder = temporaryFolder()
  const [before, after] = [join(folder, 'before'), join(folder, 'after')]
  const options = { device: 'cpu', dtype: 'fp32', threads: 1, cacheDirectory: temporaryFolder() } as const
  await writeModel(before, 'gelu')
  const directory = join(folder, 'shop')
  const open = (encoder?: string) => Recommender.open(directory, { ...options, encoder })
  const first = await open(before)
  await first.upsert({ items: ITEMS })
  await first.index()
  const answer = await first.search('guitar', { mode: 'vector' })
  await first.close()

  renameSync(before, after)
  const lost = await open()
  await expect(lost.search('guitar', { mode: 'vector' })).rejects.toMatchObject({
    code: 'MODEL_INVALID',
    remedy: expect.stringContaining('moved'),
  })
  const moved = await open(after)
  expect((await moved.index()).vectors.encoded).toBe(0)
  expect(await moved.search('guitar', { mode: 'vector' })).toEqual(answer)
  await moved.close()
  // Open since before the move, and told no name: it follows the project.
  expect(await lost.search('guitar', { mode: 'vector' })).toEqual(answer)
  await lost.close()
})
