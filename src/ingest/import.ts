import { basename, join, resolve } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { isTextrecError, TextrecError, throwIfAborted } from '../errors.js'
import {
  choice,
  longRunning,
  type Option,
  type OptionTable,
  optional,
  resolveOptions,
  text,
} from '../options.js'
import type { OnProgress } from '../types.js'
import { Batch, type RecordSink } from './batch.js'
import { detect } from './detect.js'
import { type FieldMap, fieldOf, synonymsText } from './fields.js'
import { FORMATS, type Format, type FoundFormat } from './formats/format.js'
import { LineSplitter } from './lines.js'
import { RecordBuilder } from './records.js'
import { RejectFile } from './rejects.js'
import { type RecordKind, Refusal } from './rules.js'
import { requireReadable, Source } from './source.js'
import { mostTimes, TimeAgreement, type TimeRule } from './times.js'

type Paths = string | readonly string[]

/** What to import. */
export interface ImportSources {
  /** Paths of files of each kind. */
  readonly items?: Paths
  readonly reviews?: Paths
  readonly interactions?: Paths
  /** Default 'auto': told by content. */
  readonly format?: Format
  /** field -> column, for columns that textrec does not know by name; column numbers for files without a header. */
  readonly map?: { readonly [field: string]: string }
  /** One reject file for all files of the call. Default: <directory>/rejects/<file name>.jsonl for each file. */
  readonly rejects?: string
}

export interface ImportOptions {
  readonly signal?: AbortSignal
  readonly onProgress?: OnProgress
}

/** Of one file. accepted + rejected = read, and added + replaced + unchanged = accepted. */
export interface FileReport {
  readonly path: string
  readonly kind: RecordKind
  readonly format: FoundFormat
  readonly read: number
  readonly accepted: number
  readonly rejected: number
  readonly added: number
  readonly replaced: number
  readonly unchanged: number
  /** Where the refused records are described; absent when there are none. */
  readonly rejectFile?: string
}

export interface ImportReport {
  readonly files: readonly FileReport[]
  readonly read: number
  readonly accepted: number
  readonly rejected: number
}

const KINDS: readonly RecordKind[] = ['items', 'reviews', 'interactions']

const isPaths = (value: unknown) =>
  typeof value === 'string' || (Array.isArray(value) && value.every((path) => typeof path === 'string'))
const isTexts = (value: unknown) =>
  typeof value === 'object' &&
  value !== null &&
  Object.values(value).every((column) => typeof column === 'string')

const paths = { default: undefined, expected: 'a path or a list of paths', accepts: isPaths }
const SOURCES: OptionTable<ImportSources> = {
  items: paths,
  reviews: paths,
  interactions: paths,
  format: choice<Format>('auto', FORMATS),
  map: { default: {}, expected: 'an object { field: column }', accepts: isTexts },
  rejects: optional(text('rejects.jsonl')),
}
const OPTIONS: OptionTable<ImportOptions> = {
  signal: longRunning.signal,
  onProgress: longRunning.onProgress as Option<OnProgress | undefined>,
}

/**
 * Reads files into the store: items first, then reviews, then interactions. Streaming, in transactions of some
 * thousand records; what is refused goes to a reject file. Running it again on the same files changes nothing.
 *
 * Interactions that do not come person by person are put in order first, half a million at a time; until then they are
 * read, but not stored.
 *
 * Progress: `done` rows read over all files, figures bytes and totalBytes (on disk), accepted, rejected.
 *
 * @throws TextrecError OPTION_INVALID and FILE_UNREADABLE for a file that is not there (before anything is stored),
 *   FILE_UNREADABLE for one that breaks off, FORMAT_UNKNOWN (before anything of the file is stored), DISK_FULL,
 *   ABORTED (batches written so far stay, and a rerun goes over them without effect), and what the store throws.
 */
export async function importFiles(
  store: RecordSink,
  given: ImportSources,
  givenOptions: Partial<ImportOptions> = {},
): Promise<ImportReport> {
  const sources = resolveOptions<ImportSources>('import', SOURCES, given)
  const options = resolveOptions<ImportOptions>('import', OPTIONS, givenOptions)
  const jobs = KINDS.flatMap((kind) => [sources[kind] ?? []].flat().map((path) => ({ kind, path })))
  if (jobs.length === 0) {
    throw new TextrecError(
      'OPTION_INVALID',
      'import: there is no file.',
      `Name some under ${KINDS.join(', ')}.`,
    )
  }
  const maps = resolveMap(sources.map ?? {}, new Set(jobs.map(({ kind }) => kind)))
  const inputs = jobs.map(({ path }) => path)
  // All of them before the first: a slip in the last name must not cost the hour that the others take.
  for (const path of inputs) await requireReadable(path)
  const run = new ImportRun(store, { ...sources, ...options }, maps, inputs)
  const files: FileReport[] = []
  try {
    for (const { kind, path } of jobs) files.push(await run.file(kind, path))
  } finally {
    run.close()
  }
  const sum = (field: 'read' | 'accepted' | 'rejected') =>
    files.reduce((total, file) => total + file[field], 0)
  return { files, read: sum('read'), accepted: sum('accepted'), rejected: sum('rejected') }
}

