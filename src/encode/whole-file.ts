import { open, readFile, stat } from 'node:fs/promises'
import { externalFiles } from './onnx-file.js'
import { safetensorsBytes } from './safetensors.js'

export async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile()
  } catch {
    return false
  }
}

/**
 * Whether a file in a cache is all there. Caches are shared with other programs, whose older versions wrote files
 * in place: a killed one has left the beginning of a file under its final name. JSON must parse, safetensors must
 * have the length that their header states, and ONNX messages must not reach beyond their end. What is whole may
 * still be damaged or hostile; its reader says so.
 */
export async function isWholeModelFile(path: string): Promise<boolean> {
  if (!(await isFile(path))) return false
  try {
    if (path.endsWith('.safetensors')) return await hasStatedLength(path)
    if (path.endsWith('.json')) JSON.parse(await readFile(path, 'utf8'))
    else if (path.endsWith('.onnx')) await externalFiles(path)
    return true
  } catch {
    return false
  }
}

async function hasStatedLength(path: string): Promise<boolean> {
  const handle = await open(path)
  try {
    const { size } = await handle.stat()
    const read = async (bytes: number, from: number) => {
      const buffer = new Uint8Array(bytes)
      const { bytesRead } = await handle.read(buffer, 0, bytes, from)
      return buffer.subarray(0, bytesRead)
    }
    return size === (await safetensorsBytes(read, path))
  } finally {
    await handle.close()
  }
}
