import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { MANIFEST_NAME, readFolder } from '../../src/artifact/index.js'

/** Where folders are published: under these, whatever holds a file and is not hidden is one. */
const PLACES = ['indexes', 'adapters', 'crowd', 'training']

/** The folders of a project that were published in part, with what is wrong with them; live or not. */
export async function publishedFaults(project: string): Promise<string[]> {
  const faults: string[] = []
  for (const place of PLACES) {
    for (const folder of publishedBelow(join(project, place))) {
      try {
        const { kind } = JSON.parse(readFileSync(join(folder, MANIFEST_NAME), 'utf8')) as { kind: string }
        await readFolder(folder, kind, 'INDEX_DAMAGED')
      } catch (error) {
        faults.push(`published in part: ${relative(project, folder)} (${(error as Error).message})`)
      }
    }
  }
  return faults
}

function publishedBelow(folder: string): string[] {
  if (!existsSync(folder)) return []
  const entries = readdirSync(folder, { withFileTypes: true })
  const below = entries
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .flatMap(({ name }) => publishedBelow(join(folder, name)))
  return entries.some((entry) => entry.isFile()) ? [folder, ...below] : below
}
