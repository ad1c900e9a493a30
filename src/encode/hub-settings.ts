import { join } from 'node:path'
import { TextrecError } from '../errors.js'
import { defaultCacheDirectory } from './cache-directory.js'

/** Where models come from and where they are kept, as transformers.js is set up in this process. */
export interface HubSettings {
  /** Looked into in this order; what is fetched goes to the first. */
  readonly folders: readonly string[]
  /** False where downloads have been switched off. */
  readonly mayFetch: boolean
  readonly host: string
  /** The address of a file of a repository's main branch. */
  address(id: string, file: string): string
  readonly fetch: (
    address: string,
    init: { readonly headers: Record<string, string>; readonly signal?: AbortSignal },
  ) => Promise<Response>
}

/** The part of transformers.js' `env` that is followed. */
interface TransformersEnvironment {
  readonly remoteHost: string
  readonly remotePathTemplate: string
  readonly allowRemoteModels: boolean
  readonly useFSCache: boolean
  readonly cacheDir: string | null
  readonly fetch: HubSettings['fetch']
}

/**
 * transformers.js' own settings, so that an application that has pointed it to a mirror, a cache folder or no
 * network at all has told textrec too.
 * @param hubDirectory comes before transformers.js' own cache
 * @throws DEPENDENCY_MISSING
 */
export async function hubSettings(hubDirectory: string | undefined): Promise<HubSettings> {
  let env: TransformersEnvironment
  try {
    const library = (await import('@xenova/transformers')) as unknown as {
      readonly env: TransformersEnvironment
    }
    env = library.env
  } catch (cause) {
    throw new TextrecError(
      'DEPENDENCY_MISSING',
      '@xenova/transformers could not be loaded.',
      'Install textrec again, or pass the path of a folder with the model.',
      { cause },
    )
  }
  const folders = [hubDirectory, env.useFSCache ? env.cacheDir : undefined].filter(
    (folder): folder is string => typeof folder === 'string' && folder !== '',
  )
  return {
    // An application without that cache still needs its encoder as files.
    folders: folders.length > 0 ? folders : [join(defaultCacheDirectory(), 'hub')],
    mayFetch: env.allowRemoteModels,
    host: env.remoteHost,
    address: (id, file) => {
      const path = env.remotePathTemplate.replaceAll('{model}', id).replaceAll('{revision}', 'main')
      return `${env.remoteHost.replace(/\/$/, '')}/${path.replace(/\/$/, '')}/${file}`
    },
    fetch: env.fetch,
  }
}
