import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { publishFolder, readManifest, readPayload, removeTemporary } from '../artifact/index.js'
import { hashOf } from './files.js'

const KIND = 'encoder-graph'
const FILE = 'model.onnx'

/** The bytes of a model, and what they hash to. */
export interface CachedGraph {
  readonly bytes: Uint8Array
  readonly sha256: string
}

/**
 * The model bytes of a graph: from `<directory>/graphs/<fingerprint>` if they are there and unharmed, otherwise
 * built and put there. A damaged entry is replaced. A cache that cannot be written (a read-only or full disk)
 * costs the time of building again, nothing else.
 * @param fingerprint names all that the bytes depend on.
 */
export async function cachedGraph(
  directory: string,
  fingerprint: string,
  build: () => Promise<Uint8Array>,
): Promise<CachedGraph> {
  const parent = join(directory, 'graphs')
  const target = join(parent, fingerprint)
  try {
    const manifest = await readManifest(target, KIND, 'MODEL_INVALID')
    if (manifest.fields.fingerprint === fingerprint) {
      const bytes = await readPayload(target, manifest, FILE, 'MODEL_INVALID')
      return { bytes, sha256: manifest.files[FILE].sha256 } // as readPayload has found it
    }
  } catch {
    // Missing or damaged: building is the answer to both.
  }
  const bytes = await build()
  try {
    await removeTemporary(parent)
    await publishFolder(target, KIND, async (folder) => {
      await writeFile(join(folder, FILE), bytes)
      return { fingerprint }
    })
  } catch {
    // The caller has the bytes; the next one builds them again.
  }
  return { bytes, sha256: hashOf(bytes) }
}