type Maps = { readonly [K in RecordKind]: FieldMap }

/** `map` by kind of record: a key counts for every kind that knows it. @throws TextrecError OPTION_INVALID */
function resolveMap(map: { readonly [field: string]: string }, kinds: ReadonlySet<RecordKind>): Maps {
  const maps: { [K in RecordKind]: { [field: string]: string } } = {
    items: {},
    reviews: {},
    interactions: {},
  }
  for (const [name, column] of Object.entries(map)) {
    let known = false
    for (const kind of kinds) {
      const field = fieldOf(kind, name)
      if (field === undefined) continue
      maps[kind][field] = column
      known = true
    }
    if (!known) {
      const tables = [...kinds].map((kind) => `${kind} have ${synonymsText(kind)}`).join('. ')
      throw new TextrecError(
        'OPTION_INVALID',
        `import: there is no field '${name}' to map.`,
        `Of the fields, ${tables}.`,
      )
    }
  }
  return maps
}

/** What the files of one call share. */
class ImportRun {
  private readonly times: TimeAgreement
  private readonly sharedRejects: RejectFile | undefined
  private readonly rejectNames = new Set<string>()
  private done = { rows: 0, accepted: 0, rejected: 0, bytes: 0 }

  constructor(
    private readonly store: RecordSink,
    private readonly options: ImportSources & ImportOptions,
    private readonly maps: Maps,
    private readonly inputs: readonly string[],
  ) {
    this.times = new TimeAgreement(store.timeKind())
    const { rejects } = options
    this.sharedRejects =
      rejects === undefined ? undefined : RejectFile.named(rejects, store.directory, inputs)
  }

  close(): void {
    this.sharedRejects?.close()
  }

  async file(kind: RecordKind, path: string): Promise<FileReport> {
    const { signal } = this.options
    throwIfAborted(signal, 'The import')
    const source = await Source.open(path)
    const rejects = this.sharedRejects ?? RejectFile.own(this.rejectPath(path))
    try {
      const found = detect({
        path,
        head: source.head.toString('utf8'),
        headIsAll: source.headIsAll,
        kind,
        format: this.options.format ?? 'auto',
        map: this.maps[kind],
      })
      const builderOf = (times: TimeRule) => new RecordBuilder(kind, this.maps[kind], times)
      if (kind !== 'items' && this.times.isOpen) {
        this.times.decide(mostTimes(source.head, source.headIsAll, found, builderOf))
      }
      const batch = new Batch(this.store, kind)
      let read = 0
      let rejected = 0
      const refuse = (line: number, refusal: Refusal) => {
        read++
        rejected++
        rejects.add(path, kind, line, refusal)
      }
      const builder = builderOf(this.times)
      const reader = found.reader({
        refuse,
        record: (record) => {
          try {
            batch.add(builder.build(record))
            read++
          } catch (cause) {
            if (!(cause instanceof Refusal)) throw cause
            refuse(record.line, cause)
          }
        },
      })
      const lines = new LineSplitter(reader.line)
      const write = async (transactions: Iterator<void>) => {
        for (let done: boolean | undefined = false; !done; ) {
          done = transactions.next().done
          rejects.flush()
          this.report(source, read, rejected)
          await setImmediate()
          throwIfAborted(signal, 'The import')
        }
      }
      try {
        for await (const chunk of source.chunks()) {
          lines.push(chunk)
          reader.flush()
          await write(batch.chunkDone(chunk.length))
        }
      } catch (cause) {
        // Of a file that breaks off, what came before the break is imported.
        if (isTextrecError(cause) && cause.code === 'FILE_UNREADABLE') await write(batch.end())
        throw cause
      }
      lines.end()
      reader.end()
      await write(batch.end())
      this.done.rows += read
      this.done.rejected += rejected
      this.done.bytes += source.bytesRead
      const { added, replaced, unchanged } = batch
      const counts = { read, accepted: read - rejected, rejected, added, replaced, unchanged }
      const report = { path, kind, format: found.format, ...counts }
      return rejected === 0 ? report : { ...report, rejectFile: rejects.path }
    } finally {
      source.close()
      if (rejects !== this.sharedRejects) rejects.close()
    }
  }

  /** Two files of one name in one call get two reject files, and no file to import is taken for one. */
  private rejectPath(path: string): string {
    const name = basename(path)
    const at = (unique: string) => join(this.store.directory, 'rejects', `${unique}.jsonl`)
    const isInput = (unique: string) => this.inputs.some((input) => resolve(input) === resolve(at(unique)))
    let unique = name
    for (let n = 2; this.rejectNames.has(unique) || isInput(unique); n++) unique = `${name}-${n}`
    this.rejectNames.add(unique)
    return at(unique)
  }

  private report(source: Source, read: number, rejected: number): void {
    const figures: { [name: string]: number } = {
      bytes: this.done.bytes + source.bytesRead,
      accepted: this.done.rows - this.done.rejected + read - rejected,
      rejected: this.done.rejected + rejected,
    }
    if (source.totalBytes !== undefined) figures.totalBytes = this.done.bytes + source.totalBytes
    this.options.onProgress?.({ stage: 'import', done: this.done.rows + read, unit: 'rows', figures })
  }
}
