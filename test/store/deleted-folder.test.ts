import { spawnSync } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Store } from '#src/store/index.js'

test('a relative folder in a working directory that is gone is refused, not tried for ever', () => {
  const folder = mkdtempSync(join(tmpdir(), 'textrec-gone-'))
  const module = new URL('../../dist/src/store/index.js', import.meta.url).href
  const script = `import(${JSON.stringify(module)}).then(({ Store }) => {
    try { Store.open('shop', { create: true }) } catch (error) { console.log(error.code) }
  })`
  // The shell deletes its own working directory, then starts a process in it.
  const child = spawnSync('sh', ['-c', 'rmdir "$PWD" && exec "$@"', 'sh', process.execPath, '-e', script], {
    cwd: folder,
    encoding: 'utf8',
    timeout: 30_000,
  })
  expect(child.stdout.trim()).toBe('FILE_UNREADABLE')
})

test.skipIf(process.platform !== 'linux')('a folder that can be neither found nor made is refused', () => {
  expect(() => Store.open('/proc/none/shop', { create: true })).toThrow(
    expect.objectContaining({ code: 'FILE_UNREADABLE' }),
  )
})
