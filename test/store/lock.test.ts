import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { acquireLock } from '#src/store/lock.js'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'textrec-lock-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

test('a lock is held once, by name, until it is released', () => {
  const lock = acquireLock(directory, 'index')
  expect(() => acquireLock(directory, 'index')).toThrow(expect.objectContaining({ code: 'PROJECT_LOCKED' }))
  acquireLock(directory, 'train').release()
  lock.release()
  lock.release()
  acquireLock(directory, 'index').release()
})

test('a killed process leaves no lock behind', async () => {
  const module = new URL('../../dist/src/store/lock.js', import.meta.url).href
  const script = `const { acquireLock } = await import(${JSON.stringify(module)})
    acquireLock(process.argv[1], 'index'); console.log('held'); setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, directory])
  await once(child.stdout, 'data')
  expect(() => acquireLock(directory, 'index')).toThrow(/Another process is busy with 'index'/)
  child.kill('SIGKILL')
  await once(child, 'exit')
  acquireLock(directory, 'index').release()
})

test('a lock that cannot be asked for is not said to be held', () => {
  const refused = expect.objectContaining({ name: 'TextrecError', code: 'FILE_UNREADABLE' })
  mkdirSync(join(directory, 'locks', 'index.lock'), { recursive: true })
  expect(() => acquireLock(directory, 'index')).toThrow(refused)
  writeFileSync(
    join(directory, 'locks', 'train.lock'),
    'not a database, but as long as the head of one: '.repeat(30),
  )
  expect(() => acquireLock(directory, 'train')).toThrow(refused)
  rmSync(join(directory, 'locks'), { recursive: true })
  writeFileSync(join(directory, 'locks'), '')
  expect(() => acquireLock(directory, 'index')).toThrow(refused)
})
