import { constants, existsSync } from 'node:fs'
import { copyFile, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { type ErrorCode, TextrecError } from '../errors.js'
import { errorCode, makeFolder, syncPath, writeError } from './files.js'
import { damaged, MANIFEST_NAME, type Manifest } from './manifest.js'
import { readFolder, readManifest } from './read.js'
import { removeTemporary, temporarySibling } from './temporary.js'

/**
 * Copies a published folder to a new place, where every byte is read again and compared with the manifest: a
 * folder that is replaced or removed meanwhile gives an error, never a mixture.
 * @throws `damagedCode` if the source or the copy is not what its manifest says; the system's error for a full disk.
 */
export async function copyFolder(
  source: string,
  target: string,
  kind: string,
  damagedCode: ErrorCode,
): Promise<Manifest> {
  const { files } = await readManifest(source, kind, damagedCode)
  makeFolder(dirname(target))
  await mkdir(target)
  for (const name of [...Object.keys(files), MANIFEST_NAME]) {
    const path = join(target, name)
    try {
      // A clone where the file system has them: the same blocks until either is changed.
      await copyFile(join(source, name), path, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
    } catch (cause) {
      if (errorCode(cause) !== 'ENOENT') throw cause
      throw damaged(damagedCode, source, `'${name}' went away`, cause)
    }
    await syncPath(path)
  }
  return readFolder(target, kind, damagedCode)
}

/** Forces the entries of a folder, and of all below it, to the disk; files are their writer's business. */
async function syncFolders(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await syncFolders(join(folder, entry.name))
  }
  await syncPath(folder)
}

/**
 * Makes a folder that is not there yet, whole or not at all: `write` fills a hidden sibling with files that it
 * forces to the disk, a rename makes it `target`. What a killed process left of an earlier try is removed first.
 * @throws OPTION_INVALID if there is something at `target`; DISK_FULL; whatever `write` throws. Nothing is left then.
 */
export async function publishNew<T>(target: string, write: (folder: string) => Promise<T>): Promise<T> {
  const parent = dirname(target)
  if (existsSync(target)) throw exists(target)
  const folder = temporarySibling(target, 'new')
  try {
    makeFolder(parent)
    await removeTemporary(parent, basename(target))
    await mkdir(folder)
    const result = await write(folder)
    await syncFolders(folder)
    if (existsSync(target)) throw exists(target)
    await rename(folder, target)
    await syncPath(parent)
    return result
  } catch (error) {
    await rm(folder, { recursive: true, force: true }).catch(() => undefined)
    // Somebody put a folder there between the look and the rename.
    if (['ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(errorCode(error))) throw exists(target)
    throw writeError(error, target)
  }
}

function exists(target: string): TextrecError {
  return new TextrecError('OPTION_INVALID', `There is something at ${target} already.`, 'Choose a new name.')
}
