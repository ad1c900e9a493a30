#!/usr/bin/env node
import type { CommandEntry } from './program.js'

/**
 * The entry point of the command line. Nothing is loaded here for the general help, which a newcomer asks for first:
 * commander alone would take a tenth as long again as Node itself. A command's own file is loaded when that command
 * is asked for, and the library only when the command runs.
 */

/** Every command, in the order in which a newcomer meets them. */
const ENTRIES: readonly CommandEntry[] = [
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

const HELP_COMMAND = 'help [COMMAND]'

/** What `textrec --help` prints. */
function generalHelp(): string {
  const lines = (rows: readonly (readonly [left: string, right: string])[]) =>
    rows.map(([left, right]) => `  ${left.padEnd(HELP_COMMAND.length)}  ${right}`).join('\n')
  return `Usage: textrec COMMAND [options]

A text-aware recommender: pretrained BERT, nearest neighbours and SQLite.

Options:
${lines([
  ['-V, --version', 'print the version'],
  ['-h, --help', 'print help'],
])}

Commands:
${lines([...ENTRIES.map(({ name, summary }) => [name, summary] as const), [HELP_COMMAND, 'print help for a command']])}

${ABOUT}
`
}

const args = process.argv.slice(2)
if (args.length === 1 && ['-h', '--help', 'help'].includes(args[0])) {
  process.stdout.on('error', async (error) => (await import('./streams.js')).outputFailed(error, false))
  process.stdout.write(generalHelp())
} else {
  const { runProgram } = await import('./program.js')
  await runProgram(args, ENTRIES, generalHelp())
}
