import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'

const MAIN = fileURLToPath(new URL('../../dist/scripts/torture/main.js', import.meta.url))
const folders: string[] = []
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/** A test that traces, where `strace` is this script or is not there. */
function traced(strace: string | undefined, ci: boolean) {
  const path = mkdtempSync(join(tmpdir(), 'textrec-torture-path-'))
  folders.push(path)
  if (strace !== undefined) {
    writeFileSync(join(path, 'strace'), strace)
    chmodSync(join(path, 'strace'), 0o755)
  }
  const { CI: _, ...env } = process.env
  const { status, stdout } = spawnSync(process.execPath, [MAIN, '--only', 'network', '--work', path], {
    encoding: 'utf8',
    env: { ...env, PATH: path, ...(ci ? { CI: 'true' } : {}) },
  })
  return { status, stdout }
}

test('without strace a tracing test is skipped, and fails under CI, where it should have been installed', () => {
  const by = traced(undefined, false)
  expect(by.status).toBe(0)
  expect(by.stdout).toMatch(/^skipped +network/)
  expect(by.stdout).toContain("'strace' is not installed")
  const under = traced(undefined, true)
  expect(under.status).toBe(1)
  expect(under.stdout).toMatch(/^FAILED +network/)
})

test('where tracing is forbidden it is skipped, and fails under CI, with the reason and what to do', () => {
  const forbidding = '#!/bin/sh\necho "ptrace: Operation not permitted" >&2\nexit 1\n'
  const by = traced(forbidding, false)
  expect(by.status).toBe(0)
  expect(by.stdout).toMatch(/^skipped +network/)
  const under = traced(forbidding, true)
  expect(under.status).toBe(1)
  expect(under.stdout).toMatch(/^FAILED +network/)
  for (const { stdout } of [by, under]) {
    expect(stdout).toContain('ptrace: Operation not permitted')
    expect(stdout).toContain('--cap-add SYS_PTRACE')
  }
})
