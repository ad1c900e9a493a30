import type { Command } from 'commander'
import type { TuneOptions, TuneReport, TuneRow } from '../../index.js'
import {
  addDeviceFlags,
  addExample,
  addShellFlags,
  anyNumber,
  type EncoderFlags,
  idList,
  SAMPLE_PROJECT,
  type ShellFlags,
  wholeNumber,
} from '../options.js'
import { runCommand } from '../shell.js'
import { facts, table } from '../table.js'
import { duration, figure, plural } from '../text.js'

interface TuneFlags extends ShellFlags, EncoderFlags {
  readonly model?: string[]
  readonly budget?: string
  readonly settings?: number
  readonly brackets?: number
  readonly encoders?: string[]
  readonly epochs?: number
  readonly seed?: number
  readonly minRating?: number
  readonly workers?: number
  readonly publish: boolean
}

/** `textrec tune`: tune(), as a table of what was tried and what came of it. */
export function define(command: Command): void {
  command.description(
    'Try models, encoders and settings on interactions that are held back, many for a short time and the better half for longer; train the best that can be served in full, and publish it if it beats what is live. The table stays in the project: stopped or killed at any moment, the search goes on from there when run again.',
  )
  addDeviceFlags(addShellFlags(command))
    .option('--model <a,b,c>', 'what to try; a wrong name prints all that there are (default: auto)', idList)
    .option('--budget <time>', 'for the search, with its unit: 90s, 20m or 1.5h (default: 20m)')
    .option('--settings <n>', 'how many a round of halving begins with (default: 16)', wholeNumber(1))
    .option('--brackets <n>', 'such rounds at most (default: until the time is up)', wholeNumber(1))
    .option('--encoders <a,b,c>', "encoders to try beside the project's own", idList)
    .option('--epochs <n>', 'passes of a whole training, at most (default: 60)', wholeNumber(1))
    .option('--seed <n>', 'decides every random choice (default: 1)', wholeNumber(0))
    .option(
      '--min-rating <n>',
      "from which rating an interaction counts as liked (default: the middle of the catalogue's scale)",
      anyNumber,
    )
    .option('--workers <n>', 'settings at a time, each on one thread (default: one per core)', wholeNumber(0))
    .option('--no-publish', 'only search: train nothing in full')
    .action((flags: TuneFlags) =>
      runCommand(flags, async (shell) => {
        const project = await shell.open(flags)
        const { model, budget, settings, brackets, encoders, epochs, seed, minRating } = flags
        const report = await project.tune({
          ...shell.long,
          models: model as TuneOptions['models'] | undefined,
          budget,
          settings,
          brackets,
          encoders,
          epochs,
          seed,
          minRating,
          device: flags.device,
          workers: flags.workers,
          publish: flags.publish,
        })
        shell.print(report, () => tuneSummary(report))
      }),
    )
  addExample(
    command,
    ...SAMPLE_PROJECT,
    'textrec tune --dir books.textrec --model two-tower,mf-softmax --budget 20s --settings 2 --brackets 1 --epochs 2',
  )
}

/** Rows that people are shown; all of them are in the JSON, and in the project. */
const SHOWN = 20

export function tuneSummary(report: TuneReport): string {
  const { budget, published, training, validation, why } = report
  const about = facts([
    [published ? 'published' : training === undefined ? 'found' : 'kept', why],
    [
      'judged by',
      `${figure(validation.judging)} people (${validation.split}), after ${figure(validation.choosing)} others had chosen; ${plural(validation.coldCases, 'ranking')} of hidden items`,
    ],
    [
      'took',
      `${duration(budget.spent)} of ${duration(budget.seconds)}${budget.finished ? ', all brackets done' : ''}`,
    ],
  ])
  const rows = table(
    [
      { head: 'model', least: 8 },
      { head: 'epochs', align: 'right' },
      { head: 'NDCG@10', align: 'right' },
      { head: '95 %', align: 'right' },
      { head: 'alone', align: 'right' },
      { head: 'item-item', align: 'right' },
      { head: 'new items', align: 'right' },
      { head: 'served' },
      { head: 'settings', least: 16 },
    ],
    report.table.slice(0, SHOWN).map((row) => cells(row, report.table)),
  )
  const left = report.table.length - SHOWN
  return [about, left > 0 ? `${rows}\n... and ${left} more (--json)` : rows].join('\n\n')
}

function cells(row: TuneRow, all: readonly TuneRow[]): string[] {
  const { alone, coldRecall, encoder, epochs, high, low, model, ndcg, servable, settings, share } = row
  const isOne = all.every((other) => other.encoder === encoder)
  const shown = Object.entries({ ...(isOne ? {} : { encoder }), ...settings })
  return [
    model,
    epochs === undefined ? '' : figure(epochs),
    ndcg.toFixed(4),
    `${low.toFixed(4)} to ${high.toFixed(4)}`,
    alone.toFixed(4),
    `${Math.round(100 * share)} %`,
    coldRecall === undefined ? '' : coldRecall.toFixed(4),
    servable ? 'yes' : 'no',
    shown.map(([name, value]) => `${name} ${value}`).join(', '),
  ]
}
