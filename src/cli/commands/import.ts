import { type Command, Option } from 'commander'
import type { ImportReport, ImportSources } from '../../index.js'
import { importWithStandardInput } from '../input.js'
import { addExample, addShellFlags, assignment, type ShellFlags } from '../options.js'
import { type Library, runCommand } from '../shell.js'
import { table } from '../table.js'
import { figure, plural, shellWord } from '../text.js'

interface ImportFlags extends ShellFlags {
  readonly items?: string[]
  readonly reviews?: string[]
  readonly interactions?: string[]
  readonly sample?: boolean
  readonly format?: ImportSources['format']
  readonly map?: Record<string, string>
  readonly rejects?: string
}

const FORMATS = ['auto', 'csv', 'tsv', 'jsonl', 'amazon', 'movielens', 'recbole']

/** `textrec import`: import() of files, standard input or the sample, as a table of what became of each. */
export function define(command: Command): void {
  command.description(
    'Read items, reviews and interactions from files, plain or .gz, into a project that is made where there is none. Importing a file again changes nothing; a corrected record replaces the old one.',
  )
  addShellFlags(command)
    .option('--items <file...>', 'files of items; - is standard input')
    .option('--reviews <file...>', 'files of reviews; a rated review is an interaction too')
    .option('--interactions <file...>', 'files of interactions')
    .option('--sample', 'the built-in bookshelf with its reviews')
    .addOption(new Option('--format <name>', 'format of the files (default: auto)').choices(FORMATS))
    .option('--map <field=column>', 'read a field from this column; may be given several times', assignment)
    .option('--rejects <path>', 'where refused records are written')
    .action((flags: ImportFlags) => {
      const { items = [], reviews = [], interactions = [] } = flags
      if (!flags.sample && items.length + reviews.length + interactions.length === 0) {
        command.error('error: give --items, --reviews or --interactions with a file, or --sample.')
      }
      return runImport(flags)
    })
  addExample(command, 'textrec import --dir books.textrec --sample')
  command.addHelpText(
    'after',
    '\nYour own files (formats are recognised by content):\n  textrec import --dir shop.textrec --items items.jsonl --reviews a.csv.gz b.csv.gz --map itemId=sku',
  )
}

async function runImport(flags: ImportFlags): Promise<void> {
  await runCommand(flags, async (shell) => {
    const { items = [], reviews = [], interactions = [], format, map, rejects } = flags
    const sample = flags.sample ? shell.library.sampleFiles() : undefined
    const project = await shell.open({}, { create: true })
    const report = await importWithStandardInput(
      project,
      {
        items: sample === undefined ? items : [...items, sample.items],
        reviews: sample === undefined ? reviews : [...reviews, sample.reviews],
        interactions,
        format,
        map,
        rejects,
      },
      shell.long,
    )
    const next =
      report.accepted === 0 ? '' : shell.remark(`Next: textrec index --dir ${shellWord(flags.dir)}`)
    shell.print(report, () => `${importTable(report)}${next}`)
    if (report.read > 0 && report.accepted === 0) throw nothingAccepted(shell.library, report)
  })
}

/** Nothing of what was read could be taken: the files are not what they were said to be. */
export function nothingAccepted({ TextrecError }: Library, { read, files }: ImportReport): Error {
  const rejects = [...new Set(files.flatMap(({ rejectFile }) => rejectFile ?? []))]
  return new TextrecError(
    'RECORD_INVALID',
    `${read === 1 ? 'The only record was' : `All ${figure(read)} records were`} refused.`,
    `The reasons are in ${rejects.join(', ')}; columns of other names are read with --map field=column.`,
  )
}

/** What became of each file, and where the refused records are. */
export function importTable(report: ImportReport): string {
  const counts = ['read', 'accepted', 'rejected', 'added', 'replaced', 'unchanged'] as const
  const rows = report.files.map((file) => [
    file.path,
    file.kind,
    file.format,
    ...counts.map((name) => figure(file[name])),
  ])
  const drawn = table(
    [
      { head: 'file', least: 20 },
      { head: 'kind' },
      { head: 'format' },
      ...counts.map((head) => ({ head, align: 'right' as const })),
    ],
    rows,
  )
  const refused = report.files.filter((file) => file.rejected > 0)
  const where = refused.map(
    (file) => `${plural(file.rejected, 'record')} of ${file.path} refused, with reasons: ${file.rejectFile}`,
  )
  return [drawn, ...where].join('\n')
}
