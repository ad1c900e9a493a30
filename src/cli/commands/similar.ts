import type { Command } from 'commander'
import type { Answer, Recommender } from '../../index.js'
import { answerTable } from '../answer.js'
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
import { runCommand, type Shell } from '../shell.js'

interface SimilarFlags extends ShellFlags, EncoderFlags, AskFlags {
  readonly text?: string
  readonly itemFile?: string
}

export function define(command: Command): void {
  command
    .description(
      'Items like an item of the catalogue, or like one that is not in it: described by a text, or by a JSON file with title, description, attributes and reviews. Nothing is stored.',
    )
    .argument('[item]', 'id of an item; write -- before an id that starts with -')
    .option('--text <text>', 'like an item with this description')
    .option('--item-file <file>', 'like the item in this JSON file; - is standard input')
  addDeviceFlags(addAskFlags(addShellFlags(command))).action(
    (item: string | undefined, flags: SimilarFlags) => {
      const given = [item, flags.text, flags.itemFile].filter((value) => value !== undefined)
      if (given.length !== 1) {
        command.error(`error: give one of ITEM, --text and --item-file; ${given.length} were given.`)
      }
      return runCommand(flags, async (shell) => {
        const project = await shell.open(flags)
        const { asked, answer } = await ask(shell, project, item, flags)
        shell.print(answer, () => answerTable(asked, answer, 'cosine'))
      })
    },
  )
  addExample(
    command,
    ...SAMPLE_PROJECT,
    'textrec similar --dir books.textrec dracula',
    'textrec similar --dir books.textrec --text "A lighthouse keeper goes mad." -k 5',
    `echo '{"title": "The Wreck of the Grosvenor", "reviews": [{"text": "Mutiny, a gale, an open boat."}]}' | textrec similar --dir books.textrec --item-file -`,
  )
}

async function ask(
  { library, long: { signal } }: Shell,
  project: Recommender,
  item: string | undefined,
  { text, itemFile, k, filter }: SimilarFlags,
): Promise<{ asked: string; answer: Answer }> {
  const options = { k, filter, signal }
  if (item !== undefined) {
    return { asked: `Items like ${item}`, answer: await project.similarItems(item, options) }
  }
  if (text !== undefined) {
    return {
      asked: 'Items like the text',
      answer: await project.similarToItem({ description: text }, options),
    }
  }
  const described = await readNewItem(library, itemFile as string)
  return { asked: 'Items like the one described', answer: await project.similarToItem(described, options) }
}
