import { TextrecError } from '../errors.js'
import { type FieldMap, makePlan, REQUIRED, synonymsText } from './fields.js'
import { amazonLayout, amazonRecord, isAmazon } from './formats/amazon.js'
import { DelimitedReader } from './formats/delimited.js'
import {
  FORMATS,
  type Format,
  type FoundFormat,
  type Layout,
  type Reader,
  type RecordSinks,
} from './formats/format.js'
import { JsonLinesReader, type JsonRecord, parseRecord } from './formats/json-lines.js'
import { isMovieLens, MOVIELENS_COLUMNS, movieLensLayout } from './formats/movielens.js'
import { isRecBole, recBoleLayout } from './formats/recbole.js'
import { type Dialect, splitLine } from './formats/split.js'
import { shorten } from './rejects.js'
import type { RecordKind } from './rules.js'

/** What a file is, and how to read it. */
export interface Detected {
  readonly format: FoundFormat
  readonly reader: (sinks: RecordSinks) => Reader
}

export interface DetectOptions {
  /** For messages. */
  readonly path: string
  /** The first bytes of the file as text. */
  readonly head: string
  /** True where `head` is the whole file: then its last line is complete. */
  readonly headIsAll: boolean
  readonly kind: RecordKind
  readonly format: Format
  readonly map: FieldMap
}

/**
 * Tells the format by what the file says; its name is never asked.
 * @throws TextrecError FORMAT_UNKNOWN where the content fits no format, not the one that was named, or where the
 *   columns lack what a record of this kind needs; OPTION_INVALID where `map` names a column that is not there.
 */
