import { type Command, Option } from 'commander'
import type { TrainOptions, TrainReport } from '../../index.js'
import {
  addDeviceFlags,
  addExample,
  addShellFlags,
  anyNumber,
  type EncoderFlags,
  path,
  SAMPLE_PROJECT,
  type ShellFlags,
  wholeNumber,
} from '../options.js'
import { runCommand } from '../shell.js'
import { facts, table } from '../table.js'
import { duration, figure, plural } from '../text.js'

interface TrainFlags extends ShellFlags, EncoderFlags {
  readonly model?: TrainOptions['model']
  readonly epochs?: number
  readonly patience?: number
  readonly seed?: number
  readonly minRating?: number
  readonly report?: string
}

/** Known here too, so that help need not load the library; a test compares. */
const MODELS: readonly NonNullable<TrainOptions['model']>[] = [
  'sasrec',
  'sasrec-text',
  'sasrec-long',
  'gru',
  'two-tower',
  'two-tower-text',
]

export function define(command: Command): void {
  command.description(
    'Learn from the interactions what people who like this like. Published only if it is better, on interactions that were held back, than the frozen encoder, item-item scores alone and what is live. Stopped at any moment, it goes on from there when run again.',
  )
  addDeviceFlags(addShellFlags(command))
    .addOption(
      new Option('--model <name>', 'what to train; -text: without IDs (default: sasrec)').choices(MODELS),
    )
    .option('--epochs <n>', 'passes over all histories, at most (default: 60)', wholeNumber(1))
    .option('--patience <n>', 'stop after so many without a better validation (default: 6)', wholeNumber(1))
    .option('--seed <n>', 'decides every random choice (default: 1)', wholeNumber(0))
    .option(
      '--min-rating <n>',
      "from which rating an interaction counts as liked (default: the middle of the catalogue's scale)",
      anyNumber,
    )
    .option('--report <file.html>', 'write a report with curves that needs no network', path)
    .action((flags: TrainFlags) =>
      runCommand(flags, async (shell) => {
        const project = await shell.open(flags)
        const { model, epochs, patience, seed, minRating, device, threads, report: file } = flags
        const report = await project.train({
          ...shell.long,
          model,
          epochs,
          patience,
          seed,
          minRating,
          device,
          threads,
          report: file,
        })
        if (file !== undefined) shell.note(`The report is in ${file}.`)
        shell.print(report, () => trainSummary(report))
      }),
    )
  addExample(
    command,
    ...SAMPLE_PROJECT,
    'textrec train --dir books.textrec --model sasrec --epochs 4',
    'textrec similar --dir books.textrec dracula -k 5',
  )
}

type Judged = TrainReport['judged'][number]

/** What was decided and why, what it was compared with, and what there was to choose from. */
export function trainSummary(report: TrainReport): string {
  const { adapter, contests, notes, validation, seconds } = report
  const about = facts([
    [report.published ? 'published' : 'kept', report.why],
    [
      'judged by',
      `${plural(validation.cases, 'ranking')} of ${figure(validation.people)} people (${validation.split}), and ${figure(validation.coldCases)} of hidden items`,
    ],
    ...(report.withdrawn
      ? [['withdrawn', 'what was live had learnt from somebody who was forgotten'] as const]
      : []),
    ...(adapter === undefined
      ? []
      : [
          [
            'adapter',
            `${report.head === undefined ? '' : `${report.head}, `}${plural(adapter.bestEpoch, 'epoch')} ${adapter.ids ? 'with' : 'without'} IDs; trained share ${adapter.blend.warm} for items with interactions, ${adapter.blend.cold} for new ones`,
          ] as const,
        ]),
    ['took', `${duration(seconds)} on ${report.device}`],
    ...notes.map((note) => ['note', note] as const),
  ])
  const against = table(
    [
      { head: `${report.candidate.name} less` },
      { head: 'NDCG@10', align: 'right' },
      { head: '95 %', align: 'right' },
      { head: 'new items: recall@10', align: 'right' },
      { head: '95 %', align: 'right' },
      { head: '' },
    ],
    contests.map(({ against, overall, cold, verdict }) => [
      against,
      signed(overall.mean),
      `${signed(overall.low)} to ${signed(overall.high)}`,
      cold === undefined ? '' : signed(cold.mean),
      cold === undefined ? '' : `${signed(cold.low)} to ${signed(cold.high)}`,
      verdict,
    ]),
  )
  const all = table(
    [
      { head: 'judged' },
      { head: 'NDCG@10', align: 'right' },
      { head: '95 %', align: 'right' },
      { head: 'new items: recall@10', align: 'right' },
      { head: '' },
    ],
    rowsOf(report).map(({ name, overall, cold }) => [
      name,
      overall.mean.toFixed(4),
      `${overall.low.toFixed(4)} to ${overall.high.toFixed(4)}`,
      cold === undefined ? '' : cold.mean.toFixed(4),
      name === report.candidate.name ? (report.published ? 'published' : 'compared above') : '',
    ]),
  )
  return [about, against, all].join('\n\n')
}

/**
 * Text alone, the best mixture of each text, what had to be beaten, and the candidate, which need not be the best of
 * its kind: one that was better may have been worse on new items. All of them are in the JSON.
 */
function rowsOf({ judged, candidate }: TrainReport): readonly Judged[] {
  const seen = new Set<string>()
  return judged.filter(({ name }) => {
    if (name === candidate.name) return true
    const kind = name.replace(/ \+ .*/, ' +')
    if (seen.has(kind)) return false
    seen.add(kind)
    return true
  })
}

function signed(value: number): string {
  return `${value < 0 ? '-' : '+'}${Math.abs(value).toFixed(4)}`
}
