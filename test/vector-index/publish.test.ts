import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { publishFolder, removeTemporary } from '#src/artifact/index.js'
import { normalize } from '#src/math/matrix.js'
import { random } from '#src/math/random.js'
import {
  type BuiltIndex,
  buildIndex,
  type IndexKind,
  type IndexManifest,
  openIndex,
  publishIndex,
  readIndexManifest,
} from '#src/vector-index/index.js'
import { clustered, countingKeys, rowOf, rowsOf, Twin } from './twin.js'

const DIM = 16
const parent = mkdtempSync(join(tmpdir(), 'textrec-publish-'))
afterAll(() => rmSync(parent, { recursive: true, force: true }))

const vectors = clustered(300, DIM, 1)
const keys = countingKeys(300)
const origin = { fingerprint: 'encoder x', sequence: 41 }
const build = (kind: IndexKind, from = 0) =>
  buildIndex({ keys, vectors: from === 0 ? vectors : clustered(300, DIM, from), kind, minRecall: 0 })

describe.each<IndexKind>(['exact', 'hnsw'])('%s', (kind) => {
  const folder = join(parent, kind)
  let manifest: IndexManifest
  beforeAll(async () => {
    manifest = await publishIndex(folder, await build(kind), origin)
  })

  test('published, opened, described', async () => {
    expect(manifest).toMatchObject({ kind, dim: DIM, size: 300, ...origin })
    expect(manifest.graph === undefined).toBe(kind === 'exact')
    expect(await readIndexManifest(folder)).toEqual(manifest)
    const opened = await openIndex(folder, { fingerprint: 'encoder x', dim: DIM, lastSequence: 41 })
    expect(opened.sequence).toBe(41)
    expect(opened.manifest).toEqual(manifest)
    const twin = new Twin(keys, vectors)
    expect(await opened.index.search(rowOf(vectors, 7), 5)).toEqual(twin.search(rowOf(vectors, 7), 5))
    await opened.index.close()
    expect(readdirSync(parent).filter((name) => name.startsWith('.'))).toEqual([])
  })

  test('other vectors, another size or a later state of the store are refused', async () => {
    await expect(openIndex(folder, { fingerprint: 'encoder y' })).rejects.toMatchObject({
      code: 'INDEX_STALE',
    })
    await expect(openIndex(folder, { lastSequence: 40 })).rejects.toMatchObject({ code: 'INDEX_STALE' })
    await expect(openIndex(folder, { dim: 17 })).rejects.toMatchObject({ code: 'FINGERPRINT_MISMATCH' })
    await expect(openIndex(join(parent, 'none'), {})).rejects.toMatchObject({ code: 'INDEX_DAMAGED' })
    const foreign = join(parent, `foreign-${kind}`)
    await publishFolder(foreign, 'adapter', async () => ({}))
    await expect(openIndex(foreign, {})).rejects.toMatchObject({ code: 'INDEX_DAMAGED' })
    const hollow = join(parent, `hollow-${kind}`)
    await publishFolder(hollow, 'vector-index', async () => ({ indexKind: kind, dim: DIM, size: 300 }))
    await expect(openIndex(hollow, {})).rejects.toMatchObject({ code: 'INDEX_DAMAGED' })
  })

  test('400 damaged copies: every one refused, none crashes, none answers', async () => {
    const other = join(parent, `${kind}-other`)
    await publishIndex(other, await build(kind, 2), origin)
    const damaged = join(parent, `${kind}-damaged`)
    cpSync(folder, damaged, { recursive: true })
    const names = readdirSync(folder)
    const source = random(21)
    const outcomes: { [name: string]: number } = {}
    for (let mutant = 0; mutant < 400; mutant++) {
      const name = names[source.integer(names.length)]
      const path = join(damaged, name)
      const sound = readFileSync(join(folder, name))
      const changed = mutate(sound, () => readFileSync(join(other, name)), source.integer(6), source)
      writeFileSync(path, changed)
      const outcome = await openIndex(damaged, { fingerprint: 'encoder x' }).then(
        ({ index }) => index.close().then(() => 'opened'),
        (error) => error.code,
      )
      if (Buffer.compare(changed, sound) !== 0) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
      writeFileSync(path, sound)
    }
    expect(Object.keys(outcomes)).toEqual(['INDEX_DAMAGED'])
    expect(outcomes.INDEX_DAMAGED).toBeGreaterThan(340)
    const { index } = await openIndex(damaged, {})
    await index.close()
  })

  test('publishers at one target: one whole index stays', async () => {
    const target = join(parent, `${kind}-shared`)
    const all = await Promise.all([3, 4, 5].map((seed) => build(kind, seed)))
    await Promise.all(
      all.map((built, i) => publishIndex(target, built, { fingerprint: 'x', sequence: i + 3 })),
    )
    const { index, sequence } = await openIndex(target, {})
    const expected = clustered(300, DIM, sequence)
    expect(index.vector(1)).toEqual(rowOf(expected, 0))
    expect([...(await index.search(rowOf(expected, 9), 1)).keys]).toEqual([10])
    await index.close()
  })

  test('killed while building and publishing: the old index or a new one, whole', async () => {
    const target = join(parent, `${kind}-killed`)
    await publishIndex(target, await build(kind), { fingerprint: 'x', sequence: 0 })
    const script = `
      const { buildIndex, publishIndex } = await import(${JSON.stringify(import.meta.resolve('#src/vector-index/index.js'))})
      const data = Float32Array.from(${JSON.stringify([...vectors.data])})
      const keys = Int32Array.from({ length: 300 }, (_, i) => i + 1)
      process.stdout.write('ready')
      for (let sequence = 1; ; sequence++) {
        const built = await buildIndex({ keys, vectors: { data, rows: 300, dim: ${DIM} }, kind: '${kind}', minRecall: 0 })
        await publishIndex(${JSON.stringify(target)}, built, { fingerprint: 'x', sequence })
      }`
    const source = random(5)
    for (let kill = 0; kill < 6; kill++) {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      await once(child.stdout, 'data')
      await new Promise((resolve) => setTimeout(resolve, source.next() * (kind === 'exact' ? 80 : 900)))
      child.kill('SIGKILL')
      await once(child, 'exit')
      const { index } = await openIndex(target, { fingerprint: 'x' })
      expect([...(await index.search(rowOf(vectors, 9), 1)).keys]).toEqual([10])
      await index.close()
      await removeTemporary(parent)
      expect(readdirSync(parent).filter((name) => name.startsWith('.'))).toEqual([])
    }
  })
})

