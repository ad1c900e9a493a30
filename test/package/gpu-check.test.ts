import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { skipSoftwareGpu, useSoftwareGpu } from '../software-gpu.js'

const run = promisify(execFile)
const SCRIPTS = fileURLToPath(new URL('../../dist/scripts/', import.meta.url))

interface Result {
  readonly gflops: { readonly cpu: number; readonly device: number }
  readonly encoding: { readonly worst: number; readonly agrees: boolean }
  readonly training: readonly {
    readonly name: string
    readonly worst: number
    readonly from: number
    readonly to: number
    readonly onDevice: boolean
    readonly examplesPerSecond: number
  }[]
}

describe.skipIf(skipSoftwareGpu)('gpu-check on a software GPU', () => {
  beforeAll(useSoftwareGpu)
  const folder = mkdtempSync(join(tmpdir(), 'textrec-gpu-pack-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test('runs from its packed folder with nothing on the path, and the devices agree', async () => {
    await run(process.execPath, [join(SCRIPTS, 'gpu-pack.js'), folder, '--folder'])
    const { VK_ICD_FILENAMES, XDG_RUNTIME_DIR } = process.env
    const { stdout } = await run(
      '/bin/sh',
      [
        join(folder, 'gpu-check', 'run.sh'),
        '--tiny',
        '--threads',
        '1',
        '--json',
        join(folder, 'result.json'),
      ],
      { env: { PATH: '', VK_ICD_FILENAMES, XDG_RUNTIME_DIR } },
    )
    expect(stdout).toContain('Both agree.')
    const result = JSON.parse(readFileSync(join(folder, 'result.json'), 'utf8')) as Result
    expect(result.gflops.device).toBeGreaterThan(0)
    expect(result.encoding.worst).toBeGreaterThan(0.9999)
    expect(result.training.map(({ name }) => name)).toEqual(['in-batch softmax', 'sequence model'])
    for (const { worst, from, to, onDevice, examplesPerSecond } of result.training) {
      expect(worst).toBeLessThan(1e-3)
      expect(to).toBeLessThan(from)
      expect(onDevice).toBe(true)
      expect(examplesPerSecond).toBeGreaterThan(0)
    }
  }, 300_000)

  test('a device that cannot be had is a failure, not a pass', async () => {
    const check = run(process.execPath, [join(SCRIPTS, 'gpu-check.js'), '--tiny'], {
      env: { PATH: '', VK_ICD_FILENAMES: join(folder, 'no-such-driver.json') },
    })
    await expect(check).rejects.toMatchObject({ code: 1 })
  }, 60_000)
})
