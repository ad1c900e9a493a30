import type { Command } from 'commander'
import type { ClusterReport } from '../../index.js'
import { addExample, addShellFlags, SAMPLE_PROJECT, type ShellFlags, wholeNumber } from '../options.js'
import { runCommand } from '../shell.js'
import { table } from '../table.js'
import { figure, plural } from '../text.js'

interface ClusterFlags extends ShellFlags {
  readonly k?: number
  readonly seed?: number
  readonly attribute?: string
}

/** `textrec clusters`: clusters(), as a table of the groups with examples, and how to ask for one. */
export function define(command: Command): void {
  command.description(
    'Divide the catalogue into clusters of alike items, named by their most telling words, and store the cluster of each item as an attribute for --filter and --at-most. New items get the nearest cluster; the clusters stay as they are until this runs again.',
  )
  addShellFlags(command)
    .option('-k, --k <n>', 'how many (default: the root of half the items, 2 to 100)', wholeNumber(1))
    .option('--seed <n>', 'decides where they start (default: 1)', wholeNumber(0))
    .option('--attribute <name>', 'what the attribute is called (default: cluster)')
    .action((flags: ClusterFlags) =>
      runCommand(flags, async (shell) => {
        const project = await shell.open()
        const { k, seed, attribute } = flags
        const report = await project.clusters({ ...shell.long, k, seed, attribute })
        shell.print(report, () => clusterTable(report) + shell.remark(usage(report)))
      }),
    )
  addExample(
    command,
    ...SAMPLE_PROJECT,
    'textrec clusters --dir books.textrec -k 8',
    'textrec recommend --dir books.textrec --likes dracula --at-most cluster=2',
  )
}

function clusterTable({ attribute, clusters, cosine, items, withoutText }: ClusterReport): string {
  const left = withoutText === 0 ? '' : `; ${plural(withoutText, 'item')} without text in none`
  const about = `${plural(items, 'item')} in ${plural(clusters.length, 'cluster')}, mean cosine with the centre ${cosine.toFixed(3)}${left}`
  const rows = table(
    [
      { head: attribute, least: 12 },
      { head: 'items', align: 'right' },
      { head: 'such as', least: 16 },
    ],
    clusters.map(({ name, size, examples }) => [
      name,
      figure(size),
      examples.map(({ itemId, title = itemId }) => title).join('; '),
    ]),
  )
  return `${about}\n\n${rows}`
}

function usage({ attribute, clusters }: ClusterReport): string {
  const filter = JSON.stringify({ [attribute]: clusters[0].name })
  return `Ask for one with --filter '${filter}', for variety with --at-most ${attribute}=2.`
}
