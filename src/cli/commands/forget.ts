import type { Command } from 'commander'
import { addProjectFlags, addSampleExample, onProject, type ProjectFlags } from '../project-command.js'
import { figure } from '../text.js'

interface ForgetFlags extends ProjectFlags {
  readonly user: string
}

/** `textrec forget`: forget(), and what went. */
export function define(command: Command): void {
  command
    .description(
      'Remove every trace of a person: their reviews and interactions, the vectors of their words, what reject files quote. Items they wrote about get new vectors and the index is made anew. Takes time in proportion to the project.',
    )
    .requiredOption('--user <id>', 'the person')
  addProjectFlags(command).action((flags: ForgetFlags) =>
    onProject(flags, async (project, shell) => {
      const report = await project.forget({ user: flags.user }, shell.long)
      if (report.retrain) shell.note("What was trained on them still serves: run 'textrec train' again.")
      shell.print(report, () =>
        report.found
          ? `Forgotten: ${figure(report.reviews)} reviews, ${figure(report.interactions)} interactions, ${figure(report.embeddings)} text vectors; ${figure(report.itemsUpdated)} items have new vectors.`
          : 'Nobody of that name was known; nothing of them is left.',
      )
    }),
  )
  addSampleExample(command, 'textrec forget --dir books.textrec --user tolstoyan_runner')
}
