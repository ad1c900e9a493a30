import { existsSync } from 'node:fs'
import { isTextrecError, TextrecError, throwIfAborted } from '../errors.js'
import { PeopleFile, peopleFolder } from '../recommend/people-files.js'
import type { Store } from '../store/index.js'
import { acquireLock } from '../store/lock.js'
import { openIndex } from '../vector-index/index.js'
import type { DoctorOptions } from './defaults.js'
import {
  abandoned,
  removeAbandoned,
  removeUnused,
  removeUnusedModels,
  unusedIndexes,
  unusedModels,
} from './leftovers.js'
import { indexFolder, liveState, readLive } from './live-index.js'
import { PeopleKeeper } from './people-keeper.js'
import { needsRetraining } from './retraining.js'
import { openServingModel } from './serving-model.js'

export interface Check {
  readonly name: string
  readonly ok: boolean
  /** What was seen. */
  readonly fact: string
  /** What to do, where something is wrong. */
  readonly remedy?: string
  /** Set by `repair`: whether it was wrong and is right now. */
  readonly repaired?: boolean
}

export interface DoctorReport {
  /** Everything in order (after the repair, if one was asked for). */
  readonly healthy: boolean
  readonly checks: readonly Check[]
}

/** What a repair needs of the open project. */
export interface Repairs {
  /** Makes and publishes a new index. */
  rebuild(): Promise<void>
  /** Goes back to the encoder's own space: what was learnt cannot be made from the database at once. */
  withdraw(): Promise<void>
}

/**
 * Examines database, live index and leftovers of killed processes. With `repair`, whatever can be made again
 * from the database is: the database itself is the truth and is never touched, only believed again where something else
 * has changed it and it is sound.
 * @throws ABORTED between two checks, and in the middle of a repair
 */
export async function examine(
  store: Store,
  { repair, signal, onProgress }: DoctorOptions,
  { rebuild, withdraw }: Repairs,
): Promise<DoctorReport> {
  const checks: Check[] = []
  // Nothing is made from a catalogue that is not sound; that itself comes first.
  const isSound = () => checks.length === 0 || checks[0].ok
  const steps: readonly (readonly [look: () => Check | Promise<Check>, mend?: () => Promise<void>])[] = [
    [() => checkDatabase(store), async () => acceptDatabase(store)],
    [() => checkModel(store), withdraw],
    [() => checkIndex(store), rebuild],
    [() => checkPeople(store), () => new PeopleKeeper(store).remove()],
    [() => checkLeftovers(store), () => removeLeftovers(store)],
    [() => checkFreshness(store), rebuild],
  ]
  for (const [done, [look, mend]] of steps.entries()) {
    throwIfAborted(signal, 'The examination')
    onProgress?.({ stage: 'examine', done, total: steps.length, unit: 'checks' })
    // Lets a display draw and a signal in: some checks keep this thread busy.
    await new Promise((resolve) => setImmediate(resolve))
    const check = await look()
    checks.push(repair && mend !== undefined && isSound() ? await repaired(check, mend) : check)
  }
  return { healthy: checks.every(({ ok }) => ok), checks }
}

async function removeLeftovers(store: Store): Promise<void> {
  const index = acquireLock(store.directory, 'index')
  try {
    await removeUnused(store)
  } finally {
    index.release()
  }
  const training = acquireLock(store.directory, 'train')
  try {
    await removeUnusedModels(store)
  } finally {
    training.release()
  }
  await removeAbandoned(store)
}

async function repaired(check: Check, mend: () => Promise<void>): Promise<Check> {
  if (check.ok) return check
  try {
    await mend()
    return { name: check.name, ok: true, fact: check.fact, repaired: true }
  } catch (error) {
    if (isTextrecError(error) && error.code === 'ABORTED') throw error
    const why = isTextrecError(error) ? error.message : String(error)
    return { ...check, fact: `${check.fact} The repair failed: ${why}`, repaired: false }
  }
}

