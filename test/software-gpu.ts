import { existsSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'

// SwiftShader (Debian's chromium and libvulkan1) runs the webgpu provider without a GPU: right, and very slow.
const DRIVER = '/usr/lib/chromium/vk_swiftshader_icd.json'
const LOADERS = ['x86_64', 'aarch64'].map((cpu) => `/usr/lib/${cpu}-linux-gnu/libvulkan.so.1`)
const present = existsSync(DRIVER) && LOADERS.some((path) => existsSync(path))

/** People without it skip; in CI it must be there: a check that is silently skipped protects nobody. */
export const skipSoftwareGpu = !present && process.env.CI === undefined

/** Points this process to the software GPU. Fails where it is missing. */
export function useSoftwareGpu(): void {
  expect(present, `${DRIVER} or the Vulkan loader is missing: install Debian's chromium and libvulkan1`).toBe(
    true,
  )
  process.env.VK_ICD_FILENAMES ??= DRIVER
  process.env.XDG_RUNTIME_DIR ??= mkdtempSync(join(tmpdir(), 'textrec-xdg-'))
}
