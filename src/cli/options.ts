import { type Command, InvalidArgumentError, Option } from 'commander'
import type { DeviceChoice, DtypeChoice } from '../index.js'

/** Flags that several commands share, each written once. Parsers throw commander's usage error (exit 2). */

/** Flags of every command. */
export interface ShellFlags {
  readonly dir: string
  readonly json?: boolean
  readonly quiet?: boolean
}

/** Flags of the commands that need an encoder. */
export interface EncoderFlags {
  readonly encoder?: string
  readonly device?: DeviceChoice
  readonly dtype?: DtypeChoice
  readonly threads?: number
  readonly cacheDir?: string
}

/** Flags of the commands that ask. */
export interface AskFlags {
  readonly k?: number
  readonly filter?: object
}

/** The library's bound on k, said before a project is opened. */
const MOST_ANSWERS = 100_000

export function addOutputFlags(command: Command): Command {
  return command
    .option('--json', 'print one JSON document, and nothing else, on standard output')
    .option('-q, --quiet', 'no progress and no remarks')
}

export function addShellFlags(command: Command): Command {
  command.requiredOption('--dir <folder>', 'the project', path)
  return addOutputFlags(command)
}

export function addDeviceFlags(command: Command): Command {
  return command
    .addOption(
      new Option('--device <name>', 'where the encoder runs (default: auto)').choices([
        'auto',
        'cpu',
        'webgpu',
        'cuda',
      ]),
    )
    .option('--threads <n>', 'threads of the encoder on the CPU (default: as many as cores)', wholeNumber(0))
    .option(
      '--cache-dir <folder>',
      'where graphs and models are kept (default for models: the cache of transformers.js)',
      path,
    )
}

export function addEncoderFlags(command: Command): Command {
  command
    .option('--encoder <name>', 'a known name, a Hugging Face id or a folder (default: all-MiniLM-L6-v2)')
    .addOption(
      new Option('--dtype <name>', 'precision of the encoder (default: auto)').choices([
        'auto',
        'fp32',
        'fp16',
        'int8',
      ]),
    )
  return addDeviceFlags(command)
}

export function addAskFlags(command: Command): Command {
  return command
    .option('-k <n>', 'how many answers at most (default: 10)', wholeNumber(1, MOST_ANSWERS))
    .option(
      '--filter <json>',
      'keep items whose attributes match, e.g. {"year": {"$lt": 1850}}; also $eq $ne $in $nin $gt $gte $lte $exists $and $or $not',
      jsonObject,
    )
}

/** Help text with commands that run as they stand, in an empty folder, one after the other. */
export function addExample(command: Command, ...lines: readonly string[]): Command {
  const shown = lines.map((line) => `  ${line}`).join('\n')
  return command.addHelpText('after', `\nExample (runs as it stands):\n${shown}`)
}

/** The two lines that every example about a project starts with. */
export const SAMPLE_PROJECT = [
  'textrec import --dir books.textrec --sample',
  'textrec index --dir books.textrec',
] as const

/** A path that names something: an empty one is a variable that was not set. */
export function path(text: string): string {
  if (text.trim() === '') throw new InvalidArgumentError('It must not be empty.')
  return text
}

export function wholeNumber(least: number, most = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < least || value > most) {
      const range = most < Number.MAX_SAFE_INTEGER ? `from ${least} to ${most}` : `of at least ${least}`
      throw new InvalidArgumentError(`It must be a whole number ${range}.`)
    }
    return value
  }
}

export function anyNumber(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('It must be a number.')
  return value
}

export function jsonObject(text: string): object {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new InvalidArgumentError(`It must be JSON: ${(error as Error).message}.`)
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw new InvalidArgumentError('It must be a JSON object.')
  }
  return value
}

/** Collects `name=value` flags given several times, each name once. */
export function assignment(text: string, previous: Record<string, string> = {}): Record<string, string> {
  const at = text.indexOf('=')
  if (at < 1 || at === text.length - 1) throw new InvalidArgumentError('It must be name=value.')
  const name = text.slice(0, at)
  if (Object.hasOwn(previous, name)) throw new InvalidArgumentError(`'${name}' is given twice.`)
  return { ...previous, [name]: text.slice(at + 1) }
}

/** Ids separated by commas. */
export function idList(text: string): string[] {
  const ids = text.split(',').filter((id) => id !== '')
  if (ids.length === 0) throw new InvalidArgumentError('It must be one or more ids, separated by commas.')
  return ids
}
