import { basename } from 'node:path'
import { publishFolder } from '../artifact/index.js'
import { TextrecError } from '../errors.js'
import type { BuiltIndex } from './build.js'
import { HnswProcess } from './hnsw-client.js'
import { ARTIFACT_KIND, describe, type IndexManifest, type IndexOrigin, manifestFields } from './manifest.js'
import { openIndex } from './open.js'

/** The share of trials that may miss their own vector before an index that was just written is refused. */
const MISSES_ALLOWED = 0.1

/**
 * Writes a built index to `folder`, tries it out, and makes it visible in one step; an index that was there
 * stays if anything fails. A graph is opened and asked in a process of its own first: hnswlib writes a short
 * file to a full disk without a word, and such a file can take down the process that reads it. `built` is
 * closed, whatever happens.
 * @throws DISK_FULL if what was written cannot be read back.
 */
export async function publishIndex(
  folder: string,
  built: BuiltIndex,
  origin: IndexOrigin,
): Promise<IndexManifest> {
  try {
    const manifest = await publishFolder(
      folder,
      ARTIFACT_KIND,
      async (temporary) => {
        await built.save(temporary)
        return manifestFields(basename(folder), built, origin)
      },
      (temporary) => tryOut(temporary, built),
    )
    return describe(folder, manifest)
  } finally {
    await built.close()
  }
}

async function tryOut(folder: string, built: BuiltIndex): Promise<void> {
  if (built.kind === 'exact') {
    const { index } = await openIndex(folder, { dim: built.dim })
    await index.close()
    return
  }
  const child = new HnswProcess()
  try {
    const { size, wrong, trials } = await child.call('tryOut', { folder })
    if (size === built.size && wrong <= trials * MISSES_ALLOWED) return
    throw new Error(`${wrong} of ${trials} vectors were not found again`)
  } catch (cause) {
    throw new TextrecError(
      'DISK_FULL',
      'The index that was just written cannot be read back.',
      'Free some space or check the disk, then run it again; the index that was there is untouched.',
      { cause },
    )
  } finally {
    await child.kill()
  }
}
