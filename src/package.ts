import { readFileSync } from 'node:fs'

/** The package's own folder: two levels above the compiled files in dist/src. */
const root = new URL('../../', import.meta.url)

/** The URL of a file that ships with the package, from the package's own folder. */
export function packageFile(path: string): URL {
  return new URL(path, root)
}

interface PackageJson {
  readonly version: string
}

/** The version in package.json. */
export const version: string = (JSON.parse(readFileSync(packageFile('package.json'), 'utf8')) as PackageJson)
  .version
