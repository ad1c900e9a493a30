import { spawnSync } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'

test('a relative folder in a deleted working directory is refused, not tried for ever', () => {
  const folder = mkdtempSync(join(tmpdir(), 'textrec-gone-'))
  const module = new URL('../../dist/src/store/index.js', import.meta.url).href
  const script = `
    const { rmdirSync } = await import('node:fs')
    const { Store } = await import(${JSON.stringify(module)})
    rmdirSync(${JSON.stringify(folder)})
    try { Store.open('shop', { create: true }) } catch (error) { console.log(error.code) }`
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd: folder,
    encoding: 'utf8',
    timeout: 30_000,
  })
  expect(child.stdout.trim()).toBe('FILE_UNREADABLE')
})
