import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { publishFolder, readFolder, readManifest, readPayload, removeTemporary } from '#src/artifact/index.js'
import { random } from '#src/math/random.js'

let parent: string
let target: string
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'textrec-artifact-'))
  target = join(parent, 'thing')
})
afterEach(() => rmSync(parent, { recursive: true, force: true }))

const publish = (version: number, at = target) =>
  publishFolder(at, 'test', async (folder) => {
    await writeFile(join(folder, 'a.bin'), new Uint8Array(1000).fill(version))
    await writeFile(join(folder, 'b.bin'), `version ${version}`)
    return { version }
  })

/** 'old' or 'new' by what can be read, with every hash checked. */
async function versionAt(at: string): Promise<number> {
  const manifest = await readFolder(at, 'test', 'INDEX_DAMAGED')
  const version = manifest.fields.version as number
  const a = await readPayload(at, manifest, 'a.bin', 'INDEX_DAMAGED')
  expect(a).toEqual(new Uint8Array(1000).fill(version))
  expect(await readFile(join(at, 'b.bin'), 'utf8')).toBe(`version ${version}`)
  return version
}

test('what is published is read back, and nothing else is left', async () => {
  const manifest = await publish(1)
  expect(manifest).toEqual(await readManifest(target, 'test', 'INDEX_DAMAGED'))
  expect(Object.keys(manifest.files)).toEqual(['a.bin', 'b.bin'])
  expect(await versionAt(target)).toBe(1)
  await publish(2)
  expect(await versionAt(target)).toBe(2)
  expect(readdirSync(parent)).toEqual(['thing'])
})

test('a refused verification leaves the old state and no leftovers', async () => {
  await publish(1)
  const refused = publishFolder(
    target,
    'test',
    async (folder) => {
      await writeFile(join(folder, 'a.bin'), 'x')
      return {}
    },
    async (folder) => {
      expect((await readFolder(folder, 'test', 'INDEX_DAMAGED')).fields).toEqual({})
      throw new Error('not good enough')
    },
  )
  await expect(refused).rejects.toThrow('not good enough')
  expect(await versionAt(target)).toBe(1)
  expect(readdirSync(parent)).toEqual(['thing'])
})

test('impossible names, folders and links are refused when publishing', async () => {
  await expect(publish(1, join(parent, '.hidden'))).rejects.toMatchObject({ code: 'OPTION_INVALID' })
  for (const make of [
    (folder: string) => mkdir(join(folder, 'sub')),
    (folder: string) => writeFile(join(folder, 'a b'), ''),
    (folder: string) => writeFile(join(folder, 'manifest.json'), '{}'),
    (folder: string) => symlink('/etc/hostname', join(folder, 'link')),
  ]) {
    const result = publishFolder(target, 'test', async (folder) => {
      await make(folder)
      return {}
    })
    await expect(result).rejects.toMatchObject({ code: 'INTERNAL' })
  }
  expect(readdirSync(parent)).toEqual([])
})

test('a folder that is a link to nowhere is named', async () => {
  await symlink(join(parent, 'nowhere'), join(parent, 'things'))
  await expect(publish(1, join(parent, 'things', 'one'))).rejects.toMatchObject({
    code: 'FILE_UNREADABLE',
    fact: expect.stringContaining('things is a link that leads nowhere'),
  })
})

