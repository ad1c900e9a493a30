import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../../', import.meta.url))
const json = (path: string) => JSON.parse(readFileSync(join(root, path), 'utf8'))

interface Entry {
  readonly version?: string
  readonly integrity?: string
  readonly resolved?: string
  readonly license?: string
  readonly link?: boolean
  readonly optional?: boolean
  readonly dependencies?: { readonly [name: string]: string }
}

const manifest = json('package.json')
const packages = json('package-lock.json').packages as { readonly [path: string]: Entry }
const installed = Object.entries(packages).filter(([path]) => path !== '')

/** [package, what for, licence, install script] of the rows of docs/supply-chain.md. */
const rows = readFileSync(join(root, 'docs/supply-chain.md'), 'utf8')
  .split('\n')
  .filter((line) => /^\| [@a-z]/.test(line) && !line.startsWith('| package |'))
  .map((line) =>
    line
      .slice(1, -1)
      .split(' | ')
      .map((cell) => cell.trim()),
  )

/** Whether npm would run something when it installs the package. */
function hasScript(path: string): boolean {
  const { scripts = {}, gypfile } = json(`${path}/package.json`)
  const named = scripts.preinstall ?? scripts.install ?? scripts.postinstall
  // npm compiles whatever has a binding.gyp, asked or not.
  return named !== undefined || (gypfile !== false && existsSync(join(root, path, 'binding.gyp')))
}

describe('the table of dependencies', () => {
  const direct = {
    ...manifest.dependencies,
    ...manifest.peerDependencies,
    ...manifest.devDependencies,
  } as { readonly [name: string]: string }

  test('has one line for each dependency, and no other', () => {
    expect(rows.map(([name]) => name).sort()).toEqual(Object.keys(direct).sort())
  })

  test('says what each is for, its licence and whether it runs a script', () => {
    for (const [name, purpose, licence, script] of rows) {
      expect(purpose.length, name).toBeGreaterThan(3)
      const path = `node_modules/${name}`
      if (!existsSync(join(root, path))) continue // the optional peer
      expect([name, licence]).toEqual([name, json(`${path}/package.json`).license])
      expect([name, script.startsWith('yes')]).toEqual([name, hasScript(path)])
    }
  })
})

describe('the lockfile', () => {
  test('is of this package.json', () => {
    for (const kind of ['dependencies', 'peerDependencies', 'devDependencies'] as const) {
      expect((packages[''] as { [kind: string]: unknown })[kind]).toEqual(manifest[kind])
    }
  })

  test('has a version and a SHA-512 for every package, and names no registry', () => {
    for (const [path, { version, integrity, resolved }] of installed) {
      expect(version, path).toMatch(/^\d+\.\d+\.\d+/)
      expect(integrity, path).toMatch(/^sha512-[A-Za-z0-9+/]{86}==$/)
      expect(resolved, path).toBeUndefined()
    }
  })

  test('holds whatever a package in it needs', () => {
    for (const [path, { dependencies = {} }] of Object.entries(packages)) {
      for (const name of Object.keys(dependencies)) {
        const places = path
          .split('/node_modules/')
          .map((_, i, parts) => parts.slice(0, i + 1).join('/node_modules/'))
        const found = ['', ...places].some(
          (place) =>
            packages[place === '' ? `node_modules/${name}` : `${place}/node_modules/${name}`] !== undefined,
        )
        expect(found, `${path} needs ${name}`).toBe(true)
      }
    }
  })

  test('what runs a script at install is named in allowScripts', () => {
    const running = installed
      .filter(([path]) => existsSync(join(root, path, 'package.json')) && hasScript(path))
      .map(([path]) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length))
    expect(running).toContain('better-sqlite3')
    for (const name of running) expect(Object.keys(manifest.allowScripts), name).toContain(name)
  })

  test('licences of what users install are permissive, but for the one that the page names', () => {
    const permissive = /^\(?(MIT|ISC|0BSD|BSD-[23]-Clause|Apache-2\.0|Unlicense)\b(?!.*AND.*GPL)/
    const others = installed
      .filter(([, entry]) => !('dev' in entry) && !permissive.test(entry.license ?? ''))
      .map(([path]) => path)
    expect(others.length).toBeGreaterThan(0)
    expect(others.filter((path) => !path.startsWith('node_modules/@img/sharp'))).toEqual([])
  })
})

test('none of our own files names a registry', () => {
  const texts = (folder: string): string[] =>
    readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) return texts(path)
      return /\.(ts|md|json|py|sh)$/.test(entry.name) ? [path] : []
    })
  const top = ['package.json', 'package-lock.json', '.npmrc', 'README.md', 'CONTRIBUTING.md', '.ci/run']
  const files = [...top, ...['src', 'scripts', 'test', 'docs', 'models'].flatMap(texts)]
  const registry = /registry\.npmjs|npm\.pkg\.|[a-z0-9-]+\.(?:internal|local|corp)\b\/|registry\s*=\s*http/i
  const naming = files.filter(
    (path) => existsSync(join(root, path)) && registry.test(readFileSync(join(root, path), 'utf8')),
  )
  expect(naming.filter((path) => !path.endsWith('supply-chain.test.ts'))).toEqual([])
})
