import { serveWorker } from '../onnx/worker-server.js'
import { Store } from '../store/index.js'
import { publishCrowd } from './crowd-files.js'
import type { ServingSettings } from './serving.js'

export interface CrowdRequest {
  readonly directory: string
  readonly settings: ServingSettings
  /** See publishCrowd. */
  readonly unless?: string
}

// A thread of its own, with its own connection: reading a million events takes a second or two.
serveWorker(
  {
    publish: async ({ directory, settings, unless }: CrowdRequest, { signal, progress }) => {
      const store = Store.open(directory)
      try {
        await publishCrowd(store, settings, { unless, signal, onProgress: progress })
      } finally {
        store.close()
      }
      return { result: undefined }
    },
  },
  async () => undefined,
)
