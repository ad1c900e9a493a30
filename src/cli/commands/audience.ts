import type { Command } from 'commander'
import { addItemArgument, askedItem, type ItemFlags, requireOneItem } from '../item-argument.js'
import { addQuestionFlags, addSampleExample, onProject, type QuestionFlags } from '../project-command.js'
import { table } from '../table.js'

interface AudienceFlags extends QuestionFlags, ItemFlags {
  readonly includeOwners?: boolean
}

/** `textrec audience`: audience(), as a table of people. */
export function define(command: Command): void {
  command.description(
    'The people most likely to want an item: one of the catalogue, or one that is not in it, described by a text or by a JSON file. --filter keeps people who have an item that matches.',
  )
  addQuestionFlags(
    addItemArgument(command, 'for').option('--include-owners', 'do not leave out people who have the item'),
  ).action((id: string | undefined, flags: AudienceFlags) => {
    requireOneItem(command, id, flags)
    return onProject(flags, async (project, shell) => {
      const { basis, people } = await project.audience(await askedItem(shell.library, id, flags), {
        k: flags.k,
        filter: flags.filter,
        excludeOwners: flags.includeOwners !== true,
        signal: shell.long.signal,
      })
      shell.print({ basis, items: people }, () =>
        people.length === 0
          ? 'Nobody is known who could be asked.'
          : `People for ${id ?? 'this item'} (basis: ${basis})\n\n${table(
              [
                { head: 'rank', align: 'right' },
                { head: 'z-score', align: 'right' },
                { head: 'person', least: 12 },
              ],
              people.map(({ rank, score, userId }) => [String(rank), score.toFixed(4), userId]),
            )}`,
      )
    })
  })
  addSampleExample(
    command,
    'textrec audience --dir books.textrec dracula -k 5',
    'textrec audience --dir books.textrec --text "A lighthouse keeper goes mad."',
  )
}