export function detect(options: DetectOptions): Detected {
  const { format, kind } = options
  const lines = headLines(options)
  const first = lines[0]
  if (first === undefined) {
    return { format: 'empty', reader: (sinks) => new JsonLinesReader(sinks) }
  }
  if (first.includes('\u0000')) throw unknown(options, 'holds NUL characters and looks like no text file')
  if (/^\s*\[/.test(first) && (format === 'jsonl' || format === 'auto') && !looksDelimited(first, options)) {
    throw new TextrecError(
      'FORMAT_UNKNOWN',
      `${options.path} is one JSON array.`,
      `Write one object a line: jq -c '.[]' file.`,
    )
  }
  // The first line decides, or most of them, so that a broken one at the top does not.
  const isObject = (line: string) => /^\s*\{/.test(line)
  if (format === 'jsonl' || isObject(first) || lines.filter(isObject).length * 2 > lines.length) {
    return json(lines, options)
  }
  const numbered = numberedColumns(first, options)
  if (numbered !== undefined) return numbered
  if (first.includes('::') && (format === 'movielens' || format === 'auto')) {
    const dialect = { delimiter: '::', quoting: false }
    return headerless('movielens', dialect, MOVIELENS_COLUMNS[kind], first, options)
  }
  if (/^\d+\t\d+\t[\d.]+\t\d+\r?$/.test(first) && (format === 'movielens' || format === 'auto')) {
    // u.data has ratings only, so reviews of it are ratings too.
    const columns = MOVIELENS_COLUMNS.interactions
    return headerless('movielens', { delimiter: '\t', quoting: false }, columns, first, options)
  }
  return withHeader(first, options)
}

/** The lines of the head that are complete and not blank. */
function headLines({ head, headIsAll }: DetectOptions): string[] {
  const lines = head.split('\n')
  if (!headIsAll && lines.length > 1) lines.pop()
  return lines.filter((line) => line.trim() !== '')
}

function json(lines: readonly string[], options: DetectOptions): Detected {
  const { format, kind } = options
  if (format !== 'auto' && format !== 'jsonl' && format !== 'amazon') {
    throw unknown(options, `holds JSON lines, which --format ${format} does not`)
  }
  let amazon = format === 'amazon'
  if (format === 'auto') {
    // The first line that is sound speaks for the file.
    for (const line of lines) {
      const record = parseRecord(line)
      if (record === undefined) continue
      amazon = isAmazon(Object.keys(record))
      break
    }
  }
  const adapt = amazon ? amazonRecord(kind) : undefined
  requireMapped(lines, adapt, options)
  if (adapt === undefined) return { format: 'jsonl', reader: (sinks) => new JsonLinesReader(sinks) }
  return { format: 'amazon', reader: (sinks) => new JsonLinesReader(sinks, adapt) }
}

/**
 * A mapped key may be missing from some records, but not from all: then the map is a slip, and would refuse every
 * record or lose a field of all of them. Of fields that a record may lack this is known only of a short file.
 */
function requireMapped(
  lines: readonly string[],
  adapt: ((record: JsonRecord) => JsonRecord) | undefined,
  { path, kind, map, headIsAll }: DetectOptions,
): void {
  const mapped = Object.entries(map)
  if (mapped.length === 0) return
  const names = new Set<string>()
  for (const line of lines) {
    const record = parseRecord(line)
    if (record !== undefined) for (const name of Object.keys(adapt?.(record) ?? record)) names.add(name)
  }
  if (names.size === 0) return
  for (const [field, column] of mapped) {
    const needed = headIsAll || (REQUIRED[kind] as readonly string[]).includes(field)
    if (needed && !names.has(column)) throw noColumn(path, field, column, [...names])
  }
}

function noColumn(path: string, field: string, column: string, names: readonly string[]): TextrecError {
  return new TextrecError(
    'OPTION_INVALID',
    `${path} has no column '${column}' for the field '${field}'.`,
    `Its columns are ${shorten(names.join(', '))}.`,
  )
}

const DELIMITERS: { readonly [F in Exclude<Format, 'jsonl'>]: readonly string[] } = {
  auto: [',', '\t', ';', '|'],
  csv: [',', ';', '|'],
  tsv: ['\t'],
  amazon: [',', '\t'],
  movielens: [',', '\t', ';'],
  recbole: ['\t', ','],
}

function looksDelimited(first: string, options: DetectOptions): boolean {
  return bestHeader(first, options) !== undefined
}

/** The header under the delimiter that makes most known fields, then most columns of it. */
function bestHeader(
  first: string,
  { kind, format, map }: DetectOptions,
): { header: string[]; delimiter: string } | undefined {
  let best: { header: string[]; delimiter: string; score: number } | undefined
  for (const delimiter of DELIMITERS[format === 'jsonl' ? 'auto' : format]) {
    const header = splitLine(first, { delimiter, quoting: true })?.map((name) => name.trim())
    if (header === undefined) continue
    const { names } = isRecBole(header) ? recBoleLayout(header) : { names: header }
    const known = Object.values(makePlan(kind, names, map).columns).filter(({ length }) => length > 0).length
    const score = known * 10_000 + header.length
    if (known > 0 && score > (best?.score ?? 0)) best = { header, delimiter, score }
  }
  return best
}

function withHeader(first: string, options: DetectOptions): Detected {
  const { kind, format } = options
  const found = bestHeader(first, options)
  if (found === undefined) {
    requireMappedHeader(first, options)
    throw unknown(options, `has no column that textrec knows in its first line`)
  }
  const { delimiter } = found
  // pandas writes the index under an empty name.
  const header = found.header.map((name, i) => (name === '' ? `column ${i + 1}` : name))
  const is = (name: Format, test: boolean) => format === name || (format === 'auto' && test)
  if (is('recbole', isRecBole(header))) {
    if (!isRecBole(header)) throw unknown(options, 'has no RecBole header (name:type in every column)')
    return delimited('recbole', { delimiter, quoting: false }, recBoleLayout(header), 1, options)
  }
  if (is('amazon', isAmazon(header))) {
    const dialect = { delimiter, quoting: delimiter !== '\t' }
    return delimited('amazon', dialect, amazonLayout(header), 1, options)
  }
  if (is('movielens', isMovieLens(header))) {
    return delimited('movielens', { delimiter, quoting: true }, movieLensLayout(header, kind), 1, options)
  }
  const layout: Layout = { names: header, types: 'content', width: header.length }
  return delimited(delimiter === '\t' ? 'tsv' : 'csv', { delimiter, quoting: true }, layout, 1, options)
}

/** Where nothing of the first line is known, and the map was to say what is: a slip in the map. */
function requireMappedHeader(first: string, { path, format, map }: DetectOptions): void {
  const headers = DELIMITERS[format === 'jsonl' ? 'auto' : format].map(
    (delimiter) => splitLine(first, { delimiter, quoting: true })?.map((name) => name.trim()) ?? [],
  )
  const header = headers.reduce((best, other) => (other.length > best.length ? other : best))
  for (const [field, column] of Object.entries(map)) {
    if (!header.includes(column)) throw noColumn(path, field, column, header)
  }
}

/** `--map user=1 --map item=2`: a file without a header, its columns counted from 1. */
function numberedColumns(first: string, options: DetectOptions): Detected | undefined {
  const columns = Object.values(options.map)
  if (columns.length === 0 || !columns.every((column) => /^\d{1,4}$/.test(column))) return undefined
  if (options.format === 'recbole' || options.format === 'amazon') return undefined
  const delimiters = first.includes('::')
    ? ['::']
    : DELIMITERS[options.format === 'jsonl' ? 'auto' : options.format]
  const most = Math.max(...columns.map(Number))
  for (const delimiter of delimiters) {
    const dialect = { delimiter, quoting: delimiter !== '::' }
    const fields = splitLine(first, dialect) ?? []
    if (columns.every((column) => fields.includes(column))) return undefined // a header of numbers
    const width = fields.length
    if (width < most || width < 2) continue
    const names = Array.from({ length: width }, (_, i) => {
      const column = String(i + 1)
      return columns.includes(column) ? column : `column ${column}`
    })
    const format = delimiter === '\t' ? 'tsv' : delimiter === '::' ? 'movielens' : 'csv'
    return delimited(format, dialect, { names, types: 'content', width }, 0, options)
  }
  throw unknown(options, `has fewer than ${most} columns in its first line`)
}

function headerless(
  format: FoundFormat,
  dialect: Dialect,
  columns: readonly string[],
  first: string,
  options: DetectOptions,
): Detected {
  const width = splitLine(first, dialect)?.length
  if (width !== columns.length) {
    throw unknown(options, `has ${width} columns where ${options.kind} have ${columns.join('::')}`)
  }
  return delimited(format, dialect, movieLensLayout(columns, options.kind), 0, options)
}

function delimited(
  format: FoundFormat,
  dialect: Dialect,
  layout: Layout,
  headerLines: number,
  options: DetectOptions,
): Detected {
  const { kind, map, path } = options
  const { names } = layout
  const seen = new Set<string>()
  const twice = names.find((name) => seen.size === seen.add(name).size)
  if (twice !== undefined) {
    throw new TextrecError('FORMAT_UNKNOWN', `${path} has two columns named '${twice}'.`, 'Rename one.')
  }
  for (const [field, column] of Object.entries(map)) {
    if (!names.includes(column)) throw noColumn(path, field, column, names)
  }
  const { columns } = makePlan(kind, names, map)
  const lacking = (REQUIRED[kind] as readonly (keyof FieldMap)[]).filter((field) => !columns[field]?.length)
  if (lacking.length > 0) {
    throw unknown(
      options,
      `has no column for ${lacking.join(' and ')} (columns: ${names.join(', ').slice(0, 300)})`,
    )
  }
  return { format, reader: (sinks) => new DelimitedReader(dialect, layout, sinks, headerLines) }
}

function unknown({ path, kind, format }: DetectOptions, fact: string): TextrecError {
  const formats = FORMATS.filter((name) => name !== 'auto').join(', ')
  return new TextrecError(
    'FORMAT_UNKNOWN',
    `${path} ${fact}${format === 'auto' ? '' : ` (format ${format})`}.`,
    `A file of ${kind} is one of ${formats} with the fields ${synonymsText(kind)}. ` +
      `Name other columns with --map field=column, or by number (--map ${REQUIRED[kind][0]}=1) where there is no header.`,
  )
}
