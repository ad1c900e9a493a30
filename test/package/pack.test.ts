import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../../', import.meta.url))

// Installing compiles two native packages, which takes minutes: CI does it every time, people on request.
const asked = process.env.CI !== undefined || process.env.TEXTREC_TEST_PACKAGE !== undefined

describe.runIf(asked)('the packed package in an empty project', () => {
  const folder = mkdtempSync(join(tmpdir(), 'textrec-pack-'))
  const run = (command: string, args: string[], cwd = folder) =>
    execFileSync(command, args, {
      cwd,
      encoding: 'utf8',
      // The one setting that the README names.
      env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })

  beforeAll(() => {
    const [{ filename }] = JSON.parse(
      run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], root),
    )
    writeFileSync(
      join(folder, 'package.json'),
      JSON.stringify({ name: 'consumer', private: true, type: 'module' }),
    )
    run('npm', ['install', '--no-audit', '--no-fund', join(folder, filename)])
  }, 900_000)
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test('the command line runs the main job', () => {
    const bin = join(folder, 'node_modules/.bin/textrec')
    run(bin, ['import', '--dir', 'books.textrec', '--sample'])
    run(bin, ['index', '--dir', 'books.textrec'])
    const { items } = JSON.parse(
      run(bin, ['similar', '--dir', 'books.textrec', 'moby-dick', '-k', '3', '--json']),
    )
    expect(items).toHaveLength(3)
  }, 300_000)

  test('the library is importable, and only its public API', () => {
    writeFileSync(
      join(folder, 'use.mjs'),
      `import { Recommender } from 'textrec'
       const shop = await Recommender.open('books.textrec', { create: false })
       console.log(JSON.stringify((await shop.search('a storm at sea', { k: 3 })).items))
       await shop.close()
       await import('textrec/dist/src/store/index.js').then(() => console.log('open'), (e) => console.log(e.code))`,
    )
    const [found, inside] = run(process.execPath, ['use.mjs']).trim().split('\n')
    expect(JSON.parse(found)).toHaveLength(3)
    expect(inside).toBe('ERR_PACKAGE_PATH_NOT_EXPORTED')
  })

  test('its types serve a strict TypeScript program', () => {
    writeFileSync(
      join(folder, 'use.ts'),
      `import { type Answer, Recommender, TextrecError } from 'textrec'
       const shop: Recommender = await Recommender.open('books.textrec', { device: 'cpu' })
       const answer: Answer = await shop.similarItems('moby-dick', { k: 3 })
       // @ts-expect-error k is a number
       await shop.similarItems('moby-dick', { k: '3' })
       console.log(answer.items[0].itemId, TextrecError.name)`,
    )
    const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2022', '--types', '']
    const out = run(join(root, 'node_modules/.bin/tsc'), [...options, 'use.ts'])
    expect(out).toBe('')
  })
})
