#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { reportFailure } from './failure.js'
import { watchStreams } from './streams.js'

/**
 * The entry point of the command line. Only commander is loaded here: a command's own file is loaded when that
 * command is asked for, and the library only when the command runs, so that help answers at once.
 */

/** What one file under commands/ exports: it adds its flags, help and action to an empty command. */
interface CommandFile {
  define(command: Command): void
}

interface Entry {
  readonly name: string
  readonly summary: string
  readonly load: () => Promise<CommandFile>
}

/** Every command, in the order in which a newcomer meets them. */
const ENTRIES: readonly Entry[] = [
  {
    name: 'demo',
    summary: 'show all of it on the built-in bookshelf',
    load: () => import('./commands/demo.js'),
  },
  {
    name: 'import',
    summary: 'read items, reviews and interactions from files',
    load: () => import('./commands/import.js'),
  },
  {
    name: 'index',
    summary: 'encode what changed and publish the index',
    load: () => import('./commands/index.js'),
  },
  {
    name: 'train',
    summary: 'learn from the interactions; published if better',
    load: () => import('./commands/train.js'),
  },
  {
    name: 'tune',
    summary: 'search models and settings; published if better',
    load: () => import('./commands/tune.js'),
  },
  {
    name: 'evaluate',
    summary: 'compare models on held-out interactions',
    load: () => import('./commands/evaluate.js'),
  },
  {
    name: 'recommend',
    summary: 'items for a person, known or described',
    load: () => import('./commands/recommend.js'),
  },
  {
    name: 'explain',
    summary: 'why an item suits a person',
    load: () => import('./commands/explain.js'),
  },
  {
    name: 'audience',
    summary: 'people for an item, known or described',
    load: () => import('./commands/audience.js'),
  },
  {
    name: 'similar',
    summary: 'items like an item, or like a text',
    load: () => import('./commands/similar.js'),
  },
  { name: 'search', summary: 'items for a free text', load: () => import('./commands/search.js') },
  {
    name: 'clusters',
    summary: 'groups of alike items, for filters and variety',
    load: () => import('./commands/clusters.js'),
  },
  {
    name: 'add',
    summary: 'add or correct records; they answer at once',
    load: () => import('./commands/add.js'),
  },
  { name: 'remove', summary: 'remove items', load: () => import('./commands/remove.js') },
  {
    name: 'forget',
    summary: 'remove every trace of a person',
    load: () => import('./commands/forget.js'),
  },
  {
    name: 'stats',
    summary: 'what a project holds and what it serves',
    load: () => import('./commands/stats.js'),
  },
  {
    name: 'export',
    summary: 'copy a project, whole, while it is in use',
    load: () => import('./commands/export.js'),
  },
  { name: 'doctor', summary: 'check a project, and repair it', load: () => import('./commands/doctor.js') },
]

const ABOUT = `Exit codes: 0 done, 1 a known failure, 2 wrong usage, 130 interrupted.
Environment: NO_COLOR for plain text, TEXTREC_DEBUG=1 for the stack of an unexpected error.

Start with 'textrec demo', or run 'textrec COMMAND --help' for an example that runs as it stands.`

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

function askedFor(args: readonly string[]): Entry | undefined {
  const name = askedName(args)
  return ENTRIES.find((entry) => entry.name === name)
}

/** What commander is to read. Help about a command that does not exist is no help: only its name is looked at. */
function readable(args: readonly string[]): readonly string[] {
  const name = askedName(args)
  return name === undefined || name === 'help' || askedFor(args) !== undefined ? args : [name]
}

async function buildProgram(args: readonly string[]): Promise<Command> {
  const program = new Command('textrec')
    .description('A text-aware recommender: pretrained BERT, nearest neighbours and SQLite.')
    .usage('COMMAND [options]')
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [COMMAND]', 'print help for a command')
    .addHelpText('after', `\n${ABOUT}`)
    .exitOverride()
    .configureOutput({ outputError: () => {} }) // reportFailure prints it, on one line
  const asked = askedFor(args)
  for (const entry of ENTRIES) {
    const command = program.command(entry.name).summary(entry.summary).description(`${entry.summary}.`)
    if (entry === asked) (await entry.load()).define(command)
  }
  return program
}

const args = process.argv.slice(2)
const json = args.slice(0, args.includes('--') ? args.indexOf('--') : undefined).includes('--json')
watchStreams(json)
try {
  const program = await buildProgram(args)
  await program.parseAsync(readable(args), { from: 'user' })
} catch (error) {
  process.exitCode = reportFailure(error, { json, command: askedFor(args)?.name })
}
