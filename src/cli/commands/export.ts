import type { Command } from 'commander'
import { addExample, addShellFlags, path, SAMPLE_PROJECT, type ShellFlags } from '../options.js'
import { runCommand } from '../shell.js'
import { facts } from '../table.js'
import { figure, shellWord } from '../text.js'

interface ExportFlags extends ShellFlags {
  readonly out: string
  readonly check: boolean
}

/** `textrec export`: export() to a folder. */
export function define(command: Command): void {
  command.description(
    'Copy the project as it stands into a new folder, while others go on using it: catalogue, live index and trained model of one moment, verified. The copy is a project: to restore it, or to move it to another machine, put the folder where you want it and name it with --dir; nothing has to be imported.',
  )
  addShellFlags(command)
    .requiredOption('--out <folder>', 'the folder to make; it must not be there yet', path)
    .option('--no-check', 'do not look for damage in the copied catalogue')
    .action((flags: ExportFlags) =>
      runCommand(flags, async (shell) => {
        const project = await shell.open()
        const report = await project.export({ ...shell.long, out: flags.out, check: flags.check })
        shell.print(report, () => {
          const { items, users, reviews, interactions, catalogBytes, indexId, modelId } = report
          const live = indexId === undefined ? 'nothing was indexed yet' : 'the live one'
          const shown = facts([
            ['exported to', report.out],
            [
              'catalogue',
              `${figure(items)} items, ${figure(users)} people, ${figure(reviews)} reviews, ${figure(interactions)} interactions; ${figure(Math.ceil(catalogBytes / 2 ** 20))} MB`,
            ],
            ['index', modelId === undefined ? live : `${live}, with the trained model`],
          ])
          return `${shown}${shell.remark(`It is a project: textrec stats --dir ${shellWord(report.out)}`)}`
        })
      }),
    )
  addExample(command, ...SAMPLE_PROJECT, 'textrec export --dir books.textrec --out books-copy.textrec')
}
