import { readFile } from 'node:fs/promises'
import { normalize } from '../../math/matrix.js'
import { serveWorker } from '../../onnx/worker-server.js'
import { words } from './words.js'

export interface WordVectorRequest {
  /** The JSON file of the word vectors. */
  readonly path: string
  readonly texts: readonly string[]
}
export interface WordVectorResult {
  /** [texts, dim] unit rows; zeros where no word of the text is known. */
  readonly data: Float32Array<ArrayBuffer>
  readonly dim: number
}

/** The file's layout: each word's numbers are followed by their length and the word's place. */
interface WordFile {
  readonly dimensions: number
  readonly vectors: { readonly [word: string]: readonly number[] }
}

async function meanVectors({ path, texts }: WordVectorRequest): Promise<WordVectorResult> {
  const { dimensions, vectors } = JSON.parse(await readFile(path, 'utf8')) as WordFile
  const data = new Float32Array(texts.length * dimensions)
  for (const [i, text] of texts.entries()) {
    const mean = data.subarray(i * dimensions, (i + 1) * dimensions)
    for (const word of words(text)) {
      if (!Object.hasOwn(vectors, word)) continue
      const vector = vectors[word]
      for (let d = 0; d < dimensions; d++) mean[d] += vector[d]
    }
    normalize(mean)
  }
  return { data, dim: dimensions }
}

serveWorker(
  {
    mean: async (request: WordVectorRequest) => {
      const result = await meanVectors(request)
      return { result, transfer: [result.data.buffer] }
    },
  },
  async () => {},
)
