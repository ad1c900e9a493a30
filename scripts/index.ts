#!/usr/bin/env node
/**
 * The indexing script: import and index in one run that may be stopped and repeated at any time, for cron.
 *
 *     node dist/scripts/index.js --dir shop.textrec --items items.jsonl --reviews reviews.csv.gz
 *
 * It takes the flags of `textrec import` and `textrec index`. Without files it only indexes. Standard output gets
 * the report (one JSON document with --json), standard error a line every few seconds and errors. Exit codes:
 * 0 done, 1 a known failure, 2 wrong usage, 130 interrupted (run it again to go on).
 *
 * It uses the public API and nothing else, as any program may.
 */
import { type ParseArgsConfig, parseArgs } from 'node:util'
import {
  type ImportReport,
  type ImportSources,
  type IndexOptions,
  type IndexReport,
  isTextrecError,
  type OpenOptions,
  Recommender,
  sampleFiles,
} from 'textrec'
import { progressLines } from './progress-lines.js'

/** Flags that take several values, as `--items a b` or `--items a --items b`. */
const LISTS = ['items', 'reviews', 'interactions', 'map'] as const
const WORDS = [
  'dir',
  'format',
  'rejects',
  'encoder',
  'device',
  'dtype',
  'threads',
  'cache-dir',
  'kind',
] as const
const SWITCHES = ['sample', 'rebuild', 'json', 'quiet', 'help'] as const

const USAGE = `Usage: node dist/scripts/index.js --dir FOLDER [--items FILE...] [--reviews FILE...] [--interactions FILE...]
  [--sample] [--format NAME] [--map FIELD=COLUMN...] [--rejects FILE] [--encoder NAME] [--device NAME]
  [--dtype NAME] [--threads N] [--cache-dir FOLDER] [--kind NAME] [--rebuild] [--json] [--quiet]

Imports the files, encodes what changed and publishes the index. See 'textrec import --help' and
'textrec index --help' for the flags.
`

class UsageError extends Error {}

interface Flags {
  readonly lists: { readonly [name in (typeof LISTS)[number]]: string[] }
  readonly words: { readonly [name in (typeof WORDS)[number]]?: string }
  readonly switches: ReadonlySet<string>
}

/** @throws UsageError for a flag that does not exist, or a value that belongs to none */
function readFlags(args: string[]): Flags {
  const options: NonNullable<ParseArgsConfig['options']> = {}
  for (const name of [...LISTS, ...WORDS]) options[name] = { type: 'string' }
  for (const name of SWITCHES) options[name] = { type: 'boolean' }
  const { tokens } = parse(args, options)
  const lists = { items: [], reviews: [], interactions: [], map: [] } as Flags['lists']
  const words: { [name: string]: string } = {}
  const switches = new Set<string>()
  let open: string[] | undefined
  for (const token of tokens) {
    if (token.kind === 'positional') {
      if (open === undefined) throw new UsageError(`'${token.value}' belongs to no flag.`)
      open.push(token.value)
    } else if (token.kind === 'option') {
      open = (lists as { [name: string]: string[] | undefined })[token.name]
      if (token.value === undefined) switches.add(token.name)
      else if (open === undefined) words[token.name] = token.value
      else open.push(token.value)
    }
  }
  return { lists, words, switches }
}

function parse(args: string[], options: NonNullable<ParseArgsConfig['options']>) {
  try {
    return parseArgs({ args, options, allowPositionals: true, tokens: true })
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

function pairs(assignments: readonly string[]): { [field: string]: string } {
  return Object.fromEntries(
    assignments.map((text) => {
      const at = text.indexOf('=')
      if (at < 1) throw new UsageError(`--map takes FIELD=COLUMN, not '${text}'.`)
      return [text.slice(0, at), text.slice(at + 1)]
    }),
  )
}

function openOptions({ words }: Flags, create: boolean): Partial<OpenOptions> {
  const { threads } = words
  if (threads !== undefined && !/^\d+$/.test(threads)) throw new UsageError('--threads takes a whole number.')
  return {
    create,
    encoder: words.encoder,
    device: words.device as OpenOptions['device'] | undefined,
    dtype: words.dtype as OpenOptions['dtype'] | undefined,
    threads: threads === undefined ? undefined : Number(threads),
    cacheDirectory: words['cache-dir'],
  }
}

interface Report {
  /** Absent when no files were given. */
  readonly import?: ImportReport
  readonly index: IndexReport
}

async function run(flags: Flags, signal: AbortSignal): Promise<Report> {
  const { lists, words, switches } = flags
  const sample = switches.has('sample') ? sampleFiles() : undefined
  const sources: ImportSources = {
    items: [...lists.items, ...(sample ? [sample.items] : [])],
    reviews: [...lists.reviews, ...(sample ? [sample.reviews] : [])],
    interactions: lists.interactions,
    format: words.format as ImportSources['format'],
    map: pairs(lists.map),
    rejects: words.rejects,
  }
  const hasFiles = [sources.items, sources.reviews, sources.interactions].flat().length > 0
  const onProgress = switches.has('quiet') ? undefined : progressLines((line) => process.stderr.write(line))
  const project = await Recommender.open(words.dir as string, openOptions(flags, hasFiles))
  try {
    const imported = hasFiles ? await project.import(sources, { signal, onProgress }) : undefined
    const index = await project.index({
      signal,
      onProgress,
      kind: words.kind as IndexOptions['kind'] | undefined,
      rebuild: switches.has('rebuild'),
    })
    return { ...(imported && { import: imported }), index }
  } finally {
    await project.close()
  }
}

function summary({ import: imported, index: { vectors, index, encoder, seconds } }: Report): string {
  const files = (imported?.files ?? []).map(
    ({ path, read, accepted, rejected, rejectFile }) =>
      `${path}: ${read} read, ${accepted} accepted, ${rejected} rejected${rejectFile ? `, see ${rejectFile}` : ''}`,
  )
  return [
    ...files,
    `${vectors.encoded} of ${vectors.texts} texts encoded in ${seconds.encode.toFixed(1)} s (${encoder.name}, ${encoder.dtype} on ${encoder.device})`,
    `${index.kind} index of ${index.size} items, recall@10 ${index.recall.toFixed(4)}${index.built ? '' : ', was up to date'}`,
  ].join('\n')
}

function reportFailure(error: unknown, json: boolean): number {
  const known = isTextrecError(error)
  const failure = {
    code: known ? error.code : error instanceof UsageError ? 'USAGE' : 'INTERNAL',
    fact: known ? error.fact : String((error as Error)?.message ?? error),
    remedy: known ? error.remedy : 'See --help.',
  }
  const { code, fact, remedy } = failure
  process.stderr.write(`${json ? JSON.stringify({ error: failure }) : `${code}: ${fact} ${remedy}`}\n`)
  if (code === 'ABORTED') return 130
  return code === 'USAGE' || code.startsWith('OPTION_') ? 2 : 1
}

/** The first signal asks the work to stop at its next safe point; the process ends by itself then. */
function interruptible(): AbortSignal {
  const controller = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => controller.abort())
  return controller.signal
}

const args = process.argv.slice(2)
try {
  const flags = readFlags(args)
  if (flags.switches.has('help')) {
    process.stdout.write(USAGE)
  } else {
    if (flags.words.dir === undefined) throw new UsageError('--dir is missing.')
    const report = await run(flags, interruptible())
    process.stdout.write(`${flags.switches.has('json') ? JSON.stringify(report) : summary(report)}\n`)
  }
} catch (error) {
  process.exitCode = reportFailure(error, args.includes('--json'))
}
