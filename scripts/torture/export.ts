import { mkdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isTextrecError, type Recommender } from '../../src/index.js'
import { Store } from '../../src/store/index.js'
import { BASE, earlyAnswers, makeBase, openBase, personalAnswers } from './export-project.js'
import { Talker } from './talker.js'
import { lineOf, type TortureContext, type TortureTest } from './test.js'

/** Exports of a project that another process writes to, adds to and indexes anew all the while. */
export const test: TortureTest = {
  name: 'export',
  promise:
    'An export made while the project is being written to is the project as it was at one moment: every acknowledged record, no batch in part, an index that fits; moved to another path it opens, is sound and answers like the original.',
  run,
}

/** Every so often the writer rests, so that answers that change with every event can be compared too. */
const QUIET_EVERY = 2

async function run({ short, work, signal, log }: TortureContext) {
  const started = performance.now()
  const counts = { exports: 0, quiet: 0, alone: 0, refused: 0, lost: 0, partial: 0, unsound: 0, different: 0 }
  const copies: string[] = []
  const complaints: string[] = []
  const project = join(work, 'shop')
  await makeBase(project, 'hnsw')
  const shop = await openBase(project)
  const early = await earlyAnswers(shop, false)
  const writer = new Writer(project)
  try {
    for (let i = 0; i < (short ? 5 : 50); i++) {
      signal.throwIfAborted()
      const quiet = i % QUIET_EVERY === QUIET_EVERY - 1
      // Something new each time, or fifty exports would be fifty copies of two states.
      await writer.reach(writer.batches + 1)
      if (quiet) await writer.pause()
      const acknowledged = writer.batches
      const out = join(work, 'out', `export-${i}`)
      try {
        await shop.export({ out })
      } catch (error) {
        if (!isTextrecError(error)) throw error
        counts.refused++
        complaints.push(`${error.code}: ${error.message}`)
        continue
      }
      const moved = join(work, `elsewhere-${i}`, 'copy.textrec')
      mkdirSync(join(work, `elsewhere-${i}`))
      renameSync(out, moved)
      counts.exports++
      const batches = batchesIn(moved)
      if (batches.whole < acknowledged) counts.lost++
      if (batches.partial > 0) counts.partial++
      const copy = await openBase(moved)
      try {
        const { checks } = await copy.doctor()
        // An item whose vector is still being made is no damage: the original was so at that moment.
        const wrong = checks.filter(({ name, ok }) => !ok && name !== 'freshness')
        if (wrong.length > 0) {
          counts.unsound++
          complaints.push(...wrong.map(({ fact }) => fact))
        }
        if ((await earlyAnswers(copy, true)) !== early) counts.different++
        if (quiet) {
          counts.quiet++
          if ((await allAnswers(copy)) !== (await freshAnswers(project))) counts.different++
          writer.go()
        }
      } finally {
        await copy.close()
      }
      copies.push(moved)
      log(`${counts.exports} exports, ${writer.batches} batches written meanwhile`)
    }
  } finally {
    await writer.end()
    await shop.close()
  }
  // As on a machine that has never seen the original.
  renameSync(project, join(work, 'hidden'))
  for (const moved of copies) {
    signal.throwIfAborted()
    const copy = await openBase(moved)
    try {
      counts.alone++
      if ((await earlyAnswers(copy, true)) !== early) counts.different++
    } finally {
      await copy.close()
    }
  }
  const notes = [`${writer.batches} batches were written meanwhile, with an index build every six`]
  return lineOf(
    'export',
    started,
    counts,
    ['refused', 'lost', 'partial', 'unsound', 'different'],
    complaints,
    notes,
  )
}

/** Of the original as whoever opens it now sees it: one that is open may serve older item-item scores. */
async function freshAnswers(project: string): Promise<string> {
  const shop = await openBase(project)
  try {
    return await allAnswers(shop)
  } finally {
    await shop.close()
  }
}

async function allAnswers(shop: Recommender): Promise<string> {
  return (await earlyAnswers(shop, false)) + (await personalAnswers(shop))
}

/** Batches are two items and ten events of one person each. */
function batchesIn(folder: string): { readonly whole: number; readonly partial: number } {
  const store = Store.open(folder, { readonly: true })
  try {
    let whole = 0
    let partial = 0
    for (let batch = 0; ; batch++) {
      const user = store.userKey(`late-${batch}`)
      const numbers = [BASE.items + 2 * batch, BASE.items + 2 * batch + 1]
      const items = numbers.filter((number) => store.itemKey(`item-${number}`) !== undefined).length
      const events = user === undefined ? 0 : store.historyOf(user).items.length
      if (items === 0 && events === 0) return { whole, partial }
      if (items === 2 && events > 0) whole++
      else partial++
    }
  } finally {
    store.close()
  }
}

class Writer {
  batches = 0
  private readonly child: Talker
  private listeners: (() => void)[] = []
  private resting = false

  constructor(folder: string) {
    const program = fileURLToPath(new URL('./export-writer.js', import.meta.url))
    this.child = new Talker(process.execPath, [program, folder, String(BASE.items)], (line) => {
      if (line === 'paused') this.resting = true
      else this.batches = Number(line) + 1
      for (const listener of this.listeners) listener()
    })
    void this.child.ended.then(() => {
      for (const listener of this.listeners) listener()
    })
  }

  reach(batches: number): Promise<void> {
    return this.until(() => this.batches >= batches)
  }

  async pause(): Promise<void> {
    this.resting = false
    this.child.tell('pause')
    await this.until(() => this.resting)
  }

  go(): void {
    this.child.tell('go')
  }

  /** @throws what the writer said if it ended by itself, or badly */
  async end(): Promise<void> {
    const bad = await this.child.end()
    if (bad !== undefined) throw new Error(`The writer ended badly: ${bad}`)
  }

  private until(done: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = () => {
        if (!done() && !this.child.hasEnded) return
        this.listeners = this.listeners.filter((listener) => listener !== look)
        if (done()) resolve()
        else reject(new Error('The writer has ended.'))
      }
      this.listeners.push(look)
      look()
    })
  }
}
