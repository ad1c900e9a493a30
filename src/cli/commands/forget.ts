import type { Command } from 'commander'
import {
  addDeviceFlags,
  addExample,
  addShellFlags,
  type EncoderFlags,
  SAMPLE_PROJECT,
  type ShellFlags,
} from '../options.js'
import { runCommand } from '../shell.js'
import { figure } from '../text.js'

interface ForgetFlags extends ShellFlags, EncoderFlags {
  readonly user: string
}

export function define(command: Command): void {
  command
    .description(
      'Remove every trace of a person: their reviews and interactions, the vectors of their words, what reject files quote. Items they wrote about get new vectors and the index is made anew. Takes time in proportion to the project.',
    )
    .requiredOption('--user <id>', 'the person')
  addDeviceFlags(addShellFlags(command)).action((flags: ForgetFlags) =>
    runCommand(flags, async (shell) => {
      const project = await shell.open(flags)
      const report = await project.forget({ user: flags.user })
      if (report.retrain) shell.note("What was trained on them still serves: run 'textrec train' again.")
      shell.print(report, () =>
        report.found
          ? `Forgotten: ${figure(report.reviews)} reviews, ${figure(report.interactions)} interactions, ${figure(report.embeddings)} text vectors; ${figure(report.itemsUpdated)} items have new vectors.`
          : 'Nobody of that name was known; nothing of them is left.',
      )
    }),
  )
  addExample(command, ...SAMPLE_PROJECT, 'textrec forget --dir books.textrec --user tolstoyan_runner')
}