type Source = ReturnType<typeof random>

/** Truncated, one bit flipped, a stretch overwritten, moved or inserted, or the file of another index. */
function mutate(sound: Buffer, foreign: () => Buffer, kind: number, source: Source): Buffer {
  const at = source.integer(sound.length)
  const length = 1 + source.integer(Math.min(64, sound.length))
  if (kind === 0) return sound.subarray(0, at)
  if (kind === 5) return foreign()
  const changed = Buffer.from(sound)
  if (kind === 1) changed[at] ^= 1 << source.integer(8)
  if (kind === 2)
    for (let i = at; i < Math.min(at + length, changed.length); i++) changed[i] = source.integer(256)
  if (kind === 3) changed.copyWithin(at, source.integer(sound.length), sound.length)
  if (kind === 4) return Buffer.concat([sound.subarray(0, at), sound.subarray(0, length), sound.subarray(at)])
  return changed
}

/** A graph whose file comes out wrong, as on a full disk, and nobody is told. */
function spoiled(built: BuiltIndex, spoil: (graph: string) => void): BuiltIndex {
  return {
    ...built,
    save: async (folder) => {
      await built.save(folder)
      spoil(join(folder, 'graph.hnsw'))
    },
  }
}

test('a graph that was written short or wrong is never published, and the old one stays', async () => {
  const target = join(parent, 'spoiled')
  await publishIndex(target, await build('hnsw'), origin)
  const source = random(6)
  const spoils: ((graph: string) => void)[] = [
    (graph) => truncateSync(graph, 1000),
    (graph) => truncateSync(graph, 0),
    (graph) => truncateSync(graph, readFileSync(graph).length - 1),
    (graph) => writeFileSync(graph, Buffer.from(readFileSync(graph)).fill(255, 96)),
    (graph) => writeFileSync(graph, Buffer.alloc(readFileSync(graph).length, source.integer(256))),
  ]
  for (const spoil of spoils) {
    const publishing = publishIndex(target, spoiled(await build('hnsw'), spoil), {
      fingerprint: 'y',
      sequence: 1,
    })
    await expect(publishing).rejects.toMatchObject({ code: 'DISK_FULL' })
    expect(await readIndexManifest(target)).toMatchObject(origin)
  }
  expect(readdirSync(parent).filter((name) => name.startsWith('.'))).toEqual([])
})

