import { createHash, randomUUID } from 'node:crypto'
import { createReadStream, existsSync, realpathSync, type Stats, statSync } from 'node:fs'
import { open, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { makeFolder } from '../artifact/index.js'
import { TextrecError, throwIfAborted } from '../errors.js'
import { isProjectFile } from '../ingest/index.js'
import type { Store } from '../store/index.js'
import type { OnProgress, PersonAnswer } from '../types.js'

export interface EveryoneReport {
  readonly out: string
  /** People with a line in the file. */
  readonly people: number
  /** Of these, the ones whose line an interrupted run had left. */
  readonly resumed: number
}

interface EveryoneRun {
  readonly out: string
  /** Everybody who should get a line, in this order. */
  readonly userIds: readonly string[]
  /** Whatever decides the answers: lines of an earlier run are kept if theirs was the same. */
  readonly fingerprint: string
  readonly answer: (userIds: readonly string[]) => Promise<readonly PersonAnswer[]>
  readonly signal: AbortSignal | undefined
  readonly onProgress: OnProgress | undefined
}

/** People who are answered for at once, and kept at once, from the 64th on. */
const MOST_AT_ONCE = 64

/**
 * Where the piece that begins with this person ends: pieces of 1, 1, 2, 4 ... 64, 64 people, so that a run that is
 * stopped early keeps something too. By the place alone, so that every run answers in the same company.
 */
function pieceEnd(start: number): number {
  return start + Math.min(MOST_AT_ONCE, Math.max(1, start))
}

/** Files that were begun and not finished, as absolute paths: they name people. */
const UNFINISHED = 'unfinishedAnswers'

/** Removes what interrupted runs have left, wherever they were to write: after a person was forgotten. */
export async function removeUnfinished(store: Store): Promise<void> {
  for (const out of store.meta<string[]>(UNFINISHED) ?? []) {
    if (existsSync(dirname(out))) await removePartials(out)
  }
  if (store.meta(UNFINISHED) !== undefined) store.setMeta(UNFINISHED, undefined)
}

/** Notes that a run to `out` is under way, or is done. What may only be read cannot be forgotten in either. */
function note(store: Store, out: string, isUnderWay: boolean): void {
  if (store.readonly) return
  const others = (store.meta<string[]>(UNFINISHED) ?? []).filter((one) => one !== out)
  const noted = isUnderWay ? [...others, out] : others
  store.setMeta(UNFINISHED, noted.length === 0 ? undefined : noted)
}

/**
 * Writes one JSON line per person. Lines go to a file beside `out`, which takes its name at the end: `out` is
 * the whole or the old one, never a part. A run that was stopped or killed leaves the lines that it finished;
 * the next one with the same question goes on from there if the catalogue has not changed meanwhile.
 * @throws OPTION_INVALID for what is no file, DISK_FULL, ABORTED, PROJECT_LOCKED for another run to the same file at the same
 *   time
 */
export async function answerEveryone(store: Store, run: EveryoneRun): Promise<EveryoneReport> {
  try {
    const out = requireFile(run.out, store.directory)
    const name = createHash('sha256').update(run.fingerprint).digest('hex').slice(0, 12)
    const partial = join(dirname(out), `.${basename(out)}.${name}.partial`)
    makeFolder(dirname(out))
    note(store, out, true)
    const done = await keepWholePieces(partial, run.userIds)
    const total = run.userIds.length
    const file = await open(partial, 'a')
    try {
      let { size } = await file.stat()
      for (let start = done; start < total; start = pieceEnd(start)) {
        throwIfAborted(run.signal, 'Recommending to everyone')
        const end = Math.min(total, pieceEnd(start))
        const answers = await run.answer(run.userIds.slice(start, end))
        const lines = Buffer.from(answers.map((answer) => `${JSON.stringify(answer)}\n`).join(''))
        await file.appendFile(lines)
        size += lines.length
        run.onProgress?.({ stage: 'recommend', done: end, total, unit: 'people' })
      }
      await file.sync()
      await requireOwn(partial, await file.stat(), size, run.out)
    } finally {
      await file.close()
    }
    await rename(partial, out)
    await removePartials(out)
    note(store, out, false)
    return { out: run.out, people: total, resumed: done }
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? ''
    const isPath = ['EISDIR', 'ENOTDIR', 'ENAMETOOLONG', 'ERR_INVALID_ARG_VALUE'].includes(code)
    const mayNot = ['EACCES', 'EROFS', 'EPERM'].includes(code)
    if (!isPath && !mayNot && !['ENOSPC', 'EDQUOT', 'EIO', 'ENOENT'].includes(code)) throw cause
    throw new TextrecError(
      isPath ? 'OPTION_INVALID' : 'DISK_FULL',
      `${run.out} cannot be written (${code}).`,
      isPath
        ? 'Name a file.'
        : mayNot
          ? 'Name a file where you may write.'
          : 'Make room, or name another file.',
      { cause },
    )
  }
}

/**
 * The whole path of what is to be written, with links followed, so that they stay links. Whatever else is there is refused
 * before anybody is answered for: the file would take the place of a device.
 * @throws OPTION_INVALID
 */
function requireFile(given: string, project: string): string {
  const path = resolve(given)
  const found = statSync(path, { throwIfNoEntry: false })
  if (found !== undefined && !found.isFile())
    throw new TextrecError('OPTION_INVALID', `${given} is there already and is no file.`, 'Name a file.')
  if (isProjectFile(path, project)) {
    const fact = `${given} is one of the project's own files.`
    throw new TextrecError('OPTION_INVALID', fact, 'Name another file.')
  }
  return found === undefined ? path : realpathSync(path)
}

/** Sees to it that no other run has written into the file, or put its own in its place. @throws PROJECT_LOCKED */
async function requireOwn(partial: string, written: Stats, size: number, out: string): Promise<void> {
  const named = await stat(partial).catch(() => undefined)
  if (named?.ino === written.ino && named.size === size) return
  throw new TextrecError(
    'PROJECT_LOCKED',
    `Another run writes recommendations to ${out} at the same time.`,
    'Let one of them go on alone, or name another file.',
  )
}

/**
 * Rewrites a partial file to its whole pieces: the rest is then answered in the same company as in a run that nothing has
 * stopped. @returns how many of `userIds`, from the first on, have their line
 */
async function keepWholePieces(partial: string, userIds: readonly string[]): Promise<number> {
  if (!existsSync(partial)) return 0
  const kept = `${partial}.${randomUUID()}`
  const file = await open(kept, 'wx')
  const input = createReadStream(partial)
  let done = 0
  try {
    const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })
    let piece: string[] = []
    for await (const line of lines) {
      if (userOf(line) !== userIds[done + piece.length]) break
      piece.push(line)
      if (done + piece.length < Math.min(userIds.length, pieceEnd(done))) continue
      await file.appendFile(piece.map((one) => `${one}\n`).join(''))
      done += piece.length
      piece = []
    }
  } finally {
    input.destroy()
    await file.close()
  }
  await rename(kept, partial)
  return done
}

/** The person of a line; undefined for one that was cut off. */
function userOf(line: string): string | undefined {
  try {
    return (JSON.parse(line) as PersonAnswer).userId
  } catch {
    return undefined
  }
}

/** What runs, with whatever question, left of a file. */
async function removePartials(out: string): Promise<void> {
  const start = `.${basename(out)}.`
  for (const name of await readdir(dirname(out))) {
    if (name.startsWith(start) && /^[0-9a-f]{12}\.partial/.test(name.slice(start.length))) {
      await rm(join(dirname(out), name), { force: true })
    }
  }
}
