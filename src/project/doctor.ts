import { isTextrecError } from '../errors.js'
import type { Store } from '../store/index.js'
import { acquireLock } from '../store/lock.js'
import { openIndex } from '../vector-index/index.js'
import type { DoctorOptions } from './defaults.js'
import { removeUnused, removeUnusedModels, unusedIndexes, unusedModels } from './leftovers.js'
import { indexFolder, liveState } from './live-index.js'
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

/**
 * Examines database, live index and leftovers of killed processes. With `repair`, whatever can be made again
 * from the database is: the database itself is the truth and is never touched.
 * @param rebuild makes and publishes a new index
 * @param withdraw goes back to the encoder's own space: what was learnt cannot be made from the database at once
 */
export async function examine(
  store: Store,
  options: DoctorOptions,
  rebuild: () => Promise<void>,
  withdraw: () => Promise<void>,
): Promise<DoctorReport> {
  const checks = [checkDatabase(store)]
  const databaseIsSound = checks[0].ok
  checks.push(await repairing(await checkModel(store), options.repair && databaseIsSound, withdraw))
  checks.push(await repairing(await checkIndex(store), options.repair && databaseIsSound, rebuild))
  checks.push(
    await repairing(checkLeftovers(store), options.repair, async () => {
      const lock = acquireLock(store.directory, 'index')
      try {
        await removeUnused(store)
      } finally {
        lock.release()
      }
      const training = acquireLock(store.directory, 'train')
      try {
        await removeUnusedModels(store)
      } finally {
        training.release()
      }
    }),
  )
  checks.push(await repairing(checkFreshness(store), options.repair && databaseIsSound, rebuild))
  return { healthy: checks.every(({ ok }) => ok), checks }
}

async function repairing(check: Check, repair: boolean, mend: () => Promise<void>): Promise<Check> {
  if (check.ok || !repair) return check
  try {
    await mend()
    return { name: check.name, ok: true, fact: check.fact, repaired: true }
  } catch (error) {
    const why = isTextrecError(error) ? error.message : String(error)
    return { ...check, fact: `${check.fact} The repair failed: ${why}`, repaired: false }
  }
}

function checkDatabase(store: Store): Check {
  const problems = store.check()
  return problems.length === 0
    ? { name: 'database', ok: true, fact: 'catalog.db is sound.' }
    : {
        name: 'database',
        ok: false,
        fact: `catalog.db has ${problems.length} problems: ${problems.slice(0, 3).join('; ')}.`,
        remedy: 'Restore it from a backup, or import the source files into a new project.',
      }
}

async function checkIndex(store: Store): Promise<Check> {
  const name = 'index'
  const state = liveState(store)
  if (state === undefined) {
    return { name, ok: true, fact: 'Nothing has been indexed yet.' }
  }
  try {
    const { index } = await openIndex(indexFolder(store.directory, state.indexId), {
      name: state.indexId,
      fingerprint: state.space,
      dim: state.dim,
    })
    const fact = `The live index opens: ${index.kind}, ${index.size} vectors of ${index.dim}.`
    await index.close()
    return { name, ok: true, fact }
  } catch (error) {
    if (!isTextrecError(error)) throw error
    return { name, ok: false, fact: error.fact, remedy: "Run 'textrec doctor --repair' to build it again." }
  }
}

async function checkModel(store: Store): Promise<Check> {
  const name = 'model'
  const model = liveState(store)?.model
  if (model === undefined) return { name, ok: true, fact: 'Nothing has been trained yet.' }
  try {
    const opened = await openServingModel(store.directory, model)
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

function checkLeftovers(store: Store): Check {
  const unused = [...unusedIndexes(store), ...unusedModels(store)]
  return unused.length === 0
    ? { name: 'leftovers', ok: true, fact: 'No unused folders of indexes or models.' }
    : {
        name: 'leftovers',
        ok: false,
        fact: `${unused.length} folders of indexes or models are not used by anything.`,
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
