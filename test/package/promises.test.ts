import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('../../', import.meta.url))
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const page = read('docs/promises.md')
/** The cells of every promise: what, by which test, seen with which figure. */
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('| ') && !/^\| promise |^\|-/.test(line))
  .map((line) => line.slice(1, -1).split(' | '))
const named = rows.flatMap(([, test]) => [...test.matchAll(/`([^`]+)`/g)].map(([, name]) => name))

test('every torture test has its promise, and every promise a test that is there', () => {
  const catalogue = [...read('scripts/torture/catalogue.ts').matchAll(/name: '([a-z]+)'/g)].map(
    ([, name]) => name,
  )
  expect(catalogue.length).toBeGreaterThan(5)
  expect(catalogue.filter((name) => !named.includes(name))).toEqual([])
  const unknown = named.filter((name) => !catalogue.includes(name) && !existsSync(join(root, name)))
  expect(unknown).toEqual([])
})

test('every promise says what it was last seen to do', () => {
  for (const [promise, , figure] of rows) expect(figure?.trim().length, promise).toBeGreaterThan(5)
})
