import { createHash, randomUUID } from 'node:crypto'
import { createReadStream, existsSync } from 'node:fs'
import { open, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { makeFolder } from '../artifact/index.js'
import { TextrecError, throwIfAborted } from '../errors.js'
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

/** People who are answered for at once. */
const BATCH = 64

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
 * @throws DISK_FULL, ABORTED
 */
export async function answerEveryone(store: Store, run: EveryoneRun): Promise<EveryoneReport> {
  const out = resolve(run.out)
  const name = createHash('sha256').update(run.fingerprint).digest('hex').slice(0, 12)
  const partial = join(dirname(out), `.${basename(out)}.${name}.partial`)
  try {
    makeFolder(dirname(out))
    note(store, out, true)
    const done = await keepWholeLines(partial, new Set(run.userIds))
    const left = run.userIds.filter((id) => !done.has(id))
    const file = await open(partial, 'a')
    try {
      for (let start = 0; start < left.length; start += BATCH) {
        throwIfAborted(run.signal, 'Recommending to everyone')
        const answers = await run.answer(left.slice(start, start + BATCH))
        await file.appendFile(answers.map((answer) => `${JSON.stringify(answer)}\n`).join(''))
        run.onProgress?.({
          stage: 'recommend',
          done: done.size + Math.min(left.length, start + BATCH),
          total: run.userIds.length,
          unit: 'people',
        })
      }
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(partial, out)
    await removePartials(out)
    note(store, out, false)
    return { out: run.out, people: run.userIds.length, resumed: done.size }
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? ''
    if (
      !['ENOSPC', 'EDQUOT', 'EIO', 'EACCES', 'EROFS', 'EISDIR', 'ENOTDIR', 'ENOENT', 'EPERM'].includes(code)
    )
      throw cause
    const isPath = ['EISDIR', 'ENOTDIR'].includes(code)
    throw new TextrecError(
      isPath ? 'OPTION_INVALID' : 'DISK_FULL',
      `${run.out} cannot be written (${code}).`,
      isPath ? 'Name a file.' : 'Make room, or name another file.',
      { cause },
    )
  }
}

/**
 * Rewrites a partial file to the lines that are whole and about somebody wanted, as far as they fill batches: so
 * the rest is answered in the same company as in a run that nothing has stopped. @returns about whom they are
 */
async function keepWholeLines(partial: string, wanted: ReadonlySet<string>): Promise<Set<string>> {
  const done = new Set<string>()
  if (!existsSync(partial)) return done
  const kept = `${partial}.${randomUUID()}`
  const file = await open(kept, 'wx')
  try {
    const lines = createInterface({ input: createReadStream(partial), crlfDelay: Number.POSITIVE_INFINITY })
    const block = new Map<string, string>()
    for await (const line of lines) {
      const userId = userOf(line)
      if (userId === undefined || !wanted.has(userId) || done.has(userId)) continue
      block.set(userId, line)
      if (block.size < BATCH) continue
      await file.appendFile([...block.values()].map((one) => `${one}\n`).join(''))
      for (const id of block.keys()) done.add(id)
      block.clear()
    }
  } finally {
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
