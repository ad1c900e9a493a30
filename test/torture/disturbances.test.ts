import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { publishFolder } from '#src/artifact/index.js'
import { afterWork, processorTime } from '../../dist/scripts/torture/moments.js'
import { publishedFaults } from '../../dist/scripts/torture/published-faults.js'

const folders: string[] = []
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

describe.skipIf(process.platform !== 'linux')('processor time', () => {
  test('is that of the process and of those that it started', () => {
    const { user, system } = process.cpuUsage()
    const before = processorTime(process.pid) as number
    expect(before).toBeGreaterThan((user + system) / 1e6 - 0.1)
    spawnSync(process.execPath, ['-e', 'const end = process.cpuUsage; while (end().user < 3e5) {}'])
    expect((processorTime(process.pid) as number) - before).toBeGreaterThan(0.25)
  })

  test('of a process that is gone is none, and its moment never comes', () => {
    const { pid } = spawnSync(process.execPath, ['-e', '0'])
    expect(processorTime(pid)).toBeUndefined()
    afterWork(pid, 0, 0, () => expect.unreachable())
  })

  test('a moment that has come is not waited for', async () => {
    await new Promise<void>((resolve) => afterWork(process.pid, 0, 0, resolve))
  })
})

test('names that are drawn at random are drawn alike, in every run and each once', () => {
  const steady = new URL('../../dist/scripts/torture/steady-names.js', import.meta.url).href
  const draw =
    "import { randomBytes, randomUUID } from 'node:crypto'; console.log(randomUUID(), randomUUID(), randomBytes(6).toString('hex'))"
  const drawn = [0, 1].map(
    () => spawnSync(process.execPath, ['--import', steady, '--input-type=module', '-e', draw]).stdout,
  )
  expect(drawn[0]).toEqual(drawn[1])
  const names = drawn[0].toString().trim().split(' ')
  expect(new Set(names).size).toBe(3)
  expect(names[0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/)
  expect(names[2]).toMatch(/^[0-9a-f]{12}$/)
})

test('a folder that was published in part is a fault; one that nobody can see yet is none', async () => {
  const project = mkdtempSync(join(tmpdir(), 'textrec-torture-published-'))
  folders.push(project)
  await publishFolder(join(project, 'indexes', 'whole'), 'vector-index', async (folder) => {
    writeFileSync(join(folder, 'keys.i32'), 'keys')
    return {}
  })
  mkdirSync(join(project, 'indexes', '.part.new-1.1-abcdefabcdef'))
  writeFileSync(join(project, 'indexes', '.part.new-1.1-abcdefabcdef', 'keys.i32'), 'ke')
  expect(await publishedFaults(project)).toEqual([])
  writeFileSync(join(project, 'indexes', 'whole', 'keys.i32'), 'ke')
  mkdirSync(join(project, 'adapters', 'some', 'adapter'), { recursive: true })
  writeFileSync(join(project, 'adapters', 'some', 'adapter', 'tensors.f32'), '')
  const faults = await publishedFaults(project)
  expect(faults).toHaveLength(2)
  expect(faults[0]).toContain("'keys.i32' has 2 bytes instead of 4")
  expect(faults[1]).toContain('adapters/some/adapter')
})
