import type { Command } from 'commander'
import { answerTable } from '../answer.js'
import { addItemArgument, askedItem, type ItemFlags, requireOneItem } from '../item-argument.js'
import { addQuestionFlags, addSampleExample, onProject, type QuestionFlags } from '../project-command.js'

interface SimilarFlags extends QuestionFlags, ItemFlags {}

/** `textrec similar`: similarItems() or similarToItem(), as a table. */
export function define(command: Command): void {
  command.description(
    'Items like an item of the catalogue, or like one that is not in it: described by a text, or by a JSON file with title, description, attributes and reviews. Nothing is stored.',
  )
  addQuestionFlags(addItemArgument(command, 'like')).action((id: string | undefined, flags: SimilarFlags) => {
    requireOneItem(command, id, flags)
    return onProject(flags, async (project, shell) => {
      const options = { k: flags.k, filter: flags.filter, signal: shell.long.signal }
      const item = await askedItem(shell.library, id, flags)
      const answer =
        typeof item === 'string'
          ? await project.similarItems(item, options)
          : await project.similarToItem(item, options)
      const asked = id ?? (flags.text === undefined ? 'the one described' : 'the text')
      shell.print(answer, () => answerTable(`Items like ${asked}`, answer, 'cosine'))
    })
  })
  addSampleExample(
    command,
    'textrec similar --dir books.textrec dracula',
    'textrec similar --dir books.textrec --text "A lighthouse keeper goes mad." -k 5',
    `echo '{"title": "The Wreck of the Grosvenor", "reviews": [{"text": "Mutiny, a gale, an open boat."}]}' | textrec similar --dir books.textrec --item-file -`,
  )
}
