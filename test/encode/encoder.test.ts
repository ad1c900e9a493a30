import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Encoder, openEncoder } from '#src/encode/index.js'
import { codeOf, cosine, rowsOf, temporaryFolder } from './support.js'

const cacheDirectory = temporaryFolder()
const open = (options: object = {}) =>
  openEncoder('all-MiniLM-L6-v2', { device: 'cpu', dtype: 'int8', threads: 1, cacheDirectory, ...options })

describe('Encoder', () => {
  let encoder: Encoder
  beforeAll(async () => {
    encoder = await open()
  })
  afterAll(() => encoder.close())

  test('says what it is', () => {
    expect(encoder.dim).toBe(384)
    expect(encoder.maxTokens).toBe(256)
    expect(encoder.device).toBe('cpu')
    expect(encoder.dtype).toBe('int8')
    expect(encoder.deviceReason).toBe('it was asked for')
    expect(encoder.fingerprint).toMatch(/^int8(-7bit)?-[0-9a-f]{32}$/)
  })

  test('gives a finite unit vector for any text', async () => {
    const odd = [
      '',
      '   \n\t',
      '😀'.repeat(300),
      '猫が好き',
      '猫'.repeat(1000),
      '\0\u0001',
      '\ud800 lone',
      'x'.repeat(5000),
      '[CLS] [PAD] [SEP]',
      'ﷺ'.repeat(50),
    ]
    const result = await encoder.encode(odd)
    for (const vector of rowsOf(result)) {
      expect(Math.hypot(...vector)).toBeCloseTo(1, 5)
    }
    expect(result.split).toBe(1)
    const [empty, blank] = rowsOf(result)
    expect(cosine(empty, blank)).toBeGreaterThan(0.99)
  })

  test('a million characters take a bounded number of windows, and the result says so', async () => {
    const long = 'Warm nylon strings for a beginner, easy on the fingers. '.repeat(18_000)
    expect(long.length).toBeGreaterThan(1_000_000)
    // One call of many windows: the abort shows that it can be stopped between them.
    const controller = new AbortController()
    const shares: number[] = []
    const code = await codeOf(() =>
      encoder.encode([long], {
        signal: controller.signal,
        onProgress: ({ done, total, share }) => {
          expect([done, total]).toEqual([0, 1])
          if (shares.push(share as number) === 2) controller.abort()
        },
      }),
    )
    expect(code).toBe('ABORTED')
    // The only text is not done, but how far it is can be told: it takes half a minute.
    expect(shares[0]).toBeGreaterThan(0)
    expect(shares[1]).toBeGreaterThan(shares[0])
    expect(shares[1]).toBeLessThan(0.5)
    const medium = long.slice(0, 6000)
    const result = await encoder.encode([medium, 'short'])
    expect(result.split).toBe(1)
    expect(result.sampled).toBe(0)
  })

  test('a text beyond one window is not cut: its end counts', async () => {
    const start = 'The amplifier is quiet and small and it fits on a shelf. '.repeat(25)
    const [a, b] = rowsOf(
      await encoder.encode([
        `${start}${'The cat sleeps on the warm roof all day. '.repeat(25)}`,
        `${start}${'Taxes are due in April and forms are long. '.repeat(25)}`,
      ]),
    )
    expect(cosine(a, b)).toBeLessThan(0.98)
  })

  test('the caller stays responsive while texts are encoded', async () => {
    const ticks: number[] = []
    const progress: number[] = []
    const timer = setInterval(() => ticks.push(progress.length), 1)
    const texts = Array.from(
      { length: 300 },
      (_, i) => `A text about item ${i} that is just long enough to need work.`,
    )
    await encoder.encode(texts, { onProgress: ({ done }) => progress.push(done) })
    clearInterval(timer)
    // If encoding ran in this thread, no timer could fire between its first and its last batch.
    expect(progress.at(-1)).toBe(300)
    expect(new Set(ticks).size).toBeGreaterThan(2)
  })

  test('texts of other lengths in the same call change nothing, in int8 either: batches are of one length', async () => {
    const texts = Array.from({ length: 12 }, (_, i) => `Strings${' of warm nylon'.repeat(i)}`)
    const together = rowsOf(await encoder.encode(texts))
    for (const i of [0, 5, 11]) expect(rowsOf(await encoder.encode([texts[i]]))[0]).toEqual(together[i])
  })

  test('texts of one batch are told of once, when they are done', async () => {
    const told: number[] = []
    await encoder.encode(['one', 'two'], { onProgress: ({ done }) => told.push(done) })
    expect(told).toEqual([2])
  })

  test('refuses what is no text and an unknown option', async () => {
    expect(await codeOf(() => encoder.encode(['a', 7 as unknown as string]))).toBe('OPTION_INVALID')
    expect(await codeOf(() => encoder.encode(['a'], { kin: 'query' } as object))).toBe('OPTION_UNKNOWN')
    expect((await encoder.encode([])).rows).toBe(0)
  })

  test('an abort before the call stops it, and later calls work', async () => {
    expect(await codeOf(() => encoder.encode(['a'], { signal: AbortSignal.abort() }))).toBe('ABORTED')
    expect((await encoder.encode(['a'])).rows).toBe(1)
  })
})

