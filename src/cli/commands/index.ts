import { type Command, Option } from 'commander'
import type { IndexReport, VectorReport } from '../../index.js'
import {
  addEncoderFlags,
  addExample,
  addShellFlags,
  type EncoderFlags,
  SAMPLE_PROJECT,
  type ShellFlags,
} from '../options.js'
import { runCommand } from '../shell.js'
import { facts } from '../table.js'
import { duration, figure, plural } from '../text.js'

interface IndexFlags extends ShellFlags, EncoderFlags {
  readonly kind?: 'auto' | 'exact' | 'hnsw'
  readonly rebuild?: boolean
}

/** `textrec index`: index(), and what it encoded and published. */
export function define(command: Command): void {
  command.description(
    'Encode what changed since the last time and publish an index of it. Stopped at any moment, it goes on from there when run again; what was live stays live until the new index is.',
  )
  addEncoderFlags(addShellFlags(command))
    .addOption(
      new Option('--kind <name>', 'kind of index (default: auto, exact while that is faster)').choices([
        'auto',
        'exact',
        'hnsw',
      ]),
    )
    .option('--rebuild', 'build a new index even if the live one is up to date')
    .action((flags: IndexFlags) =>
      runCommand(flags, async (shell) => {
        const project = await shell.open(flags)
        const { kind, rebuild } = flags
        const report = await project.index({ ...shell.long, kind, rebuild })
        shell.print(report, () => indexSummary(report))
      }),
    )
  addExample(command, ...SAMPLE_PROJECT)
}

/** What was encoded, on what, how fast, and the index that answers now. */
export function indexSummary({ encoder, vectors, index, seconds }: IndexReport): string {
  const built = index.built ? `built in ${duration(seconds.build)}` : 'it was up to date and stays'
  return facts([
    ['encoder', `${encoder.name}, ${encoder.dtype} on ${encoder.device} (${encoder.why})`],
    ...(vectors.items === 0
      ? [['items', 'all were up to date'] as const]
      : encodedFacts(vectors, seconds.encode)),
    [
      'index',
      `${index.kind}, ${plural(index.size, 'item')}, recall@10 ${index.recall.toFixed(4)} against exact search; ${built}`,
    ],
  ])
}

function encodedFacts(vectors: VectorReport, seconds: number): (readonly [string, string])[] {
  const { items, withoutText, texts, encoded, tokens, split, sampled, reviewsLeftOut } = vectors
  const rate = encoded > 0 && seconds > 0 ? `, ${figure(encoded / seconds)} texts/s` : ''
  const rest = [
    ...(sampled > 0 ? [`${plural(sampled, 'very long text')} sampled`] : []),
    ...(reviewsLeftOut > 0
      ? [`${plural(reviewsLeftOut, 'review')} left out of items with many more telling ones`]
      : []),
  ]
  return [
    ['items', `${figure(items)} brought up to date, ${figure(withoutText)} of them without any text`],
    [
      'texts',
      `${figure(encoded)} of ${figure(texts)} encoded in ${duration(seconds)}${rate}; ${plural(tokens, 'token')}, ${plural(split, 'text')} read in several windows`,
    ],
    ...(rest.length > 0 ? [['not read', rest.join('; ')] as const] : []),
  ]
}
