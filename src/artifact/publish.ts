import { lstat, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { TextrecError } from '../errors.js'
import { errorCode, hashFile, makeFolder, syncPath, writeError, writeSynced } from './files.js'
import {
  isPayloadName,
  type JsonObject,
  MANIFEST_NAME,
  type Manifest,
  type ManifestFile,
  serializeManifest,
} from './manifest.js'
import { temporarySibling } from './temporary.js'

/**
 * Publishes a folder in one step: `write` fills a temporary sibling of `target`, every file is hashed and forced
 * to the disk, the manifest is added, `verify` looks at the result as a reader would, and a rename makes it
 * `target`. A process killed at any moment leaves the old state or the new one; what it leaves besides is
 * hidden, and `removeTemporary` clears it. An existing `target` is replaced; readers that arrive between the
 * two renames which that takes wait for the second.
 *
 * @param kind what the folder is ('vector-index'); a reader must ask for the same.
 * @param write puts plain files, no folders, into `folder` and returns the manifest's fields.
 * @param verify throws if the folder, manifest included, is not good enough to publish.
 * @throws DISK_FULL if the disk is full or failing; whatever `write` and `verify` throw. Nothing is left then.
 */
export async function publishFolder(
  target: string,
  kind: string,
  write: (folder: string) => Promise<JsonObject>,
  verify?: (folder: string) => Promise<void>,
): Promise<Manifest> {
  if (!isPayloadName(basename(target))) {
    throw new TextrecError(
      'OPTION_INVALID',
      `'${basename(target)}' cannot be the name of a published folder.`,
      'Use letters, digits, dots, dashes and underscores, beginning with a letter or digit.',
    )
  }
  const folder = temporarySibling(target, 'new')
  try {
    makeFolder(dirname(target))
    await mkdir(folder)
    const fields = await write(folder)
    const manifest: Manifest = { format: 1, kind, files: await sealFiles(folder), fields }
    await writeSynced(join(folder, MANIFEST_NAME), serializeManifest(manifest))
    await syncPath(folder)
    await verify?.(folder)
    await takePlace(folder, target)
    return manifest
  } catch (error) {
    await rm(folder, { recursive: true, force: true }).catch(() => undefined)
    throw writeError(error, target)
  }
}

/** Hashes what was written and forces it to the disk, in order of name. */
async function sealFiles(folder: string): Promise<{ [name: string]: ManifestFile }> {
  const files: { [name: string]: ManifestFile } = {}
  for (const name of (await readdir(folder)).sort()) {
    const path = join(folder, name)
    if (!isPayloadName(name) || !(await lstat(path)).isFile()) {
      throw new TextrecError(
        'INTERNAL',
        `'${name}' cannot be in a published folder.`,
        'Write plain files only.',
      )
    }
    await syncPath(path)
    files[name] = await hashFile(path)
  }
  return files
}

/** Makes `folder` the published one. */
async function takePlace(folder: string, target: string): Promise<void> {
  const parent = dirname(target)
  // A folder with files in it cannot be renamed over: it is set aside first. Another publisher may take the
  // place in between; then that one is set aside in turn, and the last to come stays.
  for (let attempt = 0; attempt < 100; attempt++) {
    try {
      await rename(folder, target)
      await syncPath(parent)
      return
    } catch (error) {
      if (!['ENOTEMPTY', 'EEXIST', 'EPERM', 'ENOTDIR'].includes(errorCode(error)) || attempt === 99)
        throw error
    }
    const aside = temporarySibling(target, 'old')
    try {
      await rename(target, aside)
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error
      continue
    }
    try {
      await rename(folder, target)
    } catch (error) {
      // Somebody else took the place, which is fine, or the rename failed: then the old one goes back.
      await rename(aside, target).catch(() => undefined)
      if (!['ENOTEMPTY', 'EEXIST'].includes(errorCode(error))) throw error
      await rm(aside, { recursive: true, force: true })
      continue
    }
    await syncPath(parent)
    await rm(aside, { recursive: true, force: true })
    return
  }
}
