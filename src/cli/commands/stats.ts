import type { Command } from 'commander'
import type { Stats } from '../../index.js'
import { addShellFlags, type ShellFlags } from '../options.js'
import { addSampleExample, onProject } from '../project-command.js'
import { facts } from '../table.js'
import { bytes, figure } from '../text.js'

/** `textrec stats`: stats(), as a list of facts. */
export function define(command: Command): void {
  command.description('What a project holds and what it serves.')
  addShellFlags(command).action((flags: ShellFlags) =>
    onProject(flags, async (project, shell) => {
      const stats = await project.stats()
      shell.print(stats, () => statsTable(stats))
    }),
  )
  addSampleExample(command, 'textrec stats --dir books.textrec')
}

const TIMES = {
  date: 'dates',
  order: 'only an order within each person',
  none: 'none',
} as const

function statsTable(stats: Stats): string {
  const { clusters, live } = stats
  return facts([
    ['items', figure(stats.items)],
    ['users', figure(stats.users)],
    ['reviews', figure(stats.reviews)],
    ['interactions', figure(stats.interactions)],
    ['times', TIMES[stats.timeKind]],
    [
      'vectors',
      `${figure(stats.itemsWithVector)} items have one, ${figure(stats.itemsStale)} wait for 'textrec index'`,
    ],
    ['encoder', live === undefined ? 'none yet' : `${live.encoder}, ${live.dtype}`],
    [
      'index',
      live === undefined
        ? "none yet: run 'textrec index'"
        : `${live.kind}, ${figure(live.size)} x ${live.dim}, recall@10 ${live.recall.toFixed(4)}, built ${live.builtAt}`,
    ],
    ['trained', trainedFact(stats.trained)],
    ...(clusters === undefined
      ? []
      : [
          [
            'clusters',
            `${figure(clusters.count)}, as attribute '${clusters.attribute}'${clusters.stale ? "; of another encoder: run 'textrec clusters'" : ''}`,
          ] as const,
        ]),
    [
      'on disk',
      `${bytes(stats.databaseBytes)} database, ${bytes(stats.indexBytes)} index, ${bytes(stats.modelBytes)} trained`,
    ],
    ['versions', `textrec ${stats.textrec}, SQLite ${stats.sqlite}`],
  ])
}

function trainedFact(trained: Stats['trained']): string {
  if (trained === undefined) return "nothing yet: run 'textrec train'"
  const text = trained.adapter ? 'adapter' : 'frozen text'
  const share = Math.round(100 * trained.collaborativeShare)
  const again = trained.retrain ? "; somebody it learnt from was forgotten: run 'textrec train'" : ''
  return `${text} with ${share} % item-item scores${again}`
}
