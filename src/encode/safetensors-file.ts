import { open } from 'node:fs/promises'
import { hashModelFile, modelFileBytes } from './files.js'
import { requireSoundHeader } from './safetensors.js'

/**
 * SHA-256 in hex of a safetensors file, which is never whole in memory. A hostile file is refused by its header, before
 * the rest of it costs time.
 * @throws MODEL_INVALID
 */
export async function hashWeights(path: string): Promise<string> {
  const size = await modelFileBytes(path)
  const handle = await open(path)
  try {
    const read = async (bytes: number, from: number) => {
      const buffer = new Uint8Array(Math.min(bytes, size))
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, from)
      return buffer.subarray(0, bytesRead)
    }
    await requireSoundHeader(read, size, path)
  } finally {
    await handle.close()
  }
  return hashModelFile(path)
}
