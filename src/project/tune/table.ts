import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { publishFolder, readManifest, readPayload, removeTemporary } from '../../artifact/index.js'
import { isTextrecError } from '../../errors.js'
import type { Settings } from './space.js'

/** One candidate, trained for some epochs, and what it reached on the judging half of validation. */
export interface TuneRow {
  /** As train() or evaluate() calls it. */
  readonly model: string
  readonly encoder: string
  /** What differs from the model's defaults. */
  readonly settings: Settings
  /** Whether it can be served, or only be evaluated. */
  readonly servable: boolean
  /** Passes over the data, at most; absent for what is not trained in passes. */
  readonly epochs?: number
  /** NDCG@10 of the model alone. */
  readonly alone: number
  /** Of the collaborative scores beside it: the share that the choosing half of validation prefers. */
  readonly share: number
  /** NDCG@10 with that share, and its 95 % interval over people: what decides. */
  readonly ndcg: number
  readonly low: number
  readonly high: number
  /** Recall@10 of items that were hidden on purpose, with that share; absent where it was not asked. */
  readonly coldRecall?: number
  readonly seconds: number
}

interface Contents {
  readonly rows: readonly (readonly [id: string, row: TuneRow])[]
  /** Seconds that the search has taken so far. */
  readonly spent: number
}

const KIND = 'tuning-table'
const FILE = 'table.json'

export function tuningFolder(directory: string): string {
  return join(directory, 'tuning')
}

/**
 * What a search has found so far, on disk: each row is there before the next one is begun, so that a killed search
 * goes on from where it was. One folder, replaced in one step.
 */
export class TuneTable {
  private readonly rows: Map<string, TuneRow>
  private writing: Promise<unknown> = Promise.resolve()

  private constructor(
    private readonly folder: string,
    private readonly key: string,
    { rows, spent }: Contents,
  ) {
    this.rows = new Map(rows)
    this.spentBefore = spent
  }

  /** Seconds that earlier runs of the same search took. */
  readonly spentBefore: number

  /**
   * The table of the search that `key` names; an empty one if the folder holds none, another search's or a damaged one,
   * which costs time only.
   */
  static async open(folder: string, key: string): Promise<TuneTable> {
    await removeTemporary(dirname(folder))
    let contents: Contents = { rows: [], spent: 0 }
    try {
      const manifest = await readManifest(folder, KIND, 'MODEL_INVALID')
      if (manifest.fields.key === key) {
        const bytes = await readPayload(folder, manifest, FILE, 'MODEL_INVALID')
        contents = JSON.parse(new TextDecoder().decode(bytes)) as Contents
      }
    } catch (error) {
      if (!isTextrecError(error)) throw error
    }
    return new TuneTable(folder, key, contents)
  }

  get(id: string): TuneRow | undefined {
    return this.rows.get(id)
  }

  get tried(): number {
    return this.rows.size
  }

  /** The best figure so far. */
  get best(): number | undefined {
    return this.tried === 0 ? undefined : Math.max(...[...this.rows.values()].map(({ ndcg }) => ndcg))
  }

  /** All rows, the best first. */
  all(): TuneRow[] {
    return [...this.rows.values()].sort((a, b) => b.ndcg - a.ndcg || b.alone - a.alone)
  }

  /** @param spent seconds of the whole search, earlier runs included */
  async add(id: string, row: TuneRow, spent: number): Promise<void> {
    this.rows.set(id, row)
    // One after the other: several candidates may be done at the same time.
    const written = this.writing.then(() => this.write(spent))
    this.writing = written.catch(() => undefined)
    await written
  }

  private async write(spent: number): Promise<void> {
    const contents: Contents = { rows: [...this.rows], spent }
    await publishFolder(this.folder, KIND, async (folder) => {
      await writeFile(join(folder, FILE), JSON.stringify(contents))
      return { key: this.key }
    })
  }
}
