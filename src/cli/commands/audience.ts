import type { Command } from 'commander'
import type { NewItem } from '../../index.js'
import { readNewItem } from '../input.js'
import {
  type AskFlags,
  addAskFlags,
  addDeviceFlags,
  addExample,
  addShellFlags,
  type EncoderFlags,
  SAMPLE_PROJECT,
  type ShellFlags,
} from '../options.js'
import { runCommand } from '../shell.js'
import { table } from '../table.js'

interface AudienceFlags extends ShellFlags, EncoderFlags, AskFlags {
  readonly text?: string
  readonly itemFile?: string
  readonly includeOwners?: boolean
}

export function define(command: Command): void {
  command
    .description(
      'The people most likely to want an item: one of the catalogue, or one that is not in it, described by a text or by a JSON file. --filter keeps people who have an item that matches.',
    )
    .argument('[item]', 'id of an item; write -- before an id that starts with -')
    .option('--text <text>', 'for an item with this description')
    .option('--item-file <file>', 'for the item in this JSON file; - is standard input')
    .option('--include-owners', 'do not leave out people who have the item')
  addDeviceFlags(addAskFlags(addShellFlags(command))).action(
    (id: string | undefined, flags: AudienceFlags) => {
      const { filter, includeOwners, itemFile, k, text } = flags
      const given = [id, text, itemFile].filter((value) => value !== undefined)
      if (given.length !== 1) {
        command.error(`error: give one of ITEM, --text and --item-file; ${given.length} were given.`)
      }
      return runCommand(flags, async (shell) => {
        const project = await shell.open(flags)
        const described = async (): Promise<NewItem> =>
          text === undefined ? await readNewItem(shell.library, itemFile as string) : { description: text }
        const { signal } = shell.long
        const excludeOwners = includeOwners !== true
        const audience = await project.audience(id ?? (await described()), {
          k,
          filter,
          excludeOwners,
          signal,
        })
        const { basis, people } = audience
        shell.print({ basis, items: people }, () =>
          people.length === 0
            ? 'Nobody is known who could be asked.'
            : `People for ${id ?? 'this item'} (basis: ${basis})\n\n${table(
                [
                  { head: 'rank', align: 'right' },
                  { head: 'cosine', align: 'right' },
                  { head: 'person', least: 12 },
                ],
                people.map(({ rank, score, userId }) => [String(rank), score.toFixed(4), userId]),
              )}`,
        )
      })
    },
  )
  addExample(
    command,
    ...SAMPLE_PROJECT,
    'textrec audience --dir books.textrec dracula -k 5',
    'textrec audience --dir books.textrec --text "A lighthouse keeper goes mad."',
  )
}