test('the same vectors and seed give the same graph, byte for byte', async () => {
  const graphs: Buffer[] = []
  for (const name of ['once', 'twice']) {
    await publishIndex(join(parent, name), await build('hnsw'), origin)
    graphs.push(readFileSync(join(parent, name, 'graph.hnsw')))
  }
  expect(graphs[0].equals(graphs[1])).toBe(true)
})

test('a graph that cannot reach the recall asked for gives way to exact search, and says so', async () => {
  // Directions without any structure, and so few that a graph may not look at many of them.
  const source = random(3)
  const scattered = { data: new Float32Array(380 * 384), rows: 380, dim: 384 }
  for (let i = 0; i < 380; i++) {
    const at = scattered.data.subarray(i * 384, (i + 1) * 384)
    for (let j = 0; j < 384; j++) at[j] = source.normal()
    normalize(at)
  }
  const built = await buildIndex({ keys: countingKeys(380), vectors: scattered, kind: 'hnsw', minRecall: 1 })
  expect(built).toMatchObject({ kind: 'exact', recall: 1 })
  expect(built.note).toMatch(/recall@10 of only 0\.\d+/)
  const manifest = await publishIndex(join(parent, 'scattered'), built, origin)
  expect(manifest.note).toBe(built.note)
})

test('copies of few vectors, as items without a text of their own have, do not tear a graph apart', async () => {
  const copies = { data: new Float32Array(1200 * DIM), rows: 1200, dim: DIM }
  for (let i = 0; i < 1200; i++) copies.data[i * DIM + Math.floor(i / 150)] = 1
  const built = await buildIndex({ keys: countingKeys(1200), vectors: copies, kind: 'hnsw' })
  expect(built.kind).toBe('hnsw')
  expect(built.recall).toBeGreaterThanOrEqual(0.99)
  await built.close()
})

test("'auto' is exact for few vectors; an index of none can be built and opened", async () => {
  expect((await buildIndex({ keys, vectors })).kind).toBe('exact')
  for (const kind of ['exact', 'hnsw'] as const) {
    const built = await buildIndex({ keys: new Int32Array(0), vectors: rowsOf(vectors, 0, 0), kind })
    await publishIndex(join(parent, `empty-${kind}`), built, origin)
    const { index } = await openIndex(join(parent, `empty-${kind}`), {})
    expect(index.size).toBe(0)
    expect((await index.search(rowOf(vectors, 0), 3)).keys).toHaveLength(0)
    await index.close()
  }
})

test('what cannot be indexed is refused before anything is built', async () => {
  const twice = keys.slice()
  twice[5] = 1
  await expect(buildIndex({ keys: twice, vectors })).rejects.toMatchObject({ code: 'OPTION_INVALID' })
  await expect(buildIndex({ keys: keys.subarray(1), vectors })).rejects.toMatchObject({
    code: 'DIMENSION_MISMATCH',
  })
  const zero = { ...vectors, data: vectors.data.slice().fill(0, 0, DIM) }
  await expect(buildIndex({ keys, vectors: zero })).rejects.toMatchObject({ code: 'VECTOR_INVALID' })
  await expect(buildIndex({ keys, vectors, kind: 'lsh' as 'exact' })).rejects.toMatchObject({
    code: 'OPTION_INVALID',
  })
})

test('a build can be stopped, and reports how far it is', async () => {
  const many = clustered(6000, DIM, 9)
  const controller = new AbortController()
  const seen: number[] = []
  const building = buildIndex({
    keys: countingKeys(6000),
    vectors: many,
    kind: 'hnsw',
    signal: controller.signal,
    onProgress: ({ done, total }) => {
      expect(total).toBe(6000)
      seen.push(done)
      controller.abort()
    },
  })
  await expect(building).rejects.toMatchObject({ code: 'ABORTED' })
  expect(seen[0]).toBeGreaterThan(0)
  expect(seen[0]).toBeLessThan(6000)
  await expect(buildIndex({ keys, vectors, signal: controller.signal })).rejects.toMatchObject({
    code: 'ABORTED',
  })
})
