import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { reportFailure } from './failure.js'
import { watchStreams } from './streams.js'

/** What one file under commands/ exports: it adds its flags, help and action to an empty command. */
interface CommandFile {
  define(command: Command): void
}

/** A command that the command line knows. */
export interface CommandEntry {
  readonly name: string
  readonly summary: string
  readonly load: () => Promise<CommandFile>
}

/**
 * Runs what `args` ask for and sets the process' exit code.
 * @param help the general help, as `textrec --help` prints it
 */
export async function runProgram(
  args: readonly string[],
  entries: readonly CommandEntry[],
  help: string,
): Promise<void> {
  const json = args.slice(0, args.includes('--') ? args.indexOf('--') : undefined).includes('--json')
  watchStreams(json)
  const asked = entries.find(({ name }) => name === askedName(args))
  try {
    const program = await buildProgram(entries, asked, help)
    await program.parseAsync(readable(args, asked), { from: 'user' })
  } catch (error) {
    process.exitCode = reportFailure(error, { json, command: asked?.name })
  }
}

/** The package's version, read without loading the library. */
function packageVersion(): string {
  const file = new URL('../../../package.json', import.meta.url)
  return (JSON.parse(readFileSync(file, 'utf8')) as { readonly version: string }).version
}

/** The name of the command that `args` are about: the first word, or the second of `help COMMAND`. */
function askedName(args: readonly string[]): string | undefined {
  const name = args[0] === 'help' ? args[1] : args[0]
  return name?.startsWith('-') ? undefined : name
}

/** What commander is to read. Help about a command that does not exist is no help: only its name is looked at. */
function readable(args: readonly string[], asked: CommandEntry | undefined): readonly string[] {
  const name = askedName(args)
  return name === undefined || name === 'help' || asked !== undefined ? args : [name]
}

async function buildProgram(
  entries: readonly CommandEntry[],
  asked: CommandEntry | undefined,
  help: string,
): Promise<Command> {
  const program = new Command('textrec')
    .version(packageVersion(), '-V, --version')
    .helpOption('-h, --help', 'print help') // of every command, too
    .exitOverride()
    .configureOutput({ outputError: () => {} }) // reportFailure prints it, on one line
  program.helpInformation = () => help
  for (const entry of entries) {
    const command = program.command(entry.name).summary(entry.summary).description(`${entry.summary}.`)
    if (entry === asked) (await entry.load()).define(command)
  }
  return program
}
