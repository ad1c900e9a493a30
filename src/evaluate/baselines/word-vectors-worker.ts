import { readFile } from 'node:fs/promises'
import { serveWorker } from '../../onnx/worker-server.js'

export interface WordVectorRequest {
  /** The JSON file of the word vectors. */
  readonly path: string
  readonly wanted: ReadonlySet<string>
}
export interface WordVectorResult {
  /** The words that were wanted and that the file has. */
  readonly words: readonly string[]
  /** [words, dim] */
  readonly data: Float32Array<ArrayBuffer>
  readonly dim: number
}

/** The file's layout: each word's numbers are followed by their length and the word's place. */
interface WordFile {
  readonly dimensions: number
  readonly vectors: { readonly [word: string]: readonly number[] }
}

async function wantedVectors({ path, wanted }: WordVectorRequest): Promise<WordVectorResult> {
  const { dimensions, vectors } = JSON.parse(await readFile(path, 'utf8')) as WordFile
  const words = [...wanted].filter((word) => Object.hasOwn(vectors, word))
  const data = new Float32Array(words.length * dimensions)
  for (const [i, word] of words.entries()) data.set(vectors[word].slice(0, dimensions), i * dimensions)
  return { words, data, dim: dimensions }
}

serveWorker(
  {
    vectors: async (request: WordVectorRequest) => {
      const result = await wantedVectors(request)
      return { result, transfer: [result.data.buffer] }
    },
  },
  async () => {},
)
