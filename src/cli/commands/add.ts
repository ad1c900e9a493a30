import type { Command } from 'commander'
import type { Attributes, ImportReport, Item, UpsertReport } from '../../index.js'
import { importWithStandardInput } from '../input.js'
import {
  addDeviceFlags,
  addExample,
  addShellFlags,
  assignment,
  type EncoderFlags,
  SAMPLE_PROJECT,
  type ShellFlags,
} from '../options.js'
import { runCommand, type Shell } from '../shell.js'
import { plural } from '../text.js'
import { importTable, nothingAccepted } from './import.js'

interface AddFlags extends ShellFlags, EncoderFlags {
  readonly items?: string[]
  readonly reviews?: string[]
  readonly interactions?: string[]
  readonly id?: string
  readonly title?: string
  readonly description?: string
  readonly attribute?: Record<string, string>
}

/** `textrec add`: upsert() of one item by hand, or import() and index() of files into a project that is in use. */
export function define(command: Command): void {
  command.description(
    'Add or correct records of a project: files in any format that import reads, or one item by hand. They count from the next question on, in every open process, without a rebuild. An item that is there already is replaced as a whole: what is not given again is gone; its reviews and interactions stay.',
  )
  addDeviceFlags(addShellFlags(command))
    .option('--items <file...>', 'files of items; - is standard input')
    .option('--reviews <file...>', 'files of reviews')
    .option('--interactions <file...>', 'files of interactions')
    .option('--id <id>', 'one item by hand: its id')
    .option('--title <text>', 'its title')
    .option('--description <text>', 'its description')
    .option(
      '--attribute <name=value>',
      'one of its attributes, typed as in a CSV file; may be given several times',
      assignment,
    )
    .action((flags: AddFlags) => {
      const { items = [], reviews = [], interactions = [] } = flags
      const byHand = [flags.id, flags.title, flags.description, flags.attribute].some(
        (one) => one !== undefined,
      )
      const byFile = items.length + reviews.length + interactions.length > 0
      if (byHand === byFile) command.error('error: give files, or one item by hand (--id with --title ...).')
      if (byHand && flags.id === undefined) command.error('error: an item given by hand needs --id.')
      return runCommand(flags, (shell) => (byHand ? addItem(shell, flags) : addFiles(shell, flags)))
    })
  addExample(
    command,
    ...SAMPLE_PROJECT,
    'textrec add --dir books.textrec --id grosvenor --title "The Wreck of the Grosvenor" --description "A crew starved by its owner rises; the mate sails the wreck home through a gale." --attribute year=1877',
    `echo '{"user_id": "me", "item_id": "grosvenor", "rating": 5, "text": "Salt in every line."}' | textrec add --dir books.textrec --reviews -`,
    'textrec similar --dir books.textrec grosvenor',
  )
}

async function addItem(shell: Shell, flags: AddFlags): Promise<void> {
  const { id, title, description } = flags
  const attributes = flags.attribute === undefined ? undefined : typedAttributes(shell, flags.attribute)
  const item: Item = { id: id as string, title, description, attributes }
  const project = await shell.open(flags)
  const report = await project.upsert({ items: [item] }, shell.long)
  shell.print(report, () => `${item.id}: ${whatBecame(report.items, item)}. ${vectorsMade(report.encoded)}`)
}

function typedAttributes({ library }: Shell, texts: Record<string, string>): Attributes {
  const typed = Object.entries(texts).map(([name, text]) => [name, library.attributeFromText(name, text)])
  return Object.fromEntries(typed.filter(([, value]) => value !== undefined))
}

/** What import says, and the items whose vectors were brought up to date afterwards. */
export interface AddReport extends ImportReport {
  readonly encoded: number
}

async function addFiles(shell: Shell, flags: AddFlags): Promise<void> {
  const { items = [], reviews = [], interactions = [] } = flags
  const project = await shell.open(flags)
  const imported = await importWithStandardInput(project, { items, reviews, interactions }, shell.long)
  const { live } = await project.stats()
  // Before the first index there is nothing to keep up with: the records wait for it.
  const encoded = live === undefined ? 0 : (await project.index(shell.long)).vectors.items
  const report: AddReport = { ...imported, encoded }
  shell.print(report, () => `${importTable(report)}\n\n${vectorsMade(encoded)}`)
  if (report.read > 0 && report.accepted === 0) throw nothingAccepted(shell.library, report)
}

function vectorsMade(encoded: number): string {
  // Of an item that lost its text the vector goes: that is no new one.
  return encoded === 0
    ? 'No vector had to be made.'
    : `Vectors brought up to date: ${plural(encoded, 'item')}.`
}

function whatBecame({ added, replaced }: UpsertReport['items'], item: Item): string {
  if (added > 0) return 'added'
  if (replaced === 0) return 'unchanged'
  const left = (['title', 'description', 'attributes'] as const).filter((field) => item[field] === undefined)
  const kept = 'its reviews and interactions stay'
  return left.length === 0
    ? `replaced as a whole; ${kept}`
    : `replaced as a whole: it has no ${left.join(' and no ')} now, whatever it had; ${kept}`
}
