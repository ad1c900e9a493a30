import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { errorCode, syncPath } from './files.js'

/**
 * Names of folders on their way. `.NAME.new-OWNER-RANDOM` is being written; `.NAME.old-OWNER-RANDOM` was the
 * published one until a moment ago. OWNER is a process: its id and when it started, so that another process
 * that got the same id later is not taken for it.
 */
const TEMPORARY = /^\.(.+)\.(new|old)-(\d+)\.(\d+)-[0-9a-f]{12}$/

export function temporarySibling(target: string, role: 'new' | 'old'): string {
  const random = randomBytes(6).toString('hex')
  const owner = `${process.pid}.${startOf(process.pid) ?? 0}`
  return join(dirname(target), `.${basename(target)}.${role}-${owner}-${random}`)
}

/** The temporary folders in `parent` whose processes are gone. */
export async function abandonedIn(parent: string): Promise<string[]> {
  return (await namesIn(parent))
    .filter((name) => isAbandoned(TEMPORARY.exec(name)))
    .map((name) => join(parent, name))
}

const isAbandoned = (parts: RegExpExecArray | null): parts is RegExpExecArray =>
  parts !== null && !isAlive(Number(parts[3]), Number(parts[4]))

/**
 * Removes what killed processes left in `parent`; folders of living processes stay. A published folder that
 * was set aside by a process that died before the new one took its place is put back first.
 * @param only of this published name; of every name when absent.
 * @returns the paths removed.
 */
export async function removeTemporary(parent: string, only?: string): Promise<string[]> {
  const removed: string[] = []
  for (const name of await namesIn(parent)) {
    const parts = TEMPORARY.exec(name)
    if (!isAbandoned(parts)) continue
    if (only !== undefined && parts[1] !== only) continue
    const path = join(parent, name)
    if (parts[2] === 'old' && (await putBack(path, join(parent, parts[1])))) continue
    await rm(path, { recursive: true, force: true })
    removed.push(path)
  }
  return removed
}

/** If `target` is missing because its publisher died between two renames, puts the old one back. */
export async function restore(target: string): Promise<void> {
  const parent = dirname(target)
  for (const name of await namesIn(parent)) {
    const parts = TEMPORARY.exec(name)
    if (parts === null || parts[2] !== 'old' || parts[1] !== basename(target)) continue
    if (!isAlive(Number(parts[3]), Number(parts[4])) && (await putBack(join(parent, name), target))) return
  }
}

/** Sorted, so that leftovers are handled in the same order everywhere; none if the folder is missing. */
async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort()
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return []
    throw error
  }
}

/** Renames unless there is something at `target`. A rename over a folder with files in it fails by itself. */
async function putBack(path: string, target: string): Promise<boolean> {
  try {
    await rename(path, target)
    await syncPath(dirname(target))
    return true
  } catch {
    return false
  }
}

function isAlive(pid: number, started: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return errorCode(error) === 'EPERM'
  }
  const start = startOf(pid)
  return start === undefined || started === 0 || start === started
}

/** When a process started, in clock ticks since boot; undefined where the system does not say. */
function startOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The second field is the program's name in brackets and may hold anything; count from the last bracket.
    const start = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19])
    return Number.isSafeInteger(start) ? start : undefined
  } catch {
    return undefined
  }
}
