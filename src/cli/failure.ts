import { CommanderError } from 'commander'
import { oneLine } from './text.js'

/** The exit codes of every command. */
export const EXIT = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const

/** Said by a library call about a flag's value: the person who typed it can put it right. */
const USAGE_CODES = new Set(['OPTION_UNKNOWN', 'OPTION_INVALID'])

/** The three parts that every failure is told in. */
export interface Failure {
  readonly code: string
  readonly fact: string
  readonly remedy: string
}

interface Asked {
  /** Print one JSON document instead of one line for people. */
  readonly json: boolean
  /** The command that ran, for the pointer to its help. */
  readonly command: string | undefined
}

/**
 * Prints an error as one line on standard error and returns the exit code that belongs to it.
 * A library error is recognised by its shape, because the library may not even be loaded.
 */
export function reportFailure(error: unknown, asked: Asked): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return EXIT.done
    // A bare `textrec` has printed its help already.
    if (error.code !== 'commander.help') printFailure(usageFailure(error, asked), asked)
    return EXIT.usage
  }
  const failure = describeFailure(error)
  printFailure(failure, asked)
  if (process.env.TEXTREC_DEBUG === '1' && error instanceof Error) process.stderr.write(`${error.stack}\n`)
  if (failure.code === 'ABORTED') return EXIT.interrupted
  return USAGE_CODES.has(failure.code) ? EXIT.usage : EXIT.failed
}

function usageFailure(error: CommanderError, { command }: Asked): Failure {
  const help = command === undefined ? 'textrec --help' : `textrec ${command} --help`
  return { code: 'USAGE', fact: sentence(error.message.replace(/^error: /, '')), remedy: `See '${help}'.` }
}

/** The failure that an unknown thrown value stands for; what textrec did not expect is INTERNAL. */
export function describeFailure(error: unknown): Failure {
  if (isFailure(error)) return inFlags(error)
  if (error instanceof Error && error.name === 'AbortError') {
    return { code: 'ABORTED', fact: 'The command was stopped.', remedy: 'Run it again.' }
  }
  const message = error instanceof Error ? error.message : String(error)
  return {
    code: 'INTERNAL',
    fact: sentence(message),
    remedy: 'This is a bug in textrec: please report it with the output of TEXTREC_DEBUG=1.',
  }
}

/** What remedies of the library call by its name there, as a person at a terminal types it. */
const CALLS: readonly (readonly [call: string, typed: string])[] = [
  [' (library: index())', ''],
  ['similarToItem()', "'textrec similar' with --text or --item-file"],
]

function inFlags({ code, fact, remedy }: Failure): Failure {
  return { code, fact, remedy: CALLS.reduce((text, [call, typed]) => text.replaceAll(call, typed), remedy) }
}

/** Standard output took no more: a full disk under a redirection, say. */
export function outputFailure(error: NodeJS.ErrnoException): Failure {
  return {
    code: 'DISK_FULL',
    fact: `Standard output could not be written (${error.code ?? oneLine(error.message)}).`,
    remedy: 'Make room, or send it elsewhere.',
  }
}

function isFailure(error: unknown): error is Error & Failure {
  return error instanceof Error && 'code' in error && 'fact' in error && 'remedy' in error
}

function sentence(text: string): string {
  const trimmed = oneLine(text)
  return /[.!?)]$/.test(trimmed) ? trimmed : `${trimmed}.`
}

export function printFailure({ code, fact, remedy }: Failure, { json }: Pick<Asked, 'json'>): void {
  const text = json
    ? JSON.stringify({ error: { code, fact, remedy } })
    : oneLine(`textrec: ${code}: ${fact} ${remedy}`)
  process.stderr.write(`${text}\n`)
}
