import type { Command } from 'commander'
import { addShellFlags, idList, type ShellFlags } from '../options.js'
import { addSampleExample, onProject } from '../project-command.js'
import { figure } from '../text.js'

interface RemoveFlags extends ShellFlags {
  readonly items?: string[]
}

/** `textrec remove`: remove() of items. */
export function define(command: Command): void {
  command
    .description(
      'Remove items with their reviews, interactions and vectors, at once. Ids that the project does not hold are counted and are no error.',
    )
    .argument('[id...]', 'ids of items; write -- before an id that starts with -')
  addShellFlags(command)
    .option('--items <ids>', 'ids of items, separated by commas', idList)
    .action((ids: string[], flags: RemoveFlags) => {
      const all = [...new Set([...ids, ...(flags.items ?? [])])]
      if (all.length === 0) command.error('error: give the ids of the items to remove.')
      return onProject(flags, async (project, shell) => {
        const { items: removed } = await project.remove({ items: all })
        const report = { items: removed, unknown: all.length - removed }
        shell.print(report, () =>
          report.unknown === 0
            ? `${figure(removed)} removed.`
            : `${figure(removed)} removed; ${figure(report.unknown)} of the ids ${report.unknown === 1 ? 'was' : 'were'} not there.`,
        )
      })
    })
  addSampleExample(command, 'textrec remove --dir books.textrec dracula')
}