test('closing while busy answers the open call first; a closed encoder says so', async () => {
  const encoder = await open()
  const busy = encoder.encode(Array.from({ length: 60 }, (_, i) => `sentence number ${i}`))
  await encoder.close()
  await encoder.close()
  expect((await busy).rows).toBe(60)
  expect(await codeOf(() => encoder.encode(['a']))).toBe('PROJECT_CLOSED')
})

test('many texts are shared by two lanes, with the same bits as one after the other in one thread', async () => {
  const encoder = await open({ threads: 4 })
  const single = await open({ threads: 1 })
  const texts = Array.from({ length: 120 }, (_, i) => `Strings ${i}${' of nylon'.repeat(i % 7)}`)
  const whole = await encoder.encode(texts)
  expect((await single.encode(texts)).data).toEqual(whole.data)
  await encoder.close()
  await single.close()
})

describe('the cache of graphs', () => {
  test('a damaged entry is noticed and built again', async () => {
    const graphs = join(cacheDirectory, 'graphs')
    const [name] = readdirSync(graphs)
    const path = join(graphs, name, 'model.onnx')
    const sound = readFileSync(path)
    const harmed = Buffer.from(sound)
    harmed[harmed.length >> 1] ^= 1
    writeFileSync(path, harmed)
    const encoder = await open()
    await encoder.close()
    expect(readFileSync(path).equals(sound)).toBe(true)
  })

  test('a cache that cannot be written costs nothing but time', async () => {
    const file = join(temporaryFolder(), 'file')
    writeFileSync(file, '')
    const encoder = await open({ cacheDirectory: file })
    expect((await encoder.encode(['a'])).rows).toBe(1)
    await encoder.close()
    expect(statSync(file).isFile()).toBe(true)
  })
})

describe('the process', () => {
  const index = new URL('../../dist/src/encode/index.js', import.meta.url).href
  const run = (body: string) => {
    const source = `import { openEncoder } from '${index}'
      const encoder = await openEncoder('all-MiniLM-L6-v2', ${JSON.stringify({ device: 'cpu', dtype: 'int8', threads: 2, cacheDirectory })})
      const texts = Array.from({ length: 400 }, (_, i) => 'some words about thing number ' + i)
      ${body}`
    const { status, signal } = spawnSync(process.execPath, ['--input-type=module', '-e', source], {
      timeout: 60_000,
    })
    return { status, signal }
  }

  test('ends by itself when an idle encoder was not closed', () => {
    expect(run('await encoder.encode(texts.slice(0, 8))')).toEqual({ status: 0, signal: null })
  })

  test('may exit in the middle of encoding', () => {
    const body = `encoder.encode(texts, { onProgress: () => process.exit(7) })`
    expect(run(body)).toEqual({ status: 7, signal: null })
  })

  test('may die of an error in the middle of encoding', () => {
    const body = `encoder.encode(texts, { onProgress: () => { throw new Error('mine') } })`
    expect(run(body)).toEqual({ status: 1, signal: null })
  })
})
