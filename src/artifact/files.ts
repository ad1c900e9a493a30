import { createHash } from 'node:crypto'
import { constants, existsSync, mkdirSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { isTextrecError, TextrecError } from '../errors.js'

/** Forces a file's bytes, or a folder's entries, to the disk. */
export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY)
  try {
    await handle.sync()
  } catch (error) {
    // Some file systems refuse to sync a folder; there is nothing more that can be done on those.
    if (!['EINVAL', 'ENOTSUP', 'EISDIR', 'EPERM'].includes(errorCode(error))) throw error
  } finally {
    await handle.close()
  }
}

/** Writes a new file and forces it to the disk. @throws EEXIST where there is one already. */
export async function writeSynced(path: string, bytes: Uint8Array | string): Promise<void> {
  const handle = await open(path, 'wx')
  try {
    await handle.writeFile(bytes)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/**
 * Makes a folder and those above it that are missing, one by one: Node's own recursive mkdir tries for ever
 * where a parent can be neither found nor made (below /proc, or in a working directory that was deleted).
 */
export function makeFolder(path: string): void {
  const missing: string[] = []
  for (let at = resolve(path); !existsSync(at) && at !== dirname(at); at = dirname(at)) missing.push(at)
  for (const folder of missing.reverse()) {
    try {
      mkdirSync(folder)
    } catch (error) {
      // Another process may be making the same one.
      if (errorCode(error) !== 'EEXIST') throw error
      if (existsSync(folder)) continue
      const remedy = 'Remove the link, or make the folder that it names.'
      throw new TextrecError('FILE_UNREADABLE', `${folder} is a link that leads nowhere.`, remedy)
    }
  }
}

/** Size and SHA-256 of a file, which is never whole in memory. */
export async function hashFile(path: string): Promise<{ bytes: number; sha256: string }> {
  const handle = await open(path)
  try {
    const hash = createHash('sha256')
    // One buffer for all of it: a stream makes one for every chunk, which costs as much time again as the hash.
    const chunk = new Uint8Array(2 ** 20)
    let bytes = 0
    for (;;) {
      const { bytesRead } = await handle.read(chunk, 0, chunk.length)
      if (bytesRead === 0) return { bytes, sha256: hash.digest('hex') }
      hash.update(chunk.subarray(0, bytesRead))
      bytes += bytesRead
    }
  } finally {
    await handle.close()
  }
}

/**
 * Fills `target` from the start of the file, hashing as it goes in steps that leave the event loop free.
 * @returns the bytes read (fewer if the file is shorter) and their SHA-256.
 */
export async function readInto(
  handle: FileHandle,
  target: Uint8Array,
): Promise<{ bytes: number; sha256: string }> {
  const step = 2 ** 22
  const hash = createHash('sha256')
  let done = 0
  while (done < target.length) {
    const { bytesRead } = await handle.read(target, done, Math.min(step, target.length - done), done)
    if (bytesRead === 0) break
    hash.update(target.subarray(done, done + bytesRead))
    done += bytesRead
  }
  return { bytes: done, sha256: hash.digest('hex') }
}

/** The system's name of an error ('ENOSPC'), or ''. */
export function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}

/** What a failed write means to the caller: ours as they are, a full or failing disk as DISK_FULL. */
export function writeError(error: unknown, where: string): unknown {
  if (isTextrecError(error)) return error
  const code = errorCode(error)
  if (!['ENOSPC', 'EDQUOT', 'EIO', 'EROFS', 'EFBIG'].includes(code)) return error
  return new TextrecError(
    'DISK_FULL',
    `${where} could not be written (${code}).`,
    'Free some space or mend the disk, then run it again; what was there before is untouched.',
    { cause: error },
  )
}
