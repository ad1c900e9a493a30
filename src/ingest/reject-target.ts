import {
  accessSync,
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  realpathSync,
  type Stats,
  statSync,
} from 'node:fs'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { TextrecError } from '../errors.js'

/** What a project keeps beside catalog.db and its logs. Nothing of it takes rejects, or anything else for people to read. */
const PROJECT_PARTS = new Set([
  'indexes',
  'adapters',
  'locks',
  'crowd',
  'people',
  'training',
  'tuning',
  'graphs',
])
/** Longer than any first line of a reject file. */
const HEAD_BYTES = 64 * 1024

/**
 * Opens the file that the caller named for rejects, ready to take them, or gives undefined where nothing is
 * there yet. Nothing is ever unlinked, and nothing is emptied but a reject file: the path must be missing, an empty
 * file, a reject file of an earlier run, a pipe that somebody reads, or a character device.
 * @throws TextrecError OPTION_INVALID, FILE_UNREADABLE, DISK_FULL
 */
export function openRejectTarget(
  path: string,
  project: string,
  inputs: readonly string[],
): number | undefined {
  return guardRejects(path, () => {
    const absolute = resolve(path)
    if (path === '') refuse(path, 'an empty name')
    if (inputs.some((input) => resolve(input) === absolute)) refuse(path, 'a file to import')
    const found = statSync(absolute, { throwIfNoEntry: false })
    if (isOfProject(absolute, found, project)) refuse(path, "one of the project's own files")
    if (found === undefined) {
      requirePlace(path, absolute)
      return undefined
    }
    if (!found.isCharacterDevice() && inputs.some((input) => same(input, found)))
      refuse(path, 'a file to import')
    if (found.isFile()) return openEarlier(path, absolute)
    if (found.isFIFO()) return openPipe(absolute)
    if (found.isCharacterDevice()) return openSync(absolute, constants.O_WRONLY)
    refuse(path, found.isDirectory() ? 'a folder' : 'neither a file nor a pipe')
  })
}

/** Whether there is a regular file that begins with a record of a reject file. */
export function isRejectFile(path: string): boolean {
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return false
  const file = openSync(path, constants.O_RDONLY)
  try {
    return startsWithReject(file)
  } finally {
    closeSync(file)
  }
}

/** Runs `write` and says what its failure means. @throws TextrecError DISK_FULL, FILE_UNREADABLE */
export function guardRejects<T>(path: string, write: () => T): T {
  try {
    return write()
  } catch (cause) {
    if (cause instanceof TextrecError) throw cause
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error'
    if (['ENOSPC', 'EDQUOT', 'EIO'].includes(code)) {
      throw new TextrecError(
        'DISK_FULL',
        `The reject file ${path} cannot be written (${code}).`,
        'Make room, or name another place for it with the option rejects.',
        { cause },
      )
    }
    const nobody = code === 'ENXIO' || code === 'EPIPE'
    throw new TextrecError(
      'FILE_UNREADABLE',
      nobody
        ? `Nobody reads from the pipe ${path} (${code}).`
        : `The reject file ${path} cannot be opened or written (${code}).`,
      'Name another place for it with the option rejects.',
      { cause },
    )
  }
}

/** A regular file is emptied through the descriptor that has been looked into: no other file can take its place. */
function openEarlier(path: string, absolute: string): number {
  const file = openSync(absolute, constants.O_RDWR)
  try {
    if (fstatSync(file).size > 0) {
      if (!startsWithReject(file)) {
        refuse(path, 'a file with other content, which would be lost')
      }
      ftruncateSync(file, 0)
    }
    return file
  } catch (error) {
    closeSync(file)
    throw error
  }
}

function startsWithReject(file: number): boolean {
  const head = Buffer.alloc(HEAD_BYTES)
  const first = head.toString('utf8', 0, readSync(file, head, 0, HEAD_BYTES, 0)).split('\n', 1)[0]
  try {
    const record = JSON.parse(first)
    const texts = [record.field, record.expected, record.received]
    return Number.isInteger(record.line) && texts.every((text) => typeof text === 'string')
  } catch {
    return false
  }
}

/** Opening a pipe that nobody reads would wait for ever, with the event loop: it is tried without waiting first. */
function openPipe(absolute: string): number {
  const trial = openSync(absolute, constants.O_WRONLY | constants.O_NONBLOCK)
  try {
    return openSync(absolute, constants.O_WRONLY)
  } finally {
    closeSync(trial)
  }
}

/** A new file needs a folder that can be written, or one in which its folder can be made. */
function requirePlace(path: string, absolute: string): void {
  if (lstatSync(absolute, { throwIfNoEntry: false }) !== undefined) refuse(path, 'a link that leads nowhere')
  accessSync(existingParent(absolute), constants.W_OK | constants.X_OK)
}

/** The nearest folder above that exists. */
function existingParent(absolute: string): string {
  let parent = dirname(absolute)
  while (statSync(parent, { throwIfNoEntry: false }) === undefined) parent = dirname(parent)
  return parent
}

/** Whether `path` is, or would be, a part of the project: by its place, through links, or by a second name of a file. */
export function isProjectFile(path: string, project: string): boolean {
  const absolute = resolve(path)
  return isOfProject(absolute, statSync(absolute, { throwIfNoEntry: false }), project)
}

function isOfProject(absolute: string, found: Stats | undefined, project: string): boolean {
  if (statSync(project, { throwIfNoEntry: false }) === undefined) return false
  const root = realpathSync(project)
  const parent = existingParent(absolute)
  const real =
    found === undefined ? join(realpathSync(parent), relative(parent, absolute)) : realpathSync(absolute)
  if ([absolute, real].some((path) => isOwnName(relative(root, path)))) return true
  if (found?.isFile() !== true || found.nlink < 2) return false
  // A second name (a hard link) of a file of the project's.
  const locks = join(root, 'locks')
  const places = statSync(locks, { throwIfNoEntry: false })?.isDirectory() ? [root, locks] : [root]
  return places.some((place) =>
    readdirSync(place).some((name) => (place === locks || isOwnName(name)) && same(join(place, name), found)),
  )
}

/** Of a path relative to the project's folder. */
function isOwnName(path: string): boolean {
  const [first] = path.split(sep)
  return first === '' || first.startsWith('catalog.db') || PROJECT_PARTS.has(first)
}

function same(path: string, found: Stats): boolean {
  const other = statSync(path, { throwIfNoEntry: false })
  return other !== undefined && other.dev === found.dev && other.ino === found.ino
}

function refuse(path: string, what: string): never {
  throw new TextrecError(
    'OPTION_INVALID',
    `import: ${path || "''"} is ${what} and cannot take the rejects.`,
    `Name a new file under rejects, or a reject file of an earlier run (as ${basename(path) || 'rejects'}.jsonl).`,
  )
}
