import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../../', import.meta.url))
const modules = join(root, 'node_modules')
const folder = mkdtempSync(join(tmpdir(), 'textrec-missing-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/**
 * The package as an install leaves it that could not finish one of its parts. Everything is linked but that part,
 * which lacks its compiled files ('uncompiled': scripts denied, no compiler) or is not there at all.
 */
function installWithout(part: string, how: 'uncompiled' | 'absent'): string {
  const place = join(folder, `${part}-${how}`)
  const target = join(place, 'node_modules')
  mkdirSync(target, { recursive: true })
  for (const name of ['dist', 'src', 'models', 'package.json'])
    symlinkSync(join(root, name), join(place, name))
  for (const name of readdirSync(modules)) {
    if (name !== part && !name.startsWith('.')) symlinkSync(join(modules, name), join(target, name))
  }
  if (how === 'uncompiled') {
    const compiled = /\.(node|so|dylib|dll)(\.|$)|\/(build|deps|src|include)$/
    cpSync(join(modules, part), join(target, part), {
      recursive: true,
      filter: (path) => !compiled.test(path),
    })
  }
  return place
}

/** Modules are looked for where the links lie, not where they lead; in child processes and workers too. */
const env = { ...process.env, NODE_OPTIONS: '--preserve-symlinks --preserve-symlinks-main' }

function node(args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: folder, env }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    )
  })
}

const textrec = (place: string, ...args: string[]) => node([join(place, 'dist/src/cli/main.js'), ...args])

/** One line: name, code, fact, remedy. */
function expectOneLine({ code, stderr }: { code: number; stderr: string }, part: string): void {
  expect(stderr.trimEnd()).toMatch(new RegExp(`^textrec: DEPENDENCY_MISSING: [^\\n]*${part}[^\\n]*$`))
  expect(code).toBe(1)
}

describe.each(['uncompiled', 'absent'] as const)('a part that is %s', (how) => {
  test('better-sqlite3: whatever needs the catalogue says so in one line', async () => {
    const place = installWithout('better-sqlite3', how)
    expectOneLine(await textrec(place, 'import', '--dir', `shop-${how}`, '--sample', '-q'), 'better-sqlite3')
    const json = await textrec(place, 'import', '--dir', `shop-${how}`, '--sample', '-q', '--json')
    expect(JSON.parse(json.stdout || json.stderr)).toMatchObject({ error: { code: 'DEPENDENCY_MISSING' } })
    expect((await textrec(place, '--help')).code).toBe(0)
  })

  test('onnxruntime-node: the catalogue can be used, encoding says so in one line', async () => {
    const place = installWithout('onnxruntime-node', how)
    expect((await textrec(place, 'import', '--dir', `words-${how}`, '--sample', '-q')).code).toBe(0)
    expectOneLine(await textrec(place, 'index', '--dir', `words-${how}`, '-q'), 'onnxruntime-node')
  })

  test('hnswlib-node: a graph index says so, an exact one is built', async () => {
    const place = installWithout('hnswlib-node', how)
    const program = join(place, `build-${how}.mjs`)
    writeFileSync(
      program,
      `import { buildIndex, publishIndex } from './dist/src/vector-index/index.js'
       const vectors = { data: Float32Array.of(1, 0, 0, 1), rows: 2, dim: 2 }
       for (const kind of ['exact', 'hnsw']) {
         try {
           const built = await buildIndex({ keys: Int32Array.of(1, 2), vectors, kind })
           await publishIndex(process.argv[2] + kind, built, { fingerprint: 'f', sequence: 0 })
           console.log(kind)
         } catch (error) {
           console.log(error.code, error.fact)
         }
       }`,
    )
    const { stdout } = await node([program, join(place, 'index-')])
    expect(stdout.trim().split('\n')).toEqual([
      'exact',
      'DEPENDENCY_MISSING hnswlib-node could not be loaded.',
    ])
  })
})
