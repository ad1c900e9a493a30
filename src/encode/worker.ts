import { TextrecError } from '../errors.js'
import { serveWorker } from '../onnx/worker-server.js'
import { type EncodeRequest, EncoderEngine, type OpenRequest } from './engine.js'

/** The thread that owns an encoder: started by `openEncoder`, see encoder.ts. */

let engine: EncoderEngine | undefined

serveWorker(
  {
    async open(request: OpenRequest, { progress }) {
      engine = await EncoderEngine.open(request, progress)
      return { result: engine.facts }
    },
    async encode(request: EncodeRequest, { signal, progress }) {
      if (engine === undefined)
        throw new TextrecError('INTERNAL', 'The encoder is not open.', 'Open it first.')
      const result = await engine.encode(request, signal, progress)
      return { result, transfer: [result.vectors.buffer as ArrayBuffer] }
    },
  },
  async () => engine?.close(),
)
