import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isRejectFile } from '../ingest/index.js'
import type { Store } from '../store/index.js'

const REJECT_FILES = 'rejectFiles'
const REMOVED = '(removed by forget)'

/** Remembers a reject file that lies outside of the project, so that forgetting finds it. */
export function noteRejectFile(store: Store, path: string): void {
  const known = store.meta<string[]>(REJECT_FILES) ?? []
  if (!known.includes(path)) store.setMeta(REJECT_FILES, [...known, path])
}

/** Forgets which reject files lie outside: a copy of the project on another machine has none there. */
export function dropRejectFiles(store: Store): void {
  store.setMeta(REJECT_FILES, undefined)
}

/**
 * Takes what was received out of the project's reject files, where it came from reviews and interactions: a
 * refused record is nobody's, so any of it may be the person's. What was wrong, and where, stays.
 * @returns how many lines were changed
 */
export async function scrubRejects(store: Store, userId: string): Promise<number> {
  const folder = join(store.directory, 'rejects')
  const inside = existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : []
  // Something else may lie there by now, a pipe even, or the import refused the path: only reject files are rewritten.
  const outside = (store.meta<string[]>(REJECT_FILES) ?? []).filter(isRejectFile)
  let changed = 0
  for (const path of new Set([...inside, ...outside])) changed += await scrubFile(path, userId)
  return changed
}

async function scrubFile(path: string, userId: string): Promise<number> {
  let changed = 0
  const lines = readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const clean = scrubLine(line, userId)
      if (clean !== line) changed++
      return clean
    })
  if (changed === 0) return 0
  const clean = `${path}.clean`
  await rm(clean, { force: true })
  const file = await open(clean, 'wx')
  try {
    await file.appendFile(lines.map((line) => `${line}\n`).join(''))
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(clean, path)
  return changed
}

function scrubLine(line: string, userId: string): string {
  let reject: Record<string, unknown>
  try {
    reject = JSON.parse(line) as Record<string, unknown>
  } catch {
    return '' // cut off by a kill: nothing can be read from it, so nothing is kept
  }
  const mayBeTheirs =
    reject.kind !== 'items' || JSON.stringify(reject).includes(JSON.stringify(userId).slice(1, -1))
  if (!mayBeTheirs) return line
  const field = String(reject.field).includes(userId) ? REMOVED : reject.field
  return JSON.stringify({ ...reject, field, received: REMOVED })
}
