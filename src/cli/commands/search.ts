import { type Command, Option } from 'commander'
import { answerTable, type ScoreKind } from '../answer.js'
import { addQuestionFlags, addSampleExample, onProject, type QuestionFlags } from '../project-command.js'

interface SearchFlags extends QuestionFlags {
  readonly mode?: 'hybrid' | 'vector' | 'text'
}

const SCORES: Readonly<Record<NonNullable<SearchFlags['mode']>, ScoreKind>> = {
  hybrid: 'fused',
  vector: 'cosine',
  text: 'BM25',
}

/** `textrec search`: search(), as a table. */
export function define(command: Command): void {
  command
    .description('Items for a free text, by its words and by its meaning.')
    .argument('<text...>', 'what to look for; quotes are not needed')
  addQuestionFlags(command)
    .addOption(
      new Option(
        '--mode <name>',
        'words and meaning together, meaning alone, or words alone (default: hybrid)',
      ).choices(['hybrid', 'vector', 'text']),
    )
    .action((words: string[], flags: SearchFlags) =>
      onProject(flags, async (project, shell) => {
        const { k, filter, mode } = flags
        const text = words.join(' ')
        const answer = await project.search(text, { k, filter, mode, signal: shell.long.signal })
        shell.print(answer, () => answerTable(`Items for "${text}"`, answer, SCORES[mode ?? 'hybrid']))
      }),
    )
  addSampleExample(
    command,
    'textrec search --dir books.textrec "a storm at sea"',
    `textrec search --dir books.textrec "a murder in a locked room" --filter '{"year": {"$gte": 1900}}' -k 5`,
  )
}
