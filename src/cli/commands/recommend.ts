import type { Command } from 'commander'
import type { Answer, PersonAnswer } from '../../index.js'
import { answerTable } from '../answer.js'
import { idList, path } from '../options.js'
import { addProjectFlags, addSampleExample, onProject, type ProjectFlags } from '../project-command.js'
import { reasonLines } from '../reasons.js'
import { addRuleFlags, type RuleFlags, ruleOptions } from '../rule-flags.js'
import { figure } from '../text.js'

interface RecommendFlags extends ProjectFlags, RuleFlags {
  readonly user?: string
  readonly users?: string[]
  readonly likes?: string[]
  readonly dislikes?: string[]
  readonly text?: string
  readonly all?: boolean
  readonly out?: string
}

/** `textrec recommend`: recommend() for one person or several as tables, recommendAll() to a file. */
export function define(command: Command): void {
  command
    .description(
      'Items for a person: somebody the project knows, somebody described by likes, dislikes and words, or, with nothing given, anybody. --all writes everybody to a file, one JSON line each, and goes on where a stopped run was.',
    )
    .option('--user <id>', 'somebody the project knows')
    .option('--users <ids>', 'several of them, separated by commas', idList)
    .option('--likes <ids>', 'items that the person likes, separated by commas', idList)
    .option('--dislikes <ids>', 'items that the person does not like, separated by commas', idList)
    .option('--text <text>', 'what the person is looking for')
    .option('--all', 'everybody the project knows, to the file --out')
    .option('--out <file.jsonl>', 'where --all writes', path)
  addRuleFlags(addProjectFlags(command)).action((flags: RecommendFlags) => {
    checkFlags(command, flags)
    return onProject(flags, async (project, shell) => {
      const rules = { ...ruleOptions(flags), signal: shell.long.signal }
      if (flags.all) {
        const report = await project.recommendAll({ ...rules, ...shell.long, out: flags.out as string })
        shell.print(report, () => `${figure(report.people)} people are in ${report.out}.`)
      } else if (flags.users !== undefined) {
        const people = await project.recommend({ ...rules, users: flags.users })
        shell.print({ people }, () => people.map(tableOf).join('\n\n'))
      } else {
        const { dislikes, likes, text, user } = flags
        const answer = await project.recommend({ ...rules, user, likes, dislikes, text })
        shell.print(answer, () => withReasons(`Items for ${user ?? 'this person'}`, answer))
      }
    })
  })
  addSampleExample(
    command,
    'textrec recommend --dir books.textrec --user lizzie_b_reads -k 5 --reasons',
    'textrec recommend --dir books.textrec --likes dracula,frankenstein --text "at sea" --at-most author=1',
    'textrec recommend --dir books.textrec --all --out books.textrec/everybody.jsonl',
  )
}

function checkFlags(command: Command, flags: RecommendFlags): void {
  const { all, dislikes, likes, out, text, user, users } = flags
  const one = [user, likes, dislikes, text].some((value) => value !== undefined)
  if ([one, users !== undefined, all === true].filter(Boolean).length > 1) {
    command.error('error: describe one person, or give --users, or --all.')
  }
  if ((all === true) !== (out !== undefined)) command.error('error: --all and --out go together.')
}

function tableOf({ userId, ...answer }: PersonAnswer): string {
  return withReasons(`Items for ${userId}`, answer)
}

function withReasons(asked: string, answer: Answer): string {
  const reasons = answer.items.flatMap(({ itemId, reasons: why, title }) => {
    const lines = why === undefined ? [] : reasonLines(why)
    return lines.length === 0 ? [] : ['', title ?? itemId, ...lines]
  })
  return [answerTable(asked, answer, 'z-score'), ...reasons].join('\n')
}
