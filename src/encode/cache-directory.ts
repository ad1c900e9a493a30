import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'

/** $TEXTREC_CACHE, or textrec's folder in the user's cache ($XDG_CACHE_HOME, ~/.cache). */
export function defaultCacheDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  if (environment.TEXTREC_CACHE) return environment.TEXTREC_CACHE
  const base = environment.XDG_CACHE_HOME
  // The XDG specification tells programs to ignore a relative path there.
  return join(base && isAbsolute(base) ? base : join(homedir(), '.cache'), 'textrec')
}
