import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { Recommender, sampleFiles } from 'textrec'
import { expect, test } from 'vitest'
import { Store } from '#src/store/index.js'
import { temporaryFolder } from './shelf.js'

const library = new URL('../../dist/src/index.js', import.meta.url).href

/** Imports part of the sample and indexes it, saying when each text is done. */
const SCRIPT = `
  const { Recommender, sampleFiles } = await import(${JSON.stringify(library)})
  const shop = await Recommender.open(process.argv[1], { threads: 1, dtype: 'int8' })
  await shop.import({ items: sampleFiles().items })
  console.log('imported')
  let last
  await shop.index({
    onProgress: ({ done, unit }) => {
      if (last !== unit + done) console.log(unit, done)
      last = unit + done
    },
  })
  await shop.close()
`

async function indexInChild(folder: string, killAfterLines: number): Promise<boolean> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', SCRIPT, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let lines = 0
  child.stdout.on('data', (chunk: Buffer) => {
    lines += chunk.toString().split('\n').length - 1
    if (lines >= killAfterLines) child.kill('SIGKILL')
  })
  const [exitCode, signal] = await once(child, 'exit')
  if (signal === null) expect(exitCode).toBe(0)
  return signal === 'SIGKILL'
}

function vectorHash(folder: string): string {
  const store = Store.open(folder)
  try {
    const [space] = store.spaces().filter((name) => name.includes('/profile-'))
    const { keys, vectors } = store.itemVectors(space)
    return createHash('sha256').update(keys).update(vectors.data).digest('hex')
  } finally {
    store.close()
  }
}

test('index() killed at any moment resumes and ends with the same int8 vectors and answers', async () => {
  const calm = temporaryFolder()
  expect(await indexInChild(calm, Number.POSITIVE_INFINITY)).toBe(false)
  const expected = vectorHash(calm)

  for (const lines of [1, 2, 3, 5]) {
    const folder = temporaryFolder()
    const killed = await indexInChild(folder, lines)
    expect(killed).toBe(true)
    const shop = await Recommender.open(folder, { threads: 1, dtype: 'int8' })
    await shop.import({ items: sampleFiles().items })
    await shop.index()
    expect((await shop.doctor()).healthy).toBe(true)
    await shop.close()
    expect(vectorHash(folder)).toBe(expected)
  }
}, 300_000)
