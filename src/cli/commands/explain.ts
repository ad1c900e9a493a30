import type { Command } from 'commander'
import { idList } from '../options.js'
import { addProjectFlags, addSampleExample, onProject, type ProjectFlags } from '../project-command.js'
import { reasonLines } from '../reasons.js'
import { oneLine } from '../text.js'

interface ExplainFlags extends ProjectFlags {
  readonly item: string
  readonly user?: string
  readonly likes?: string[]
  readonly dislikes?: string[]
  readonly text?: string
}

/** `textrec explain`: explain(), as shares and quotations. */
export function define(command: Command): void {
  command
    .description(
      'Why an item suits a person: what they liked that speaks for it, and the sentences of its description and reviews without which it would score lower.',
    )
    .requiredOption('--item <id>', 'the item')
    .option('--user <id>', 'somebody the project knows')
    .option('--likes <ids>', 'items that the person likes, separated by commas', idList)
    .option('--dislikes <ids>', 'items that the person does not like, separated by commas', idList)
    .option('--text <text>', 'what the person is looking for')
  addProjectFlags(command).action((flags: ExplainFlags) =>
    onProject(flags, async (project, shell) => {
      const { dislikes, item, likes, text, user } = flags
      const { signal } = shell.long
      const explained = await project.explain({ item, user, likes, dislikes, text, signal })
      shell.print(explained, () => {
        const { basis, itemId, score, title } = explained
        const lines = reasonLines(explained)
        const why = lines.length === 0 ? ['Nothing that is known of the person speaks for it.'] : lines
        return [`${oneLine(title ?? itemId)}: z-score ${score.toFixed(4)} (basis: ${basis})`, ...why].join(
          '\n',
        )
      })
    }),
  )
  addSampleExample(
    command,
    'textrec explain --dir books.textrec --user lizzie_b_reads --item dracula',
    'textrec explain --dir books.textrec --likes frankenstein --text "old houses" --item dracula',
  )
}
