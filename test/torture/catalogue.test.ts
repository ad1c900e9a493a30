import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { CATALOGUE } from '../../dist/scripts/torture/catalogue.js'

const MAIN = fileURLToPath(new URL('../../dist/scripts/torture/main.js', import.meta.url))
const torture = (...args: string[]) => spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8' })

test('every entry of the catalogue loads a test of its name, with a promise', () => {
  const { status, stdout } = torture('--list')
  expect(status).toBe(0)
  const lines = stdout.trimEnd().split('\n')
  expect(lines.map((line) => line.split(':', 1)[0])).toEqual(CATALOGUE.map(({ name }) => name))
  for (const line of lines) expect(line).toMatch(/^[a-z]+: [A-Z].*\.$/)
})

test('a test that does not exist is refused by name, and nothing runs', () => {
  const { status, stdout, stderr } = torture('--only', 'kill,nosuch')
  expect(status).toBe(2)
  expect(stdout).toBe('')
  expect(stderr).toContain("There is no test 'nosuch'.")
})