test('every changed byte, other kind, missing or linked file is refused', async () => {
  await publish(1)
  const source = random(11)
  const names = ['manifest.json', 'a.bin', 'b.bin']
  const originals = new Map(names.map((name) => [name, readFileSync(join(target, name))]))
  for (let mutant = 0; mutant < 300; mutant++) {
    const name = names[source.integer(3)]
    const bytes = Buffer.from(originals.get(name) as Buffer)
    const at = source.integer(bytes.length)
    const kind = source.integer(4)
    let changed = bytes
    if (kind === 0) changed[at] ^= 1 << source.integer(8)
    if (kind === 1) changed = bytes.subarray(0, at)
    if (kind === 2) changed = Buffer.concat([bytes, Buffer.from(' ')])
    if (kind === 3)
      changed = Buffer.concat([bytes.subarray(0, at), Buffer.from('{"x":1}'), bytes.subarray(at)])
    await writeFile(join(target, name), changed)
    await expect(readFolder(target, 'test', 'INDEX_DAMAGED')).rejects.toMatchObject({ code: 'INDEX_DAMAGED' })
    await writeFile(join(target, name), bytes === changed ? (originals.get(name) as Buffer) : bytes)
  }
  expect(await versionAt(target)).toBe(1)
  await expect(readFolder(target, 'other', 'MODEL_INVALID')).rejects.toMatchObject({ code: 'MODEL_INVALID' })
  rmSync(join(target, 'b.bin'))
  await symlink(join(target, 'a.bin'), join(target, 'b.bin'))
  await expect(readManifest(target, 'test', 'INDEX_DAMAGED')).rejects.toMatchObject({ code: 'INDEX_DAMAGED' })
  await expect(readFolder(join(parent, 'none'), 'test', 'INDEX_DAMAGED')).rejects.toThrow(/no manifest/)
})

test('a manifest with hostile names or an unknown format is refused', async () => {
  await publish(1)
  const text = readFileSync(join(target, 'manifest.json'), 'utf8')
  for (const hostile of ['../../etc/hostname', '/etc/hostname', 'a\\u0000b', '__proto__', '..', '']) {
    await writeFile(join(target, 'manifest.json'), text.replace('a.bin', hostile))
    await expect(readFolder(target, 'test', 'INDEX_DAMAGED')).rejects.toThrow(/impossible file/)
  }
  await writeFile(join(target, 'manifest.json'), text.replace('"format": 1', '"format": 2'))
  await expect(readFolder(target, 'test', 'INDEX_DAMAGED')).rejects.toThrow(/format version/)
})

test('publishers at the same target: one whole state stays', async () => {
  await Promise.all([1, 2, 3, 4, 5, 6].map((version) => publish(version)))
  expect([1, 2, 3, 4, 5, 6]).toContain(await versionAt(target))
  expect(readdirSync(parent)).toEqual(['thing'])
})

test('a set-aside folder of a dead process comes back, and its other leftovers go', async () => {
  await publish(1)
  const dead = '999999999.1-0123456789ab'
  await publish(2, join(parent, 'x'))
  renameSync(target, join(parent, `.thing.old-${dead}`))
  await mkdir(join(parent, `.thing.new-${dead}`))
  await mkdir(join(parent, `.thing.new-${process.pid}.0-0123456789ab`))
  expect(await versionAt(target)).toBe(1)
  expect(await removeTemporary(parent)).toEqual([join(parent, `.thing.new-${dead}`)])
  expect(readdirSync(parent)).toEqual([`.thing.new-${process.pid}.0-0123456789ab`, 'thing', 'x'])
  renameSync(target, join(parent, `.thing.old-${dead}`))
  expect(await removeTemporary(parent)).toEqual([])
  expect(await versionAt(target)).toBe(1)
  expect(await removeTemporary(join(parent, 'none'))).toEqual([])
})

test('killed at any moment while publishing: the old state or a new one, whole', async () => {
  await publish(0)
  const script = `
    const { publishFolder } = await import(${JSON.stringify(import.meta.resolve('#src/artifact/index.js'))})
    const { writeFile } = await import('node:fs/promises')
    process.stdout.write('ready')
    for (let version = 1; ; version = version % 200 + 1)
      await publishFolder(${JSON.stringify(target)}, 'test', async (folder) => {
        await writeFile(folder + '/a.bin', new Uint8Array(1000).fill(version))
        await writeFile(folder + '/b.bin', 'version ' + version)
        return { version }
      })`
  const source = random(5)
  for (let kill = 0; kill < 15; kill++) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(child.stdout, 'data')
    await new Promise((resolve) => setTimeout(resolve, source.next() * 40))
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(await versionAt(target)).toBeGreaterThanOrEqual(0)
    await removeTemporary(parent)
    expect(readdirSync(parent)).toEqual(['thing'])
    expect(existsSync(target)).toBe(true)
  }
})
