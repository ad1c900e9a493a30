import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ImportSources, importFiles } from '#src/ingest/import.js'
import type { RecordKind, RecordSink, Reject } from '#src/ingest/index.js'
import type { Interaction, Item, Review, TimeKind } from '#src/types.js'

/** A store that only remembers what it was given. */
export class MemorySink implements RecordSink {
  readonly items: Item[] = []
  readonly reviews: Review[] = []
  readonly interactions: Interaction[] = []
  /** Everybody in order of arrival: a person's key is their place here. */
  readonly people: string[] = []
  /** Records of each write. */
  readonly writes: number[] = []
  constructor(
    readonly directory: string,
    private readonly kind: TimeKind = 'none',
  ) {}

  timeKind(): TimeKind {
    return this.kind
  }

  userKeys(ids: readonly string[]): (number | undefined)[] {
    const keys = new Map(this.people.map((id, key) => [id, key]))
    return ids.map((id) => keys.get(id))
  }

  write(records: Parameters<RecordSink['write']>[0]): ReturnType<RecordSink['write']> {
    const { items = [], reviews = [], interactions = [] } = records
    this.items.push(...items)
    this.reviews.push(...reviews)
    this.interactions.push(...interactions)
    const known = new Set(this.people)
    for (const { userId } of [...reviews, ...interactions]) if (!known.has(userId)) known.add(userId)
    this.people.splice(0, this.people.length, ...known)
    this.writes.push(items.length + reviews.length + interactions.length)
    const counts = (list: readonly unknown[]) => ({ added: list.length, replaced: 0, unchanged: 0 })
    return { items: counts(items), reviews: counts(reviews), interactions: counts(interactions) }
  }
}

/** A folder that is gone when `use` is done. */
export async function inFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'textrec-ingest-'))
  try {
    return await use(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

export interface Imported {
  readonly sink: MemorySink
  readonly format: string
  readonly read: number
  readonly accepted: number
  readonly rejected: number
  readonly rejects: readonly Reject[]
}

/** Imports one file of this content, under a name that gives nothing away. */
export function importContent(
  kind: RecordKind,
  content: string | Buffer,
  options: Pick<ImportSources, 'format' | 'map'> & { timeKind?: TimeKind } = {},
): Promise<Imported> {
  const { timeKind, ...sources } = options
  return inFolder(async (folder) => {
    const path = join(folder, 'data')
    writeFileSync(path, content)
    const sink = new MemorySink(folder, timeKind)
    const { files, read, accepted, rejected } = await importFiles(sink, { [kind]: path, ...sources })
    const [file] = files
    const rejects =
      file.rejectFile === undefined
        ? []
        : readFileSync(file.rejectFile, 'utf8')
            .trimEnd()
            .split('\n')
            .map((line) => JSON.parse(line) as Reject)
    return { sink, format: file.format, read, accepted, rejected, rejects }
  })
}

/** JSON lines of these objects. */
export function jsonLines(...records: readonly unknown[]): string {
  return records.map((record) => `${JSON.stringify(record)}\n`).join('')
}
