import { constants } from 'node:fs'
import { lstat, open } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { ErrorCode } from '../errors.js'
import { errorCode, hashFile, readInto } from './files.js'
import { damaged, MANIFEST_NAME, MAX_MANIFEST_BYTES, type Manifest, parseManifest } from './manifest.js'
import { restore } from './temporary.js'

/** Neither follows a link nor waits for the other end of a pipe. */
const READ_PLAIN = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

/**
 * The manifest of a published folder, after checking that every file is there and has its size. The contents
 * of the files are not read: `readFolder` or `readPayload` do that.
 * @throws `damagedCode` if anything is missing or was changed.
 */
export async function readManifest(target: string, kind: string, damagedCode: ErrorCode): Promise<Manifest> {
  const bytes = await readManifestBytes(target, damagedCode)
  const manifest = parseManifest(bytes, kind, target, damagedCode)
  for (const [name, { bytes: expected }] of Object.entries(manifest.files)) {
    const found = await lstat(join(target, name)).catch(() => undefined)
    if (found === undefined || !found.isFile()) throw damaged(damagedCode, target, `'${name}' is missing`)
    if (found.size !== expected) {
      throw damaged(damagedCode, target, `'${name}' has ${found.size} bytes instead of ${expected}`)
    }
  }
  return manifest
}

/** `readManifest`, and the SHA-256 of every file besides. Reads everything once (about 1 s for 1 GB). */
export async function readFolder(target: string, kind: string, damagedCode: ErrorCode): Promise<Manifest> {
  const manifest = await readManifest(target, kind, damagedCode)
  for (const name of Object.keys(manifest.files)) await checkPayload(target, manifest, name, damagedCode)
  return manifest
}

/** Checks one file of a folder without keeping it. @throws `damagedCode` if its bytes are not what was published. */
export async function checkPayload(
  target: string,
  manifest: Manifest,
  name: string,
  damagedCode: ErrorCode,
): Promise<void> {
  const expected = manifest.files[name]
  const found = await hashFile(join(target, name)).catch((cause) => {
    throw damaged(damagedCode, target, `'${name}' cannot be read`, cause)
  })
  if (found.bytes !== expected.bytes || found.sha256 !== expected.sha256) {
    throw damaged(damagedCode, target, `'${name}' was changed after it was published`)
  }
}

/**
 * One file of a folder in memory, hashed there: what is returned is what was published, whatever happens to the
 * file meanwhile. The buffer begins at byte 0 of its memory, so it can be viewed as any kind of number.
 * @throws `damagedCode` if it is not listed, or its bytes are not what was published.
 */
export async function readPayload(
  target: string,
  manifest: Manifest,
  name: string,
  damagedCode: ErrorCode,
): Promise<Uint8Array<ArrayBuffer>> {
  if (!Object.hasOwn(manifest.files, name)) throw damaged(damagedCode, target, `it has no '${name}'`)
  const expected = manifest.files[name]
  let content: Uint8Array<ArrayBuffer>
  let found: { bytes: number; sha256: string }
  try {
    const handle = await open(join(target, name), READ_PLAIN)
    try {
      const { size } = await handle.stat()
      if (size !== expected.bytes) throw new Error(`${size} bytes instead of ${expected.bytes}`)
      content = new Uint8Array(size)
      found = await readInto(handle, content)
    } finally {
      await handle.close()
    }
  } catch (cause) {
    throw damaged(damagedCode, target, `'${name}' cannot be read whole`, cause)
  }
  if (found.bytes !== expected.bytes || found.sha256 !== expected.sha256) {
    throw damaged(damagedCode, target, `'${name}' was changed after it was published`)
  }
  return content
}

async function readManifestBytes(target: string, damagedCode: ErrorCode): Promise<Uint8Array> {
  // A folder that is being replaced is away for an instant; one whose publisher died there is put back.
  for (let attempt = 0; ; attempt++) {
    try {
      return await readSmall(join(target, MANIFEST_NAME))
    } catch (cause) {
      if (errorCode(cause) !== 'ENOENT' || attempt === 4) {
        throw damaged(damagedCode, target, 'it has no manifest that can be read', cause)
      }
      await restore(target)
      if (attempt > 0) await wait(5)
    }
  }
}

async function readSmall(path: string): Promise<Uint8Array> {
  const handle = await open(path, READ_PLAIN)
  try {
    const stat = await handle.stat()
    if (!stat.isFile() || stat.size > MAX_MANIFEST_BYTES) throw new Error('not a manifest')
    return await handle.readFile()
  } finally {
    await handle.close()
  }
}