async function checkDatabase(store: Store): Promise<Check> {
  const name = 'database'
  const problems = store.check()
  if (problems.length > 0) {
    const count = problems.length === 1 ? 'one problem' : `${problems.length} problems`
    const fact = `catalog.db has ${count}: ${problems.slice(0, 3).join('; ')}.`
    const remedy = 'Restore it from a backup, or import the source files into a new project.'
    return { name, ok: false, fact, remedy }
  }
  const doubt = await store.doubt()
  if (doubt === undefined) return { name, ok: true, fact: 'catalog.db is sound.' }
  const fact = `catalog.db is sound in itself, but not as textrec left it: ${doubt}.`
  const remedy =
    "Restore it from a backup; if it was put here on purpose, 'textrec doctor --repair' accepts it."
  return { name, ok: false, fact, remedy }
}

/** A sound file that something else than textrec left is believed from here on. @throws DATABASE_DAMAGED */
function acceptDatabase(store: Store): void {
  const [problem] = store.accept()
  if (problem === undefined) return
  throw new TextrecError('DATABASE_DAMAGED', problem, 'Restore a backup.')
}

async function checkIndex(store: Store): Promise<Check> {
  const name = 'index'
  try {
    return await readLive(store, async (state) => {
      if (state === undefined) return { name, ok: true, fact: 'Nothing has been indexed yet.' }
      const { index } = await openIndex(indexFolder(store.directory, state.indexId), {
        name: state.indexId,
        fingerprint: state.space,
        dim: state.dim,
      })
      const fact = `The live index opens: ${index.kind}, ${index.size} vectors of ${index.dim}.`
      await index.close()
      return { name, ok: true, fact }
    })
  } catch (error) {
    if (!isTextrecError(error)) throw error
    return { name, ok: false, fact: error.fact, remedy: "Run 'textrec doctor --repair' to build it again." }
  }
}

/** Answers do not depend on them: what is damaged is looked up. */
async function checkPeople({ directory }: Store): Promise<Check> {
  const name = 'people'
  if (!existsSync(peopleFolder(directory))) return { name, ok: true, fact: 'Nothing is kept of people.' }
  try {
    const { size } = await PeopleFile.verify(directory)
    return { name, ok: true, fact: `What is kept of ${size} people is sound.` }
  } catch (error) {
    if (!isTextrecError(error)) throw error
    return { name, ok: false, fact: error.fact, remedy: "Run 'textrec doctor --repair' to remove it." }
  }
}

async function checkModel(store: Store): Promise<Check> {
  const name = 'model'
  try {
    const opened = await readLive(
      store,
      async (state) => state?.model && openServingModel(store.directory, state.model),
    )
    if (opened === undefined) return { name, ok: true, fact: 'Nothing has been trained yet.' }
    await opened.close()
  } catch (error) {
    if (!isTextrecError(error)) throw error
    const remedy = "Run 'textrec doctor --repair' to go back to frozen text, then 'textrec train'."
    return { name, ok: false, fact: error.fact, remedy }
  }
  // No damage, so nothing to repair: the next training withdraws it before anything else.
  const fact = needsRetraining(store)
    ? "The trained model opens, but has learnt from somebody who was forgotten since: run 'textrec train'."
    : 'The trained model opens.'
  return { name, ok: true, fact }
}

async function checkLeftovers(store: Store): Promise<Check> {
  const unused = [...unusedIndexes(store), ...unusedModels(store), ...(await abandoned(store))]
  return unused.length === 0
    ? { name: 'leftovers', ok: true, fact: 'No unused folders.' }
    : {
        name: 'leftovers',
        ok: false,
        fact: `${unused.length === 1 ? 'One folder is' : `${unused.length} folders are`} not used by anything.`,
        remedy: "Run 'textrec doctor --repair' to remove them.",
      }
}

/** Stale items are not damage: they answer with the vector they had. */
function checkFreshness(store: Store): Check {
  const state = liveState(store)
  if (state === undefined) {
    const { items } = store.counts()
    return { name: 'freshness', ok: true, fact: `${items} items wait for the first 'textrec index'.` }
  }
  const stale = store.staleItems(state.space).length
  return {
    name: 'freshness',
    ok: stale === 0,
    fact: stale === 0 ? 'Every vector is up to date.' : `${stale} items changed since their vector was made.`,
    ...(stale === 0 ? {} : { remedy: "Run 'textrec index'." }),
  }
}
